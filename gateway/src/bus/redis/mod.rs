//! The bus over Redis' channels: `conv:{id}` and `user:{id}`, one publishing
//! and one subscribing client per replica, whatever the number of devices.
//!
//! *A bus that is not sure to have heard everything says so*: a lagging
//! reader, a new connection, a probe that does not come back, are a
//! [`Gap`](super::Arrival::Gap).

mod channel;
mod held;
mod probe;
mod publisher;
mod receiver;
mod subscriber;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Arrivals, Inbox, SealKeys};
use crate::{
    budget::Budget,
    metrics::Metrics,
    model::{Envelope, Topic, UserId},
    redis::{BadUrl, Link},
    shutdown::Shutdown,
};
use held::Held;
use publisher::Outgoing;

/// How long a connecting device waits for its subscriptions; then it lives by
/// the feed until they are there.
const SUBSCRIBE_WAIT: Duration = Duration::from_secs(1);
/// How long somebody waits to know that something was published.
const PUBLISH_WAIT: Duration = Duration::from_secs(1);
/// Envelopes waiting to be published; more are dropped, and found by the feed.
const OUTBOX: usize = 16_384;
/// What they weigh, in bytes; likewise.
const OUTBOX_BYTES: usize = 32 * 1024 * 1024;

/// One replica's end; cheap to clone.
#[derive(Clone)]
pub struct RedisBus {
    inner: Arc<Inner>,
}

struct Inner {
    publisher: Link,
    subscriber: Link,
    keys: Arc<dyn SealKeys>,
    metrics: Metrics,
    /// Marks this replica's envelopes.
    origin: u64,
    /// A channel of our own, to hear ourselves on.
    own: Topic,
    /// One that every replica listens to, so that who hears nothing can tell
    /// whether others would.
    common: Topic,
    inbox: Inbox,
    held: Mutex<Held>,
    /// Wakes the subscriber for what was asked of `held`.
    asked: Notify,
    outbox: mpsc::Sender<Outgoing>,
    outbox_room: Budget,
    /// Until somebody takes it to publish from.
    to_publish: Mutex<Option<mpsc::Receiver<Outgoing>>>,
    /// Whether what was published last came back.
    hears: AtomicBool,
    /// Whether it has not for long, while others would.
    deaf: AtomicBool,
    heard: AtomicU64,
    probed: Notify,
}

impl RedisBus {
    /// Connects to nothing yet: [`start`](Self::start) does.
    pub fn open(
        url: &str,
        origin: u64,
        keys: Arc<dyn SealKeys>,
        metrics: Metrics,
    ) -> Result<(Self, Arrivals), BadUrl> {
        let (inbox, arrivals) = Inbox::new();
        let (outbox, to_publish) = mpsc::channel(OUTBOX);
        // Ids that no user has.
        let (own, common) = (Topic::User(UserId::new()), Topic::User(UserId(Uuid::nil())));
        let inner = Inner {
            publisher: Link::new("publisher", url)?,
            subscriber: Link::listening("subscriber", url)?,
            keys,
            metrics,
            origin,
            own,
            common,
            inbox,
            held: Mutex::new(Held::holding(&[own, common])),
            asked: Notify::new(),
            outbox,
            outbox_room: Budget::new(OUTBOX_BYTES),
            to_publish: Mutex::new(Some(to_publish)),
            hears: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            probed: Notify::new(),
        };
        Ok((Self { inner: Arc::new(inner) }, arrivals))
    }

    /// Starts what keeps it going, until the kill.
    pub fn start(&self, shutdown: &Shutdown) {
        let kill = || shutdown.kill_token();
        let bus = || self.clone();
        shutdown.supervise("redis publisher", self.inner.publisher.clone().follow(kill()));
        shutdown.supervise("redis subscriber", self.inner.subscriber.clone().follow(kill()));
        shutdown.supervise("bus subscriptions", until(kill(), bus().keep_subscribed()));
        shutdown.supervise("bus receiver", until(kill(), bus().receive()));
        shutdown.supervise("bus probe", until(kill(), bus().probe()));
        if let Some(envelopes) = self.inner.to_publish.lock().take() {
            shutdown.supervise("bus publisher", until(kill(), bus().publish_all(envelopes)));
        }
    }

    /// Returns once everything published from now on will arrive; at once where
    /// Redis is away, since then nothing would.
    pub(super) async fn subscribe(&self, topics: &[Topic]) {
        let waiting = self.inner.held.lock().want(topics);
        let Some(confirmed) = waiting else { return };
        self.inner.asked.notify_one();
        if self.inner.subscriber.is_up() {
            // Whatever was not confirmed in time is confirmed later, or the
            // link goes down; the feed goes on either way.
            let _: Result<Result<(), oneshot::error::RecvError>, _> =
                timeout(SUBSCRIBE_WAIT, confirmed).await;
        }
    }

    /// They linger for a while: who reconnects finds them still there.
    pub(super) fn unsubscribe(&self, topics: &[Topic]) {
        self.inner.held.lock().release(topics, Instant::now());
    }

    pub(super) fn publish(&self, envelopes: Vec<Envelope>) {
        self.hand_over(envelopes);
    }

    pub(super) async fn publish_surely(&self, envelopes: Vec<Envelope>) -> bool {
        let (done, published) = oneshot::channel();
        if !self.hand_over(envelopes) || self.inner.outbox.try_send(Outgoing::Marker(done)).is_err()
        {
            return false;
        }
        // Dropped unanswered, something was not published.
        matches!(timeout(PUBLISH_WAIT, published).await, Ok(Ok(())))
    }

    /// Whether there was room for all of them.
    fn hand_over(&self, envelopes: Vec<Envelope>) -> bool {
        let count = envelopes.len();
        let Inner { outbox, outbox_room: room, .. } = &*self.inner;
        let fits = |envelope: Envelope| {
            let weight = envelope.weight();
            let taken = room.take(weight);
            let fits = taken && outbox.try_send(Outgoing::Envelope(envelope)).is_ok();
            if taken && !fits {
                room.give(weight);
            }
            fits
        };
        let taken =
            envelopes.into_iter().filter_map(|envelope| fits(envelope).then_some(())).count();
        if taken < count {
            self.inner.metrics.publish_dropped(count - taken);
        }
        taken == count
    }

    /// Whether what is published is heard.
    pub(super) fn is_up(&self) -> bool {
        self.inner.hears.load(Ordering::Relaxed)
    }

    pub(super) fn is_deaf(&self) -> bool {
        self.inner.deaf.load(Ordering::Relaxed)
    }

    fn gap(&self, why: &'static str) {
        tracing::warn!(why, "the bus may have missed something; asking the store");
        self.inner.inbox.gap();
    }
}

/// Runs what never ends by itself until `stop`.
async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
