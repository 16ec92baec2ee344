//! *Never look healthy while incomplete*: a connection that answers pings may
//! still deliver nothing. So a replica publishes to itself, and listens.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{RedisBus, channel};
use crate::{
    model::Topic,
    redis::{Unavailable, fred::interfaces::PubsubInterface},
};

const EVERY: Duration = Duration::from_secs(1);
/// Time for a probe to come back.
const LIMIT: Duration = Duration::from_secs(1);
/// Probes in a row after which a link that answers pings is not believed.
const PATIENCE: u32 = 3;
/// Nothing heard for this long, in spite of new connections, is no hiccup.
const DEAF_AFTER: Duration = Duration::from_secs(10);

/// What became of a probe.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Heard,
    /// Redis took it; for so many listeners, of whom there should be one.
    Lost(u64),
    NotSent,
}

/// The number of a probe.
pub(super) fn number(bytes: &Bytes) -> u64 {
    bytes[..].try_into().map(u64::from_be_bytes).unwrap_or_default()
}

impl RedisBus {
    pub(super) async fn probe(self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut lost, mut unsent, mut ever_heard) = (0, 0, false);
        let mut deaf_since = None;
        for number in 1_u64.. {
            ticks.tick().await;
            let outcome = self.send_probe(number).await;
            let hears = outcome == Outcome::Heard;
            let heard_before = self.inner.hears.swap(hears, Ordering::Relaxed);
            self.inner.metrics.probed(hears);
            self.inner.metrics.dependency_seen("redis", self.inner.publisher.is_up());
            self.judge(outcome, &mut deaf_since).await;
            if hears != heard_before && ever_heard {
                self.gap(if hears { "it is heard again" } else { "a probe did not come back" });
            }
            ever_heard |= hears;
            (lost, unsent) = match outcome {
                Outcome::Heard => (0, 0),
                Outcome::Lost(_) => (lost + 1, 0),
                Outcome::NotSent => (0, unsent + 1),
            };
            // The one to blame alone: the other may be in use.
            if lost >= PATIENCE && self.inner.subscriber.is_up() {
                tracing::warn!("the subscriber hears nothing; connecting anew");
                self.inner.subscriber.reconnect().await;
                lost = 0;
            }
            if unsent >= PATIENCE && self.inner.publisher.is_up() {
                tracing::warn!("nothing can be published; connecting anew");
                self.inner.publisher.reconnect().await;
                unsent = 0;
            }
        }
    }

    /// Publishes a number, and waits for it to come back.
    async fn send_probe(&self, number: u64) -> Outcome {
        let bytes = Bytes::copy_from_slice(&number.to_be_bytes());
        let Ok(listeners) = self.publish_bytes(self.inner.own, bytes).await else {
            return Outcome::NotSent;
        };
        let back = async {
            while self.inner.heard.load(Ordering::Acquire) != number {
                self.inner.probed.notified().await;
            }
        };
        match timeout(LIMIT, back).await {
            Ok(()) => Outcome::Heard,
            Err(_) => Outcome::Lost(listeners),
        }
    }

    /// How many Redis gave it to.
    async fn publish_bytes(&self, topic: Topic, bytes: Bytes) -> Result<u64, Unavailable> {
        let link = &self.inner.publisher;
        let clustered = link.clustered();
        let channel = channel::name(topic, clustered);
        link.ask(|redis| async move {
            match clustered {
                true => redis.spublish(channel, bytes).await,
                false => redis.publish(channel, bytes).await,
            }
        })
        .await
    }

    /// Deaf is who hears nothing for long although Redis takes what he says,
    /// and has others who listen: then it is neither Redis nor a rule of its
    /// that concerns everybody. Whoever of ours listens on one of the two
    /// channels does so on both.
    async fn judge(&self, outcome: Outcome, since: &mut Option<Instant>) {
        let Outcome::Lost(of_ours) = outcome else {
            *since = None;
            return self.inner.deaf.store(false, Ordering::Relaxed);
        };
        if since.get_or_insert_with(Instant::now).elapsed() < DEAF_AFTER {
            return;
        }
        let listening = self.publish_bytes(self.inner.common, Bytes::new()).await;
        let deaf = listening.is_ok_and(|listening| listening > of_ours);
        self.inner.deaf.store(deaf, Ordering::Relaxed);
    }

    pub(super) fn heard(&self, number: u64) {
        self.inner.heard.store(number, Ordering::Release);
        self.inner.probed.notify_one();
    }
}
