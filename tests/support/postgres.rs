//! A real Postgres for the tests: started once per test process, on loopback,
//! in a folder of its own, and gone with the process however that ends.
//!
//! Durability is as in production (`fsync` and `synchronous_commit` stay on).

use std::{
    fs,
    io::{Read, Seek, Write},
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use parley::store::{Store, StoreOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::{Mutex, OnceCell};

use super::{limits::SOON, ports};

const MISSING: &str = "no Postgres here: install the Debian package `postgresql` \
    (its `initdb` is looked for in PATH and in /usr/lib/postgresql/*/bin)";

/// initdb refuses root; it runs as this user then, which Debian's package makes.
const UNPRIVILEGED: &str = "postgres";
const SUPERUSER: &str = "parley";
const TEMPLATE: &str = "parley_template";

/// The server all tests of this process share. *Nobody stops it or looks at its
/// other databases*; who must do so starts a [`Server`] of their own.
static SHARED: LazyLock<Server> = LazyLock::new(Server::start);

/// A new, migrated database on the shared server: its URL.
pub async fn fresh_database() -> String {
    SHARED.fresh_database().await
}

/// A new database on the shared server, without any table: its URL.
pub async fn empty_database() -> String {
    SHARED.empty_database().await
}

/// One Postgres. Dropped, or with its test process killed, it stops and its
/// folder goes away.
pub struct Server {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Beyond the usual, in the form of its command line.
    settings: &'static str,
    template: OnceCell<()>,
    copying: Mutex<()>,
    databases: AtomicU32,
    /// Closing its standard input tells the watchdog to clean up. The pipe also
    /// closes when this process is killed.
    watchdog: std::process::Child,
}

impl Server {
    /// Blocks until it accepts connections.
    pub fn start() -> Self {
        Self::start_in(&std::env::temp_dir(), "")
    }

    /// In a folder of its own within `place`, with settings beyond the usual.
    pub fn start_in(place: &Path, settings: &'static str) -> Self {
        let bin = binaries().expect(MISSING);
        let folder = tempfile::Builder::new().prefix("parley-postgres-").tempdir_in(place);
        let folder = folder.expect("a temporary folder").keep();
        give_away(&folder);
        let data = folder.join("data");
        let watchdog = watch(&bin, &folder);
        run(as_owner(bin.join("initdb"))
            .args(["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"])
            .args(["--username", SUPERUSER, "--pgdata"])
            .arg(&data));
        let server = Self {
            bin,
            folder,
            port: ports::hold(),
            settings,
            template: OnceCell::new(),
            copying: Mutex::new(()),
            databases: AtomicU32::new(0),
            watchdog,
        };
        server.resume();
        server
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// A new, migrated database: its URL.
    pub async fn fresh_database(&self) -> String {
        self.template.get_or_init(|| self.make_template()).await;
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.create(&name, TEMPLATE).await;
        self.url(&name)
    }

    /// A new database without any table: its URL.
    pub async fn empty_database(&self) -> String {
        let name = format!("empty_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.create(&name, "template0").await;
        self.url(&name)
    }

    /// Ends every session at once and starts again, as after a crash.
    pub fn crash_and_restart(&self) {
        run(self.pg_ctl("stop").args(["--mode", "immediate"]));
        self.resume();
    }

    /// Ends every session and itself, in order.
    pub fn stop(&self) {
        run(self.pg_ctl("stop").args(["--mode", "fast"]));
    }

    /// SIGKILL to every process of it.
    pub fn kill(&self) {
        let held = fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let postmaster = held.lines().next().expect("a process id").to_owned();
        // A child that is made just now would live on, and keep the next one out.
        let _ = Command::new("kill").args(["-STOP", &postmaster]).status();
        while state(&postmaster).is_some_and(|state| !matches!(state, 'T' | 'Z' | 'X')) {
            std::thread::yield_now();
        }
        let children = Command::new("pgrep").args(["-P", &postmaster]).output().expect("pgrep");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let all = [postmaster.as_str()].into_iter().chain(children.lines());
        let all: Vec<_> = all.collect();
        let _ = Command::new("kill").arg("-KILL").args(&all).status();
        // One that is only dying still holds what is shared, and keeps the next
        // server out.
        while all.iter().any(|id| state(id).is_some_and(|state| !matches!(state, 'Z' | 'X'))) {
            std::thread::yield_now();
        }
        // A process whose end nobody has taken note of yet looks, to the next
        // server, like one that runs.
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
    }

    pub fn is_running(&self) -> bool {
        self.pg_ctl("status").stdout(Stdio::null()).status().expect("pg_ctl").success()
    }

    /// Where its tables and its log of writes are.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Starts it where it was; blocks until it accepts connections.
    pub fn resume(&self) {
        let settings = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={} \
             -c max_connections=300 -c shared_buffers=64MB {}",
            self.port,
            self.folder.display(),
            self.settings
        );
        let log = self.folder.join("log");
        let mut start = self.pg_ctl("start");
        let said = said_by(start.arg("--log").arg(log).arg("--options").arg(settings));
        if let Some(said) = said {
            panic!("{said}\n{}", self.log().lines().rev().take(20).collect::<Vec<_>>().join("\n"));
        }
    }

    fn pg_ctl(&self, what: &str) -> Command {
        let mut command = as_owner(self.bin.join("pg_ctl"));
        command.arg(what).arg("--wait").arg("--pgdata").arg(self.data());
        command
    }

    async fn make_template(&self) {
        self.create(TEMPLATE, "template0").await;
        let options =
            StoreOptions { url: self.url(TEMPLATE), max_connections: 1, connect_timeout: SOON };
        let store = Store::open(&options).expect("a store");
        store.migrate().await.expect("migrations");
        store.close().await;
    }

    /// One at a time: a template must not be in use while it is copied.
    async fn create(&self, name: &str, template: &str) {
        let _alone = self.copying.lock().await;
        let mut conn = PgConnection::connect(&self.url("postgres")).await.expect("a connection");
        let create = format!("create database {name} template {template}");
        conn.execute(AssertSqlSafe(create)).await.expect("a database");
        conn.close().await.expect("a goodbye");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// A shell that outlives this process, however it ends, to stop the server and
/// remove its folder. It waits for the end of its standard input.
fn watch(bin: &Path, folder: &Path) -> std::process::Child {
    const SCRIPT: &str = r#"trap '' HUP INT TERM
        cat > /dev/null
        "$1"/pg_ctl stop --mode immediate --wait --pgdata "$2"/data
        rm -rf "$2""#;
    as_owner("sh")
        .args(["-c", SCRIPT, "watchdog"])
        .args([bin, folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a watchdog")
}

/// What a process does, as the kernel says it in a letter; none if it is gone.
fn state(id: &str) -> Option<char> {
    let stat = fs::read_to_string(Path::new("/proc").join(id).join("stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// A command that runs as who may own a Postgres.
fn as_owner(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--init-groups", "--"])
        .arg(program)
        .current_dir("/");
    command
}

fn give_away(folder: &Path) {
    if is_root() {
        let id = |flag| -> u32 {
            let answer = Command::new("id").args([flag, UNPRIVILEGED]).output().expect("id");
            String::from_utf8_lossy(&answer.stdout).trim().parse().expect(MISSING)
        };
        chown(folder, Some(id("-u")), Some(id("-g"))).expect("a folder of their own");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// The folder of `initdb` and `pg_ctl`: the newest version Debian has, else
/// what is in PATH.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|bin| bin.join("initdb").exists())
    };
    found.pop().map(|(_, bin)| bin).or_else(in_path)
}

/// Fails with what the command said.
fn run(command: &mut Command) {
    if let Some(said) = said_by(command) {
        panic!("{said}");
    }
}

/// What a command said that failed.
fn said_by(command: &mut Command) -> Option<String> {
    let said = tempfile::tempfile().expect("a temporary file");
    let copy = || said.try_clone().expect("a descriptor");
    // Not a pipe: the server keeps its end open for as long as it lives.
    let status = command.stdin(Stdio::null()).stdout(copy()).stderr(copy()).status();
    let status = status.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    if status.success() {
        return None;
    }
    let mut said = said;
    let mut text = String::new();
    let _ = said.flush();
    let _ = said.rewind().and_then(|()| said.read_to_string(&mut text));
    Some(format!("{command:?}: {status}\n{text}"))
}
