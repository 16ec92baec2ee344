//! The one task that tells Redis which channels this replica listens to. It
//! sends what was asked for while its last command was under way: an idle
//! replica subscribes at once, a busy one by hundreds.

use std::time::Duration;

use tokio::time::{Instant, interval, sleep_until};

use super::{RedisBus, channel};
use crate::{
    model::Topic,
    redis::{
        Unavailable,
        fred::{interfaces::PubsubInterface, prelude::*},
    },
};

/// Names in one command: more would hold Redis up for everyone.
const NAMES: usize = 512;
/// How often the shape of a cluster is looked at: a slot that has moved takes
/// its subscriptions along to nobody, and says so to nobody.
const LOOK_AT_CLUSTER: Duration = Duration::from_secs(2);
/// Channels that are held for the replica's own sake.
const OUR_OWN: usize = 2;
/// Pause after Redis did not answer.
const RETRY: Duration = Duration::from_millis(250);

impl RedisBus {
    pub(super) async fn keep_subscribed(self) {
        let link = &self.inner.subscriber;
        let mut reconnects = link.client().reconnect_rx();
        let mut cluster = interval(LOOK_AT_CLUSTER);
        let mut slots = None;
        let mut retry_at = None;
        // Why something may have been missed; told once it cannot be any more.
        let mut owed = None;
        loop {
            let idle = Instant::now() + Duration::from_secs(60);
            let expiry = self.inner.held.lock().next_expiry();
            // What has expired is looked at by every retry too.
            let next = retry_at.or(expiry).unwrap_or(idle);
            tokio::select! {
                () = self.inner.asked.notified(), if retry_at.is_none() => {}
                // Lagged: there were several; one is as good.
                _ = reconnects.recv() => {
                    owed = self.start_over("a new connection to Redis").or(owed);
                }
                () = sleep_until(next) => {}
                _ = cluster.tick(), if link.clustered() => {
                    let seen = self.slots().await;
                    if seen.is_some() && slots.is_some() && seen != slots {
                        // Its own look at the cluster may be older than ours.
                        let _ = link.ask(|redis| async move { redis.sync_cluster().await }).await;
                        owed = self.start_over("the cluster has changed").or(owed);
                    }
                    slots = seen.or(slots);
                }
            }
            retry_at = match self.catch_up().await {
                Ok(()) => {
                    if let Some(why) = owed.take() {
                        self.gap(why);
                    }
                    None
                }
                Err(Unavailable) => {
                    // Whoever asked goes on without; all but our own channels
                    // are somebody's.
                    if self.inner.held.lock().len() > OUR_OWN {
                        owed = owed.or(Some("subscriptions came late"));
                    }
                    Some(Instant::now() + RETRY)
                }
            };
            self.inner.metrics.subscriptions(self.inner.held.lock().len());
        }
    }

    /// Why something may have been missed, if anything was listened to before.
    fn start_over(&self, why: &'static str) -> Option<&'static str> {
        let listened = self.inner.held.lock().start_over();
        listened.then(|| {
            self.inner.metrics.bus_reconnected();
            why
        })
    }

    /// Gives up what has lingered long enough, subscribes to all that is due.
    async fn catch_up(&self) -> Result<(), Unavailable> {
        loop {
            let expired = self.inner.held.lock().next_expired(NAMES, Instant::now());
            if expired.is_empty() {
                break;
            }
            // Should it fail, the connection is on its way out, and with it
            // everything it listens to.
            let _ = self.give_up(&expired).await;
        }
        loop {
            let due = self.inner.held.lock().next_due(NAMES);
            if due.is_empty() {
                return Ok(());
            }
            if let Err(unavailable) = self.listen_to(&due).await {
                self.inner.held.lock().failed(due);
                return Err(unavailable);
            }
            self.inner.held.lock().confirm(&due);
        }
    }

    /// Returns once Redis listens for us.
    async fn listen_to(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        let link = &self.inner.subscriber;
        let names = self.names(topics);
        if link.clustered() {
            // A command each: the channels of one must share a slot, and only
            // a lone one is followed when its slot has moved.
            for name in names {
                link.ask(|redis| async move { redis.ssubscribe(name).await }).await?;
            }
            return Ok(());
        }
        link.ask(|redis| async move { redis.subscribe(names).await }).await?;
        // The library does not wait for what SUBSCRIBE answers; what is answered
        // on the same connection after it, it does.
        link.ask(|redis| async move { redis.ping::<()>(None).await }).await
    }

    async fn give_up(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        let link = &self.inner.subscriber;
        let names = self.names(topics);
        if link.clustered() {
            for name in names {
                link.ask(|redis| async move { redis.sunsubscribe(name).await }).await?;
            }
            return Ok(());
        }
        link.ask(|redis| async move { redis.unsubscribe(names).await }).await
    }

    fn names(&self, topics: &[Topic]) -> Vec<String> {
        let clustered = self.inner.subscriber.clustered();
        topics.iter().map(|topic| channel::name(*topic, clustered)).collect()
    }

    /// Which node holds which slots, to be compared; none without an answer.
    async fn slots(&self) -> Option<Value> {
        let asked =
            self.inner.publisher.ask(|redis| async move { redis.cluster_slots::<Value>().await });
        asked.await.ok()
    }
}
