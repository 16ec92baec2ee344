//! `gateway migrate`: the schema, by hand where replicas share a database.

use clap::{Args, Subcommand};

use super::{Failure, say};
use crate::{config::Config, startup, store::SchemaStatus};

#[derive(Debug, Args)]
pub struct Migrate {
    #[command(subcommand)]
    action: Option<Action>,
    /// Show what would be applied, change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Action {
    /// Apply what is missing (what happens without a word)
    Up,
    /// Show what is applied and what is missing
    Status,
}

impl Migrate {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let store = startup::open_store(&config)?;
        let status = store.schema_status().await?;
        match self.action.unwrap_or(Action::Up) {
            Action::Status => say(&list(&status)),
            Action::Up if self.dry_run => say(&pending(&status)),
            Action::Up => {
                let applied = store.migrate().await?;
                for name in &applied {
                    say(&format!("applied {name}"));
                }
                if applied.is_empty() {
                    say("The schema is up to date.");
                }
            }
        }
        store.close().await;
        Ok(())
    }
}

fn list(status: &SchemaStatus) -> String {
    let line = |state: &str, name: &String| format!("{state:<8} {name}\n");
    let applied = status.applied.iter().map(|name| line("applied", name));
    let pending = status.pending.iter().map(|name| line("pending", name));
    let ahead = status.ahead.iter().map(|name| line("ahead", name));
    applied.chain(pending).chain(ahead).collect()
}

fn pending(status: &SchemaStatus) -> String {
    if status.pending.is_empty() {
        return "The schema is up to date.".to_owned();
    }
    status.pending.iter().map(|name| format!("would apply {name}\n")).collect()
}
