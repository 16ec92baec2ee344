//! `gateway config`: what a replica here would run with.

use clap::Subcommand;

use super::{Failure, say};
use crate::config::{Config, Sources, catalogue};

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say whether the configuration is good; nothing is opened or bound
    Check,
    /// Print every value and where it came from, secrets hidden
    Print,
    /// Print .env.example
    Example,
    /// Print the README's table of settings
    Table,
}

impl ConfigCommand {
    pub fn run(self, sources: &Sources) -> Result<(), Failure> {
        match self {
            Self::Check => {
                Config::load(sources)?;
                say("The configuration is good.");
            }
            Self::Print => say(&Config::load(sources)?.print()),
            Self::Example => say(&catalogue::env_example()),
            Self::Table => say(&catalogue::readme_table()),
        }
        Ok(())
    }
}
