//! What the gateways take of the machine, before the faults and after.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{
    history::Rule,
    world::{Footprint, World},
};

/// What connections that ended hold may take a while to be given back.
const RECOVERED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(500);
/// Allocators keep some of what they had.
const RSS_FACTOR: u64 = 2;
const RSS_SLACK: u64 = 48 * 1024;
/// Devices move from one gateway to another, and each has pools of its own.
const DESCRIPTORS: usize = 80;
const TASKS: f64 = 150.0;

/// The largest of each, over all gateways, under load and without a fault.
#[derive(Debug)]
pub struct Baseline {
    one: Footprint,
    sessions: i64,
}

impl Baseline {
    pub async fn take(world: &World) -> Self {
        let mut one = Footprint::default();
        for gateway in &world.gateways {
            let it = gateway.footprint().await.expect("it runs");
            one.rss = one.rss.max(it.rss);
            one.descriptors = one.descriptors.max(it.descriptors);
            one.threads = one.threads.max(it.threads);
            one.tasks = one.tasks.max(it.tasks);
        }
        Self { one, sessions: world.sessions().await.expect("Postgres answers") }
    }

    pub async fn check(&self, world: &World) {
        let most = Footprint {
            rss: self.one.rss * RSS_FACTOR + RSS_SLACK,
            descriptors: self.one.descriptors + DESCRIPTORS,
            threads: self.one.threads + 4,
            tasks: self.one.tasks + TASKS,
        };
        // Each gateway may fill its pools, and the checker has sessions too.
        let sessions = self.sessions.max(3 * 14) + 2;
        let end = Instant::now() + RECOVERED;
        loop {
            let mut over = String::new();
            for gateway in &world.gateways {
                let Some(it) = gateway.footprint().await else {
                    over += &format!("gateway {} does not answer; ", gateway.number);
                    continue;
                };
                let fits = it.rss <= most.rss
                    && it.descriptors <= most.descriptors
                    && it.threads <= most.threads
                    && it.tasks <= most.tasks;
                if !fits {
                    over += &format!("gateway {}: {it:?}, at most {most:?}; ", gateway.number);
                }
            }
            match world.sessions().await {
                Some(now) if now <= sessions => {}
                now => over += &format!("{now:?} sessions at Postgres, at most {sessions}"),
            }
            if over.is_empty() {
                return;
            }
            if Instant::now() >= end {
                return world.history.violation(Rule::Resources, over);
            }
            super::super::pause(LOOK).await;
        }
    }
}
