//! The systems under test: gateways with their databases, started here, on
//! loopback, each on the core where a figure wants it, and gone with this
//! process however that ends.

mod gateway;
mod postgres;
mod redis;

use std::{
    ops::{Add, Sub},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde::Deserialize;
use uuid::Uuid;

use self::redis::Redis;
pub use self::{gateway::Gateway, postgres::Postgres};
use crate::{
    Outcome,
    proc::Cpu,
    servers::run::{self, Run},
    table::Short,
};

/// A server may take this long to begin.
const STARTS: Duration = Duration::from_secs(30);

/// Which core is whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// Gateways have the first; the databases and the client share the second.
    GatewayAlone,
    /// All servers have the first, the client the second.
    Servers,
    /// Nobody is bound.
    Free,
}

impl Cores {
    fn gateway(self) -> &'static str {
        if self == Self::Free { "0-1" } else { "0" }
    }

    fn databases(self) -> &'static str {
        match self {
            Self::GatewayAlone => "1",
            Self::Servers => "0",
            Self::Free => "0-1",
        }
    }

    pub fn client(self) -> &'static str {
        if self == Self::Free { "0-1" } else { "1" }
    }

    /// Binds this process and what it starts from here on.
    fn bind_client(self) -> Outcome {
        let id = std::process::id().to_string();
        output(Command::new("taskset").args(["-a", "-c", "-p", self.client(), &id]))?;
        Ok(())
    }
}

/// One of the users that `gateway seed` wrote.
#[derive(Clone, Deserialize)]
pub struct User {
    pub username: String,
    pub access_token: String,
    pub conversations: Vec<Uuid>,
}

/// Whom `gateway seed` makes.
#[derive(Clone, Copy)]
pub struct Cast {
    pub users: usize,
    /// Every fourth one has two members.
    pub conversations: usize,
    pub group_size: usize,
}

/// CPU time of a system's servers. *Moving cost from one to another saves
/// nothing*.
#[derive(Clone, Copy, Default)]
pub struct Spent {
    pub gateways: Cpu,
    pub postgres: Cpu,
    pub redis: Cpu,
}

impl Spent {
    /// In seconds.
    pub fn total(self) -> f64 {
        (self.gateways + self.postgres + self.redis).total()
    }

    /// Who has how much of it, in microseconds per message.
    pub fn shares(self, messages: f64) -> String {
        let each = |cpu: Cpu| Short(cpu.total() * 1e6 / messages);
        let Self { gateways, postgres, redis } = self;
        format!("gateway {}, Postgres {}, Redis {}", each(gateways), each(postgres), each(redis))
    }
}

impl Sub for Spent {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            gateways: self.gateways - other.gateways,
            postgres: self.postgres - other.postgres,
            redis: self.redis - other.redis,
        }
    }
}

impl Add for Spent {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            gateways: self.gateways + other.gateways,
            postgres: self.postgres + other.postgres,
            redis: self.redis + other.redis,
        }
    }
}

/// The gateway that is measured, and where its servers keep their files.
pub struct Rig {
    pub gateway: PathBuf,
}

/// A whole system.
pub struct Stage {
    pub gateways: Vec<Gateway>,
    pub users: Vec<User>,
    pub postgres: Option<Postgres>,
    redis: Option<Redis>,
    /// Flags that all commands of this system's gateway take.
    settings: Vec<String>,
    cores: Cores,
    binary: PathBuf,
    /// Of tokens, keys and an embedded database.
    place: Run,
}

impl Rig {
    /// Replicas on Postgres and Redis.
    pub fn stage(&self, cores: Cores, cast: Cast, replicas: usize) -> Outcome<Stage> {
        cores.bind_client()?;
        let (postgres, redis) = (Postgres::start(cores)?, Redis::start(cores)?);
        let databases =
            [format!("--database-url={}", postgres.url()), format!("--redis-url={}", redis.url())];
        let mut stage = self.prepare(cores, databases)?;
        (stage.postgres, stage.redis) = (Some(postgres), Some(redis));
        stage.fill(cast)?;
        for _ in 0..replicas {
            stage.add_replica()?;
        }
        Ok(stage)
    }

    /// One gateway on SQLite.
    pub fn embedded(&self, cores: Cores, cast: Cast) -> Outcome<Stage> {
        cores.bind_client()?;
        let mut stage = self.prepare(cores, [])?;
        stage.fill(cast)?;
        stage.add_replica()?;
        Ok(stage)
    }

    fn prepare<const N: usize>(&self, cores: Cores, databases: [String; N]) -> Outcome<Stage> {
        // Nothing runs there, but the folder goes away however this process ends.
        let place = Run::start("bench", |_, command| _ = command.args(["sleep", "infinity"]));
        let data = format!("--data-dir={}", place.folder.display());
        let keys = format!("--keys-file={}", place.folder.join("keys.json").display());
        let stage = Stage {
            gateways: Vec::new(),
            users: Vec::new(),
            postgres: None,
            redis: None,
            settings: databases.into_iter().chain([data, keys]).collect(),
            cores,
            binary: self.gateway.clone(),
            place,
        };
        stage.command(&["keys", "generate"])?;
        Ok(stage)
    }
}

impl Stage {
    fn command(&self, words: &[&str]) -> Outcome<String> {
        let mut command = Command::new(&self.binary);
        without_settings(&mut command);
        // Nothing that a command writes is measured.
        command.env("PGOPTIONS", "-c synchronous_commit=off");
        output(command.args(words).args(&self.settings).arg("--log-level=warn"))
    }

    fn fill(&mut self, cast: Cast) -> Outcome {
        let tokens = self.place.folder.join("tokens.json");
        let flags = [
            format!("--users={}", cast.users),
            format!("--conversations={}", cast.conversations),
            format!("--group-size={}", cast.group_size),
            format!("--tokens={}", tokens.display()),
        ];
        let words: Vec<&str> =
            ["seed"].into_iter().chain(flags.iter().map(String::as_str)).collect();
        self.command(&["migrate"])?;
        self.command(&words)?;
        self.users = serde_json::from_slice(&std::fs::read(tokens)?)?;
        Ok(())
    }

    pub fn add_replica(&mut self) -> Outcome {
        self.gateways.push(Gateway::start(&self.binary, self.cores, &self.settings)?);
        Ok(())
    }

    /// The file of an embedded database.
    pub fn sqlite(&self) -> Outcome<PathBuf> {
        let files = std::fs::read_dir(&self.place.folder)?.flatten().map(|entry| entry.path());
        let is_database = |path: &PathBuf| path.extension().is_some_and(|it| it == "db");
        Ok(files.into_iter().find(is_database).ok_or("no SQLite file")?)
    }

    /// What all servers have used since they began.
    pub fn cpu(&self) -> Outcome<Spent> {
        let of_all = |gateway: &Gateway| Cpu::of(gateway.process());
        Ok(Spent {
            gateways: self.gateways.iter().map(of_all).sum::<Outcome<Cpu>>()?,
            postgres: self.postgres.as_ref().map_or(Ok(Cpu::default()), Postgres::cpu)?,
            redis: self.redis.as_ref().map_or(Ok(Cpu::default()), Redis::cpu)?,
        })
    }
}

/// The settings of whoever runs the bench are not the gateway's.
fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PARLEY_") || text.starts_with("OTEL_") {
            command.env_remove(&name);
        }
    }
}

/// Runs to its end: what it printed.
pub fn output(command: &mut Command) -> Outcome<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|why| format!("{name}: {why}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}\n{said}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Until a server has begun; what it said, when it has not.
fn wait_for(server: &Run, begun: impl Fn() -> bool) -> Outcome {
    let end = Instant::now() + STARTS;
    while !begun() {
        if Instant::now() > end || !server.is_alive() {
            return Err(format!("a server does not begin\n{}", server.log()).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Where a program is, or what to install.
fn program(name: &str, package: &str) -> Outcome<PathBuf> {
    let missing = || format!("{name} is missing: install the Debian package {package}");
    Ok(run::program(name).ok_or_else(missing)?)
}

/// A command line that runs on the given cores.
fn bound(command: &mut Command, cores: &str, program: &Path) {
    command.args(["taskset", "-c", cores]).arg(program);
}
