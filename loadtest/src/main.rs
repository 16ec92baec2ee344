//! A load generator for one or more gateways. It speaks the public contract
//! only; its users come from `gateway seed`.
//!
//! ```text
//! gateway seed --users 5000 --conversations 5000 --tokens tokens.json
//! loadtest idle --tokens tokens.json --connections 5000 --pid <gateway>
//! loadtest send --tokens tokens.json --senders 256 --seconds 10
//! loadtest across --tokens tokens.json --url ws://one:8080 --url ws://two:8080
//! loadtest resume --tokens tokens.json --url ws://one:8080 --url ws://two:8080 --pid <one> --admin two:9090
//! ```

mod across;
mod device;
mod idle;
mod resume;
mod send;

use std::{error::Error, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use serde::Deserialize;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
#[command(about, version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Hold idle connections and tell what one costs the gateway
    Idle(idle::Idle),
    /// Send as fast as acknowledgements come back
    Send(send::Send),
    /// Send on one gateway, listen on another, and tell how long it takes
    Across(across::Across),
    /// Kill a gateway and bring all of its devices back at once
    Resume(resume::Resume),
}

#[derive(Args, Clone)]
struct Target {
    /// Where the gateways listen; connections are spread over them in turn
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8080")]
    url: Vec<String>,
    /// The file that `gateway seed` wrote
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,
}

/// One of the users that `gateway seed` wrote.
#[derive(Clone, Deserialize)]
struct Seeded {
    access_token: String,
    conversations: Vec<String>,
}

impl Target {
    fn users(&self) -> Outcome<Vec<Seeded>> {
        let text = std::fs::read_to_string(&self.tokens)
            .map_err(|why| format!("{}: {why}", self.tokens.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    fn url(&self, index: usize) -> &str {
        &self.url[index % self.url.len()]
    }
}

#[tokio::main]
async fn main() -> Outcome {
    match Cli::parse().command {
        Command::Idle(idle) => idle.run().await,
        Command::Send(send) => send.run().await,
        Command::Across(across) => across.run().await,
        Command::Resume(resume) => resume.run().await,
    }
}
