//! `gateway healthcheck` and `gateway drain`: talking to a running replica.

use std::time::Duration;

use clap::Args;

use super::{Failure, say};
use crate::{
    config::Config,
    server::admin::{call, reachable},
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
        let (status, body) = ask(&config, "GET", path).await?;
        if status != 200 {
            return Err(Failure::runtime(format!("{path} answered {status}: {}", body.trim())));
        }
        say(&body);
        Ok(())
    }
}

pub async fn drain(config: Config) -> Result<(), Failure> {
    let (status, body) = ask(&config, "POST", "/admin/drain").await?;
    if status != 202 {
        return Err(Failure::runtime(format!("The replica answered {status}: {}", body.trim())));
    }
    say("The replica is draining.");
    Ok(())
}

async fn ask(config: &Config, method: &str, path: &str) -> Result<(u16, String), Failure> {
    let address = reachable(config.admin_listen);
    call(address, method, path, LIMIT).await.map_err(|why| Failure::runtime(format!("{why}.")))
}
