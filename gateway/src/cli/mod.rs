//! The command line. Each command is one file; `serve` is what runs without
//! one.

mod accounts;
mod config;
mod demo;
mod documents;
mod failure;
mod flags;
mod keys;
mod leave;
mod migrate;
mod probe;
mod seed;
mod user;
mod version;

use std::{io::Write, path::PathBuf};

use clap::{Parser, Subcommand};

pub use failure::Failure;

use crate::{
    app,
    clock::Clock,
    config::{Config, Loaded, Sources},
    shutdown::{self, Shutdown},
    startup,
    store::Store,
    telemetry::{self, Output},
};

/// Parley's gateway: real-time chat over WebSockets and REST.
///
/// Without a command it serves, on the embedded database, at
/// http://127.0.0.1:8080. Settings come from flags, then PARLEY_* variables,
/// then .env, then the file of --config, then the defaults shown here.
#[derive(Debug, Parser)]
#[command(
    name = "gateway",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 the database's schema \
                  is not this version's."
)]
pub struct Cli {
    /// TOML file of settings [env: PARLEY_CONFIG]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Settings")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: flags::Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a replica (what happens without a command)
    Serve,
    /// Bring the database's schema to this version, or show how it stands
    Migrate(migrate::Migrate),
    /// Ask a running replica whether it is alive; for containers
    Healthcheck(probe::Healthcheck),
    /// Let the clients of the replica on this host leave, and end it
    Drain(leave::Drain),
    /// Send part of the clients of the replica on this host to other replicas
    Rebalance(leave::Rebalance),
    /// Check the configuration, or print it with the origin of each value
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Make, list or rotate the signing keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Manage accounts
    #[command(subcommand)]
    User(user::UserCommand),
    /// Print the OpenAPI document of the REST API
    Openapi,
    /// Print the AsyncAPI document of the socket
    Asyncapi,
    /// Print the metrics that /metrics exposes, as a table
    Metrics,
    /// Print the version and the build
    Version(version::Version),
    /// Fill an empty database with a small team's conversations
    Demo(demo::Demo),
    /// Fill a database with many users and their tokens, for load tests
    Seed(seed::Seed),
}

impl Cli {
    /// Does what was asked. `Ok` is exit code 0.
    pub fn run(self) -> Result<(), Failure> {
        let sources = Sources::of_process(self.flags.0, self.config);
        let load = || Config::load(&sources).map_err(Failure::from);
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => serve(load()?),
            Command::Migrate(command) => block_on(load()?, |config| command.run(config)),
            Command::Healthcheck(command) => block_on(load()?, |config| command.run(config)),
            Command::Drain(command) => block_on(load()?, |config| command.run(config)),
            Command::Rebalance(command) => block_on(load()?, |config| command.run(config)),
            Command::Config(command) => command.run(&sources),
            Command::Keys(command) => command.run(&load()?.config),
            Command::User(command) => block_on(load()?, |config| command.run(config)),
            Command::Openapi => documents::openapi(),
            Command::Asyncapi => documents::asyncapi(),
            Command::Metrics => documents::metrics(),
            Command::Version(command) => command.run(),
            Command::Demo(command) => block_on(load()?, |config| command.run(config)),
            Command::Seed(command) => block_on(load()?, |config| command.run(config)),
        }
    }
}

fn serve(loaded: Loaded) -> Result<(), Failure> {
    let config = loaded.config;
    let traces = telemetry::init_replica(&config);
    startup::raise_file_limit(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::runtime(format!("The runtime cannot be started: {why}.")))?;
    let ended = runtime.block_on(async {
        let shutdown = Shutdown::new();
        shutdown::listen_for_signals(&shutdown)
            .map_err(|why| Failure::runtime(format!("Signals cannot be received: {why}.")))?;
        app::run(config, shutdown).await.map_err(Failure::from)
    });
    // A blocking call that hangs must not keep the process.
    runtime.shutdown_background();
    traces.flush();
    ended
}

/// For commands: logs go to standard error, a small runtime is enough.
fn block_on<F>(loaded: Loaded, command: impl FnOnce(Config) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    telemetry::init(&loaded.config.log_level, loaded.config.log_format, Output::Stderr);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::runtime(format!("The runtime cannot be started: {why}.")))?
        .block_on(command(loaded.config))
}

/// The database of a command: reachable, and with this version's schema.
async fn database(config: &Config) -> Result<Store, Failure> {
    let store = startup::open_store(config)?;
    startup::prepare_schema(config, &store).await?;
    Ok(store)
}

/// The clock of a command.
fn clock() -> Clock {
    Clock::default()
}

/// Writes an answer to standard output; who closes the pipe has read enough.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| match text.ends_with('\n') {
        true => out.flush(),
        false => out.write_all(b"\n"),
    });
}
