//! A real HAProxy in front of replicas, with the configuration of
//! `deploy/haproxy`: only the addresses are others.

use std::{collections::HashMap, fs, path::PathBuf};

use super::{
    eventually,
    limits::PROCESS,
    ports, read,
    run::{Run, program},
};

const MISSING: &str = "no HAProxy here: install the Debian package `haproxy`";

/// Ports of a replica behind it, which are its own whether it runs or not.
#[derive(Clone, Copy)]
pub struct Place {
    pub public: u16,
    pub admin: u16,
}

impl Place {
    pub fn hold() -> Self {
        Self { public: ports::hold(), admin: ports::hold() }
    }
}

pub struct Haproxy {
    run: Run,
    public: u16,
    figures: u16,
}

impl Haproxy {
    /// Returns once it answers.
    pub async fn before(replicas: &[Place]) -> Self {
        let (public, figures) = (ports::hold(), ports::hold());
        let configuration = configuration(public, figures, replicas);
        let binary = program("haproxy").expect(MISSING);
        let run = Run::start("haproxy", |folder, command| {
            let file: PathBuf = folder.join("haproxy.cfg");
            fs::write(&file, configuration).expect("a configuration");
            command.arg(binary).arg("-db").arg("-f").arg(file);
        });
        let haproxy = Self { run, public, figures };
        eventually("HAProxy answers", PROCESS, async || {
            assert!(haproxy.run.is_alive(), "{}", haproxy.run.log());
            haproxy.try_servers().await
        })
        .await;
        haproxy
    }

    /// `http://127.0.0.1:…`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.public)
    }

    /// Waits until it sends new connections to just these, by their index.
    pub async fn reaches(&self, replicas: &[usize]) {
        eventually("HAProxy knows who is there", PROCESS, async || {
            let servers = self.try_servers().await?;
            let up = |(index, server): (usize, &Server)| server.is_up().then_some(index);
            let up: Vec<_> = servers.iter().enumerate().filter_map(up).collect();
            (up == replicas).then_some(())
        })
        .await;
    }

    /// A figure of every replica, added up, such as `wretr`: attempts repeated.
    pub async fn sum(&self, figure: &str) -> u64 {
        let servers = self.try_servers().await.expect("figures");
        servers.iter().filter_map(|server| server.0.get(figure)?.parse::<u64>().ok()).sum()
    }

    /// In the order of the replicas.
    async fn try_servers(&self) -> Option<Vec<Server>> {
        let url = format!("http://127.0.0.1:{}/;csv", self.figures);
        let csv = reqwest::get(url).await.ok()?.text().await.ok()?;
        let mut lines = csv.trim_start_matches("# ").lines();
        let names: Vec<_> = lines.next()?.split(',').map(str::to_owned).collect();
        let row = |line: &str| -> HashMap<_, _> {
            names.iter().cloned().zip(line.split(',').map(str::to_owned)).collect()
        };
        let servers = lines.map(row).filter(|row| row["svname"].starts_with("replica"));
        Some(servers.map(Server).collect())
    }
}

/// A row of its figures.
struct Server(HashMap<String, String>);

impl Server {
    fn is_up(&self) -> bool {
        self.0["status"].starts_with("UP")
    }
}

fn configuration(public: u16, figures: u16, replicas: &[Place]) -> String {
    let reference = read("deploy/haproxy/haproxy.cfg");
    let (mut own, mut servers) = (String::new(), false);
    for line in reference.lines() {
        if !line.starts_with("    server ") {
            own += &format!("{line}\n");
        } else if !std::mem::replace(&mut servers, true) {
            for (n, Place { public, admin }) in replicas.iter().enumerate() {
                own += &format!("    server replica{n} 127.0.0.1:{public} check port {admin}\n");
            }
        }
    }
    for (theirs, ours) in [("bind :8000", public), ("bind 127.0.0.1:8404", figures)] {
        assert!(own.contains(theirs), "{theirs}");
        own = own.replace(theirs, &format!("bind 127.0.0.1:{ours}"));
    }
    own
}
