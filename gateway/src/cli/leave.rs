//! `gateway drain` and `gateway rebalance`: asking a running replica to let all
//! or some of its clients go, and watching them leave.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::time::sleep;

use super::{Failure, probe, say};
use crate::{config::Config, server::admin::CallError};

/// How often the replica is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);
/// Questions in a row without an answer in time after which it is given up.
const PATIENCE: u32 = 5;

#[derive(Debug, Args)]
pub struct Drain {
    /// Return as soon as it has begun, instead of when the replica has ended
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Args)]
pub struct Rebalance {
    /// How much of the connections to send away: more than 0, at most 1. From
    /// 3 to 6 replicas, half of those on each of the old ones
    #[arg(long, value_parser = share)]
    share: f64,
    /// Return as soon as it has begun, instead of when they have left
    #[arg(long)]
    no_wait: bool,
}

impl Drain {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let mut watch = Watch::begin(&config, "/admin/drain", "").await?;
        say(&format!("Draining: {} connections.", watch.figure("connections")));
        if self.no_wait {
            return Ok(());
        }
        // Once it answers no more, or another one does in its place, it has
        // ended.
        while watch.look().await? && watch.answer["draining"] == true {
            watch.tell("connections", "left");
        }
        say("The replica has ended.");
        Ok(())
    }
}

impl Rebalance {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let parameters = format!("?share={}", self.share);
        let mut watch = Watch::begin(&config, "/admin/rebalance", &parameters).await?;
        let (leaving, all) = (watch.figure("leaving"), watch.figure("connections"));
        say(&format!("Sending away {leaving} of {all} connections."));
        if self.no_wait {
            return Ok(());
        }
        while watch.figure("leaving") > 0 {
            if !watch.look().await? {
                return Err(Failure::runtime("The replica ended meanwhile."));
            }
            watch.tell("leaving", "still to leave");
        }
        say(&format!("They have left; {} connections stay.", watch.figure("connections")));
        Ok(())
    }
}

/// A replica that was asked for something that takes a while.
struct Watch<'a> {
    config: &'a Config,
    path: &'static str,
    answer: Value,
    told: u64,
}

impl<'a> Watch<'a> {
    async fn begin(
        config: &'a Config,
        path: &'static str,
        parameters: &str,
    ) -> Result<Self, Failure> {
        let asked = probe::ask(config, "POST", &format!("{path}{parameters}")).await;
        let (status, body) = asked.map_err(|why| Failure::runtime(format!("{why}.")))?;
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        if status != 202 {
            let reason = answer["detail"].as_str().unwrap_or_else(|| body.trim());
            return Err(Failure::runtime(format!("The replica answered {status}: {reason}")));
        }
        Ok(Self { config, path, answer, told: u64::MAX })
    }

    /// Asks how far it is; false once nothing answers there any more.
    async fn look(&mut self) -> Result<bool, Failure> {
        for _ in 0..PATIENCE {
            sleep(LOOK).await;
            match probe::ask(self.config, "GET", self.path).await {
                Ok((200, body)) => {
                    self.answer = serde_json::from_str(&body).unwrap_or_default();
                    return Ok(true);
                }
                Ok(_) | Err(CallError::Unreachable(..)) => return Ok(false),
                Err(CallError::TooSlow(_)) => {}
            }
        }
        Err(Failure::runtime("The replica does not answer any more, but has not ended."))
    }

    fn figure(&self, name: &str) -> u64 {
        self.answer[name].as_u64().unwrap_or_default()
    }

    /// One line whenever it has got on.
    fn tell(&mut self, name: &str, what: &str) {
        let figure = self.figure(name);
        if std::mem::replace(&mut self.told, figure) != figure {
            say(&format!("{figure} connections {what}"));
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a number such as 0.3".to_owned())?;
    match share > 0.0 && share <= 1.0 {
        true => Ok(share),
        false => Err("more than 0 and at most 1".to_owned()),
    }
}
