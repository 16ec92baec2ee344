//! The real binary, as a process of its own. Waiting for it happens on
//! blocking threads: tokio's processes would need a feature that the gateway
//! does not, and with it everything would be built twice.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use tokio::{sync::mpsc, task::spawn_blocking, time::timeout};

use super::{eventually, haproxy::Place, limits, ports};

/// A command of the gateway in an empty environment and a folder of its own.
pub fn gateway(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PARLEY_") || text.starts_with("OTEL_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command of the gateway to its end.
pub async fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = gateway(folder);
    command.args(arguments);
    finished(command).await
}

pub async fn finished(mut command: Command) -> Output {
    let output = spawn_blocking(move || command.output());
    timeout(limits::PROCESS, output).await.expect("the process ends").unwrap().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `gateway serve` on free ports; ends with the test.
pub struct Serving {
    child: Child,
    /// `http://127.0.0.1:…`
    pub public: String,
    /// The listener of probes and metrics, likewise.
    pub admin: String,
    log: mpsc::UnboundedReceiver<String>,
}

impl Serving {
    /// Starts it and waits until it listens.
    pub async fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_with(folder, arguments, &[]).await
    }

    /// Likewise, with variables in its environment.
    pub async fn start_with(
        folder: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let place = Place { public: 0, admin: ports::hold() };
        Self::start_at(place, folder, arguments, environment).await
    }

    /// Likewise, on ports that were chosen before.
    pub async fn start_at(
        place: Place,
        folder: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = gateway(folder);
        command.arg("serve").arg(format!("--listen=127.0.0.1:{}", place.public)).args(arguments);
        command.envs(environment.iter().copied());
        Self::launch(command, place.admin).await
    }

    /// Starts a command that serves, with its admin listener on this port, and
    /// waits until it listens.
    pub async fn launch(mut command: Command, admin: u16) -> Self {
        // The log tells the public address only.
        let admin = format!("127.0.0.1:{admin}");
        command.args(["--log-format=json", &format!("--admin-listen={admin}")]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (lines, log) = mpsc::unbounded_channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let mut serving =
            Self { child, public: String::new(), admin: format!("http://{admin}"), log };
        let line = serving.line_with("listening on http").await;
        serving.public = between(&line, "listening on ", "\"").to_owned();
        serving
    }

    /// Starts one of several replicas on a Postgres and, unless its URL is
    /// empty, a Redis. The key file must be there: they share it.
    pub async fn replica(folder: &Path, database: &str, redis: &str, keys: &Path) -> Self {
        let database = format!("--database-url={database}");
        let redis = format!("--redis-url={redis}");
        let keys = format!("--keys-file={}", keys.display());
        Self::start(folder, &["--rate-limits=off", &database, &redis, &keys]).await
    }

    /// The address of its admin listener as a command is told it.
    pub fn admin_listen(&self) -> String {
        format!("--admin-listen={}", self.admin.trim_start_matches("http://"))
    }

    /// A figure of its metrics, by its whole name with labels.
    pub async fn figure(&self, name: &str) -> Option<f64> {
        let answer = reqwest::get(format!("{}/metrics", self.admin)).await.ok()?;
        let text = answer.text().await.ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Whether it takes connections, or what keeps it from that.
    pub async fn ready(&self) -> Option<(u16, String)> {
        let answer = reqwest::get(format!("{}/readyz", self.admin)).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// The next line of the log that holds `text`.
    pub async fn line_with(&mut self, text: &str) -> String {
        let mut seen = String::new();
        let found = async {
            while let Some(line) = self.log.recv().await {
                if line.contains(text) {
                    return line;
                }
                seen += &(line + "\n");
            }
            panic!("ended without logging {text:?}:\n{seen}");
        };
        timeout(limits::PROCESS, found).await.unwrap_or_else(|_| panic!("never logged {text:?}"))
    }

    /// What it logs from here to its end.
    pub async fn rest_of_log(&mut self) -> String {
        let mut rest = String::new();
        let all = async {
            while let Some(line) = self.log.recv().await {
                rest += &(line + "\n");
            }
        };
        timeout(limits::PROCESS, all).await.expect("the process ends");
        rest
    }

    /// All that it logs from here on, for somebody else to read.
    pub fn take_log(&mut self) -> mpsc::UnboundedReceiver<String> {
        std::mem::replace(&mut self.log, mpsc::unbounded_channel().1)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The names of its threads.
    pub fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let names = tasks.flatten().map(|task| std::fs::read_to_string(task.path().join("comm")));
        names.flatten().map(|name| name.trim().to_owned()).collect()
    }

    /// Resident memory in KiB, now and at its highest.
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib = |name| {
            let line = status.lines().find_map(|line: &str| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()).unwrap().parse().unwrap()
        };
        (kib("VmRSS:"), kib("VmHWM:"))
    }

    /// The sum of the metrics whose name and labels begin like this.
    pub async fn counted(&self, name: &str) -> f64 {
        let scraped = reqwest::get(format!("{}/metrics", self.admin)).await.unwrap();
        let text = scraped.text().await.unwrap();
        let values = text.lines().filter(|line| line.starts_with(name));
        values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// Sends a signal by name, as `kill` does.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Its exit code; none when a signal ended it.
    pub async fn ended(&mut self) -> Option<i32> {
        let child = &mut self.child;
        let ended = async || child.try_wait().unwrap();
        eventually("the gateway ends", limits::PROCESS, ended).await.code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).unwrap() + start.len();
    let rest = &text[from..];
    &rest[..rest.find(end).unwrap_or(rest.len())]
}
