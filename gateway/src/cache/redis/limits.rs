//! Rate limits that all replicas share. This replica counts for itself as
//! well: whoever is over its own count is refused without asking, and an
//! outage, a restart or a flush of Redis clears nobody's record here.

use std::{sync::LazyLock, time::Duration};

use tokio::time::timeout;

use super::RedisCache;
use crate::{
    cache::limits::{LocalLimits, Rule},
    redis::{Link, Script},
};

/// How long a request that may well go on without the shared count waits for
/// it: much longer than Redis takes, much shorter than one notices that it is
/// gone.
const PATIENCE: Duration = Duration::from_millis(25);

static GCRA: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("gcra.lua")));

#[derive(Clone)]
pub struct RedisLimits {
    local: LocalLimits,
    link: Link,
}

impl RedisLimits {
    pub fn new(local: LocalLimits, cache: &RedisCache) -> Self {
        Self { local, link: cache.link().clone() }
    }

    /// `now`: microseconds since 1970 by this replica's clock.
    pub(in crate::cache) async fn take(
        &self,
        key: &str,
        rule: Rule,
        now: i64,
    ) -> Result<(), Duration> {
        self.local.take(key, rule, now)?;
        let counted = self.count(key, rule, 1).await;
        self.settle(counted, key, rule, now)
    }

    pub(in crate::cache) async fn take_soon(
        &self,
        key: &str,
        rule: Rule,
        now: i64,
    ) -> Result<(), Duration> {
        self.local.take(key, rule, now)?;
        let counted = timeout(PATIENCE, self.count(key, rule, 1)).await;
        self.settle(counted.ok().flatten(), key, rule, now)
    }

    fn settle(
        &self,
        counted: Option<i64>,
        key: &str,
        rule: Rule,
        now: i64,
    ) -> Result<(), Duration> {
        match counted {
            Some(wait @ 1..) => {
                // Refusals cost nothing, here as there.
                self.local.give_back(key, rule, now);
                Err(Duration::from_micros(wait.unsigned_abs()))
            }
            _ => Ok(()),
        }
    }

    pub(in crate::cache) async fn give_back(&self, key: &str, rule: Rule, now: i64) {
        self.local.give_back(key, rule, now);
        self.count(key, rule, -1).await;
    }

    /// Microseconds to wait; null without an answer.
    async fn count(&self, key: &str, rule: Rule, take: i64) -> Option<i64> {
        let arguments = [rule.interval().into(), rule.window().into(), take.into()];
        let keys = [format!("limit:{key}")];
        let counted =
            self.link.ask(|redis| async move { GCRA.run(&redis, &keys, arguments).await });
        counted.await.ok()
    }
}
