//! `make bench`: starts real gateways with their databases, loads them from one
//! thread, and prints one table of figures next to the raw baselines they are
//! compared with. `BENCH.md` says what each figure is and keeps the latest table.

mod baseline;
mod bench;
mod figures;
mod frame;
mod load;
mod proc;
mod rig;
mod servers;
mod statistics;
mod swarm;
mod table;

use std::error::Error;

use clap::{Parser, Subcommand};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
#[command(about, version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure all figures, or one
    Bench(bench::Bench),
    /// The baseline of fan-out, in a process of its own
    #[command(hide = true)]
    WriteLoop(baseline::WriteLoop),
}

fn main() -> Outcome {
    match Cli::parse().command {
        Command::Bench(bench) => bench.run(),
        Command::WriteLoop(baseline) => baseline.run(),
    }
}
