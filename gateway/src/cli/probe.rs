//! `gateway healthcheck`: talking to a running replica.

use std::time::Duration;

use clap::Args;

use super::{Failure, say};
use crate::{
    config::Config,
    server::admin::{CallError, call, reachable},
};

const LIMIT: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub struct Healthcheck {
    /// Ask whether it takes connections (/readyz), not only whether it lives
    #[arg(long)]
    ready: bool,
}

impl Healthcheck {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let path = if self.ready { "/readyz" } else { "/livez" };
        let asked = ask(&config, "GET", path).await;
        let (status, body) = asked.map_err(|why| Failure::runtime(format!("{why}.")))?;
        if status != 200 {
            return Err(Failure::runtime(format!("{path} answered {status}: {}", body.trim())));
        }
        say(&body);
        Ok(())
    }
}

/// Asks the replica of this host.
pub(super) async fn ask(
    config: &Config,
    method: &str,
    path: &str,
) -> Result<(u16, String), CallError> {
    call(reachable(config.admin_listen), method, path, LIMIT).await
}
