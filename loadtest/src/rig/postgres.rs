//! A real Postgres, as durable as in production, and pgbench beside it.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{Cores, bound, output, wait_for};
use crate::{
    Outcome,
    proc::Cpu,
    servers::{ports, run::Run},
};

/// initdb refuses root; it runs as this user then, which Debian's package makes.
const UNPRIVILEGED: &str = "postgres";
const SUPERUSER: &str = "parley";

pub struct Postgres {
    run: Run,
    port: u16,
    bin: PathBuf,
    cores: Cores,
}

impl Postgres {
    pub(super) fn start(cores: Cores) -> Outcome<Self> {
        let bin = binaries().ok_or("no Postgres here: install the Debian package postgresql")?;
        let port = ports::hold();
        let mut made = Ok(String::new());
        let run = Run::start("postgres", |folder, command| {
            made = initialise(&bin, folder);
            bound(command, cores.databases(), Path::new("env"));
            command.args(owner()).arg(bin.join("postgres")).arg("-D").arg(folder.join("data"));
            command.current_dir("/");
            let settings = [
                "listen_addresses=127.0.0.1".to_owned(),
                format!("port={port}"),
                format!("unix_socket_directories={}", folder.display()),
                "max_connections=300".to_owned(),
                "shared_buffers=256MB".to_owned(),
                // A checkpoint belongs to every long run and to no short one.
                "max_wal_size=8GB".to_owned(),
                "checkpoint_timeout=30min".to_owned(),
            ];
            for setting in settings {
                command.args(["-c", &setting]);
            }
        });
        made?;
        let postgres = Self { run, port, bin, cores };
        wait_for(&postgres.run, || postgres.query("select 1").is_ok())?;
        Ok(postgres)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/postgres", self.port)
    }

    pub(super) fn cpu(&self) -> Outcome<Cpu> {
        Cpu::of_family(self.run.process)
    }

    /// What `psql` prints, without decoration.
    pub fn query(&self, sql: &str) -> Outcome<String> {
        output(Command::new(self.bin.join("psql")).args(["-XqAt", "-c", sql, &self.url()]))
    }

    /// Transactions per second of a script of pgbench.
    pub fn pgbench(&self, script: &str, clients: usize, time: Duration) -> Outcome<f64> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), script)?;
        let mut command = Command::new("taskset");
        command
            .args(["-c", self.cores.client()])
            .arg(self.bin.join("pgbench"))
            .args(["--no-vacuum", "--protocol=prepared"])
            .args(["--client", &clients.to_string()])
            .args(["--time", &time.as_secs().max(1).to_string()])
            .arg("--file")
            .args([file.path(), Path::new(&self.url())]);
        let said = output(&mut command)?;
        Ok(transactions_per_second(&said).ok_or_else(|| format!("pgbench said: {said}"))?)
    }
}

impl Drop for Postgres {
    /// In order, for it frees what it shares with its children; killing it, as
    /// happens when this process dies, would not.
    fn drop(&mut self) {
        let mut stop = as_owner(self.bin.join("pg_ctl"));
        stop.args(["stop", "--mode", "immediate", "--wait", "--pgdata"]);
        let _ = stop.arg(self.run.folder.join("data")).output();
    }
}

fn initialise(bin: &Path, folder: &Path) -> Outcome<String> {
    if is_root() {
        let id = |flag| -> Outcome<u32> {
            Ok(output(Command::new("id").args([flag, UNPRIVILEGED]))?.trim().parse()?)
        };
        chown(folder, Some(id("-u")?), Some(id("-g")?))?;
    }
    let mut initdb = as_owner(bin.join("initdb"));
    initdb.args(["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
    output(initdb.args(["--username", SUPERUSER, "--pgdata"]).arg(folder.join("data")))
}

/// A command that runs as who may own a Postgres.
fn as_owner(program: PathBuf) -> Command {
    let mut command = Command::new("env");
    command.args(owner()).arg(program).current_dir("/");
    command
}

/// How a command line begins that does.
fn owner() -> &'static [&'static str] {
    match is_root() {
        true => &["setpriv", "--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--init-groups"],
        false => &[],
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// The folder of `initdb`: of the newest version Debian has.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    let in_path = || crate::servers::run::program("initdb")?.parent().map(Path::to_owned);
    found.pop().map(|(_, bin)| bin).or_else(in_path)
}

fn transactions_per_second(said: &str) -> Option<f64> {
    let (_, rest) = said.split_once("tps = ")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_in_what_pgbench_says() {
        let said = "latency average = 2.3 ms\ntps = 13712.512 (without initial connection time)\n";
        assert_eq!(transactions_per_second(said), Some(13712.512));
        assert_eq!(transactions_per_second("pgbench: error"), None);
    }
}
