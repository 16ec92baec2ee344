//! `gateway version`.

use clap::Args;
use serde_json::json;

use super::{Failure, say};
use crate::version::{DATE, REVISION, VERSION};

#[derive(Debug, Args)]
pub struct Version {
    /// As JSON: version, revision, built
    #[arg(long)]
    json: bool,
}

impl Version {
    pub fn run(self) -> Result<(), Failure> {
        if self.json {
            say(&json!({ "version": VERSION, "revision": REVISION, "built": DATE }).to_string());
        } else {
            let revision = REVISION.map(|it| format!(" ({it})")).unwrap_or_default();
            let built = DATE.map(|it| format!(", built {it}")).unwrap_or_default();
            say(&format!("gateway {VERSION}{revision}{built}"));
        }
        Ok(())
    }
}
