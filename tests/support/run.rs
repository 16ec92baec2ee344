//! A server that is a process of its own, from its start to its end: in a folder
//! of its own, and gone with the test process however that ends.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub struct Run {
    pub process: u32,
    pub folder: PathBuf,
    /// Closing its standard input tells the watchdog to clean up. The pipe also
    /// closes when this process is killed.
    watchdog: Child,
}

impl Run {
    /// `name` is for people who look into the temporary folder; `server` says
    /// what to run, and may put files into the folder first.
    pub fn start(name: &str, server: impl FnOnce(&Path, &mut Command)) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("parley-{name}-")).tempdir();
        let folder = folder.expect("a temporary folder").keep();
        let (watchdog, process) = watch(&folder, |command| server(&folder, command));
        Self { process, folder, watchdog }
    }

    pub fn is_alive(&self) -> bool {
        is_alive(self.process)
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// A shell that starts the server and outlives this process, however it ends,
/// to kill the server and remove its folder. It waits for the end of its
/// standard input. Nothing but SIGKILL would end a frozen server. Also the
/// server's process id.
fn watch(folder: &Path, server: impl FnOnce(&mut Command)) -> (Child, u32) {
    const SCRIPT: &str = r#"trap '' HUP INT TERM
        folder=$1
        shift
        "$@" < /dev/null > "$folder"/log 2>&1 &
        echo $!
        cat > /dev/null
        kill -KILL $!
        wait
        rm -rf "$folder""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT, "watchdog"]).arg(folder);
    server(&mut shell);
    // Redis refuses to start with a locale that this machine does not have.
    let mut shell = shell
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a watchdog");
    let mut told = String::new();
    let output = shell.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut told).expect("a process id");
    (shell, told.trim().parse().expect("a process id"))
}

pub fn is_alive(process: u32) -> bool {
    // The state stands behind the name, which is in parentheses.
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A program in PATH, or where Debian puts those of administrators.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|program| program.exists())
}
