//! The gateway: parse → configure → run → exit code.

use std::process::ExitCode;

use clap::Parser;
use parley::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}
