//! A real Redis for the tests: on loopback, without persistence, in a folder of
//! its own, and gone with the test process however that ends.

mod cluster;
mod resp;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

pub use cluster::RedisCluster;

use super::{
    eventually,
    limits::{ANSWER, PROCESS, QUIET},
    ports,
};

const MISSING: &str = "no Redis here: install the Debian package `redis-server` \
    (the binary of that name is looked for in PATH)";

/// The URL of the server all tests of this process share. *Nobody stops or
/// empties it*: the ids of one test mean nothing to another, so they do not
/// meet there. Who must do worse starts a [`Server`] of their own.
pub async fn shared() -> String {
    static SHARED: OnceCell<Server> = OnceCell::const_new();
    SHARED.get_or_init(Server::start).await.url()
}

/// One Redis. Its port stays its own while it is dead.
pub struct Server {
    port: u16,
    settings: Vec<String>,
    run: Mutex<Option<Run>>,
}

impl Server {
    /// Returns once it answers.
    pub async fn start() -> Self {
        Self::with(vec![]).await
    }

    /// With settings beyond the usual: `--name`, `value`, and so on.
    async fn with(settings: Vec<String>) -> Self {
        let server = Self { port: ports::hold(), settings, run: Mutex::default() };
        server.restart().await;
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL; whoever connects afterwards is refused.
    pub fn kill(&self) {
        self.run.lock().take();
    }

    /// Starts it again, empty; returns once it answers.
    pub async fn restart(&self) {
        self.kill();
        let run = Run::start(self.port, &self.settings);
        let (process, log) = (run.process, run.folder.join("log"));
        *self.run.lock() = Some(run);
        eventually("Redis answers", PROCESS, async || {
            assert!(is_alive(process), "{}", fs::read_to_string(&log).unwrap_or_default());
            self.answers().then_some(())
        })
        .await;
    }

    /// Stops it where it is: connections stay open, nothing is answered.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Whether it was started and not killed since; also while it is frozen.
    pub fn is_running(&self) -> bool {
        self.run.lock().is_some()
    }

    /// Whether it answers, at once.
    pub fn answers(&self) -> bool {
        resp::ask(self.port, &["PING"], QUIET).is_ok()
    }

    /// Forgets everything.
    pub fn flush(&self) {
        self.command(&["FLUSHALL"]);
    }

    /// Closes every connection that is subscribed to anything.
    pub fn kill_pubsub(&self) {
        self.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }

    /// The answer as text, the items of an array on lines of their own.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words).unwrap_or_else(|why| panic!("{words:?}: {why}"))
    }

    /// With Redis' own words where it refuses: `MOVED 12182 127.0.0.1:20003`.
    pub fn try_command(&self, words: &[&str]) -> Result<String, String> {
        resp::ask(self.port, words, ANSWER)
    }

    /// A figure of INFO, such as `connected_clients`.
    #[track_caller]
    pub fn figure(&self, name: &str) -> u64 {
        let info = self.command(&["INFO", "everything"]);
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let figure = line.unwrap_or_else(|| panic!("INFO has no {name}:\n{info}"));
        figure.trim().parse().unwrap_or_else(|_| panic!("{name} is no number: {figure}"))
    }

    fn signal(&self, name: &str) {
        let process = self.run.lock().as_ref().expect("it runs").process;
        let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status();
        assert!(sent.expect("kill").success());
    }
}

/// A process of Redis, from its start to its end.
struct Run {
    process: u32,
    folder: PathBuf,
    /// Closing its standard input tells the watchdog to clean up. The pipe also
    /// closes when this process is killed.
    watchdog: Child,
}

impl Run {
    fn start(port: u16, settings: &[String]) -> Self {
        let binary = binary().expect(MISSING);
        let folder = tempfile::Builder::new().prefix("parley-redis-").tempdir();
        let folder = folder.expect("a temporary folder").keep();
        let (watchdog, process) = watch(&folder, |command| {
            command
                .arg(binary)
                .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
                .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
                .arg("--dir")
                .arg(&folder)
                .args(settings);
        });
        Self { process, folder, watchdog }
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

fn is_alive(process: u32) -> bool {
    // The state stands behind the name, which is in parentheses.
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|it| it.exists())
}
