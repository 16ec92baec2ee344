//! The feed makes loss impossible: once a second this replica learns from the
//! store itself what has changed, whether or not anybody rang. Every fault of
//! delivery is thereby "the doorbell did not ring", and heals here.

use std::{collections::HashSet, time::Duration};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::{
    model::{ConversationId, Topic},
    planted::{self, Bug},
    store::{FeedPosition, PoolUsage},
};

/// Conversations compared in one query.
const COMPARED_AT_ONCE: usize = 500;
/// Doorbells older than this were heard by every replica that lives.
const KEEP_DOORBELLS: Duration = Duration::from_secs(10 * 60);
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// Polls that somebody asks for come no faster than this.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

impl Hub {
    /// Polls until `stop`. A failed poll loses nothing: the position stays.
    pub async fn follow_feed(self, interval: Duration, stop: CancellationToken) {
        let mut pruned = Instant::now();
        let mut position = None;
        let mut failing = false;
        // The first poll comes at once: from there on nothing can be missed.
        let mut begun = Instant::now() - interval;
        loop {
            let (soonest, latest) = (begun + LOOK_PAUSE, begun + self.pace(interval));
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(latest) => {}
                () = async {
                    self.inner.look_now.notified().await;
                    sleep_until(soonest).await;
                } => {}
            }
            begun = Instant::now();
            let polled = self.poll(position.as_ref()).await;
            let metrics = &self.inner.metrics;
            metrics.dependency_seen("database", polled.is_ok());
            self.inner.reach.polled(polled.is_ok());
            for PoolUsage { pool, open, idle, max } in self.inner.store.usage() {
                metrics.store_pool(pool, open.saturating_sub(idle), max);
            }
            match polled {
                Ok(next) => {
                    metrics.feed_polled(begun.elapsed());
                    position = Some(next);
                    if std::mem::take(&mut failing) {
                        tracing::info!("the feed is being followed again");
                    }
                }
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "the feed cannot be followed; delivery may be late");
                }
                Err(_) => {}
            }
            if pruned.elapsed() >= PRUNE_EVERY {
                pruned = Instant::now();
                self.trim_rings();
                if let Err(error) = self.inner.store.prune_feed(KEEP_DOORBELLS).await {
                    tracing::warn!(%error, "old doorbells not pruned");
                }
            }
        }
    }

    /// Twice as often where nobody rings: without Redis the feed is all that
    /// other replicas are heard by.
    fn pace(&self, interval: Duration) -> Duration {
        match self.inner.store.is_postgres() && !self.inner.bus.is_up() {
            true => interval / 2,
            false => interval,
        }
    }

    /// Where rings take much, the quiet conversations' make room for the others'.
    fn trim_rings(&self) {
        if self.inner.rings.used() > 0.5 {
            let held = self.inner.registry.held_conversations().into_iter();
            held.filter_map(|id| self.inner.registry.channel(id)).for_each(|c| c.trim());
        }
    }

    async fn poll(&self, from: Option<&FeedPosition>) -> crate::store::Result<FeedPosition> {
        let page = self.inner.store.poll_feed(from).await?;
        if planted::has(Bug::DroppedEnvelopes) || planted::has(Bug::DiesOnLagged) {
            return Ok(page.next);
        }
        match page.topics {
            Some(mut topics) => {
                // What has been told was rung for, and is among these; unless
                // the log had lost it by then, which no doorbell tells.
                let moved = self.inner.registry.moved_conversations();
                topics.extend(moved.into_iter().map(Topic::Conversation));
                self.compare(topics).await?;
            }
            None => self.compare_all().await?,
        }
        Ok(page.next)
    }

    /// The bus may have lost something. Of what is written the feed knows all,
    /// so it looks at once; of presence it knows nothing.
    pub(super) async fn close_gap(&self) {
        self.inner.metrics.bus_gap();
        if self.inner.store.is_postgres() {
            self.inner.look_now.notify_one();
        } else if let Err(error) = self.compare_all().await {
            tracing::warn!(%error, "comparison after a gap failed; the feed goes on");
        }
        self.refresh_presence();
    }

    async fn compare_all(&self) -> crate::store::Result<()> {
        let held = self.inner.registry.held_conversations().into_iter();
        self.compare(held.map(Topic::Conversation).collect()).await?;
        self.look_at_accounts();
        Ok(())
    }

    async fn compare(&self, topics: Vec<Topic>) -> crate::store::Result<()> {
        let registry = &self.inner.registry;
        let mut held: HashSet<ConversationId> = HashSet::new();
        for topic in topics {
            match topic {
                Topic::User(user) => registry.user_changed(user),
                Topic::Conversation(id) if registry.channel(id).is_some() => {
                    held.insert(id);
                }
                Topic::Conversation(_) => {}
            }
        }
        let held: Vec<_> = held.into_iter().collect();
        for ids in held.chunks(COMPARED_AT_ONCE) {
            for head in self.inner.store.heads(ids).await? {
                let Some(channel) = registry.channel(head.conversation_id) else { continue };
                if channel.compare(head.seq, head.event_id) {
                    self.fill(channel);
                }
            }
        }
        Ok(())
    }
}
