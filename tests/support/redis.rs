//! A real Redis for the tests: on loopback, without persistence, in a folder of
//! its own, and gone with the test process however that ends.

mod cluster;
mod resp;

use std::{path::Path, process::Command};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

pub use cluster::RedisCluster;

use super::{
    eventually,
    limits::{ANSWER, PROCESS, QUIET},
    ports,
    run::{Run, is_alive, program},
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

    /// Speaks TLS too, with `certificate.pem` and `key.pem` of a folder: at this
    /// port.
    pub async fn secured(folder: &Path) -> (Self, u16) {
        let port = ports::hold();
        let file = |name: &str| folder.join(name).display().to_string();
        let settings = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", file("certificate.pem")),
            ("--tls-key-file", file("key.pem")),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        let settings = settings.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        (Self::with(settings.collect()).await, port)
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
        let run = start(self.port, &self.settings);
        let process = run.process;
        *self.run.lock() = Some(run);
        eventually("Redis answers", PROCESS, async || {
            let log = || self.run.lock().as_ref().map(Run::log);
            assert!(is_alive(process), "{}", log().unwrap_or_default());
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

fn start(port: u16, settings: &[String]) -> Run {
    let binary = program("redis-server").expect(MISSING);
    Run::start("redis", |folder, command| {
        command
            .arg(binary)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(folder)
            .args(settings);
    })
}
