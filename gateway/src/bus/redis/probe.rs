//! *Never look healthy while incomplete*: a connection that answers pings may
//! still deliver nothing. So a replica publishes to itself, and listens.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{RedisBus, channel};
use crate::redis::fred::interfaces::PubsubInterface;

const EVERY: Duration = Duration::from_secs(1);
/// Time for a probe to come back.
const LIMIT: Duration = Duration::from_secs(1);
/// Probes in a row after which a link that answers pings is not believed.
const PATIENCE: u32 = 3;

/// What became of a probe.
#[derive(PartialEq)]
enum Outcome {
    Heard,
    Lost,
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
        for number in 1_u64.. {
            ticks.tick().await;
            let outcome = self.send_probe(number).await;
            let hears = outcome == Outcome::Heard;
            let heard_before = self.inner.hears.swap(hears, Ordering::Relaxed);
            self.inner.metrics.probed(hears);
            if hears != heard_before && ever_heard {
                self.gap(if hears { "it is heard again" } else { "a probe did not come back" });
            }
            ever_heard |= hears;
            (lost, unsent) = match outcome {
                Outcome::Heard => (0, 0),
                Outcome::Lost => (lost + 1, 0),
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
        let link = &self.inner.publisher;
        let clustered = link.clustered();
        let channel = channel::name(self.inner.own, clustered);
        let bytes = Bytes::copy_from_slice(&number.to_be_bytes());
        let published = link.ask(|redis| async move {
            match clustered {
                true => redis.spublish::<(), _, _>(channel, bytes).await,
                false => redis.publish::<(), _, _>(channel, bytes).await,
            }
        });
        if published.await.is_err() {
            return Outcome::NotSent;
        }
        let back = async {
            while self.inner.heard.load(Ordering::Acquire) != number {
                self.inner.probed.notified().await;
            }
        };
        match timeout(LIMIT, back).await {
            Ok(()) => Outcome::Heard,
            Err(_) => Outcome::Lost,
        }
    }

    pub(super) fn heard(&self, number: u64) {
        self.inner.heard.store(number, Ordering::Release);
        self.inner.probed.notify_one();
    }
}
