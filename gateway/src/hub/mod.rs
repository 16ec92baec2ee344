//! Who listens here, and to what. One hub per replica: events come in once,
//! from a commit on this replica, from the bus or from the store, and go to
//! every local connection they concern.
//!
//! *Events of a conversation reach a mailbox in `seq` order without holes, or
//! not at all.* What is missing is read from the store, once, whoever asks.

mod cause;
mod channel;
mod departure;
mod fault;
mod feed;
mod mailbox;
mod pull;
mod registry;
mod ring;
mod wheel;

pub use cause::Cause;
pub use departure::{Away, Busy, DepartureSettings};
pub use mailbox::{ConnectionId, Item, Leave, Mailbox, Taken};
pub use pull::{PULLS, Pull, Pulled};
pub use registry::{Joined, Registered, Watched};

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::{
    budget::Budget,
    bus::{Arrival, Arrivals, Bus},
    clock::Clock,
    metrics::Metrics,
    model::*,
    shutdown::Shutdown,
    store::Store,
    telemetry::traces,
};
use channel::Channel;
use departure::Departures;
use fault::Reach;
use registry::Registry;
use ring::Offer;

/// Entries read at once when something is missing.
const FILL_ENTRIES: i64 = 500;
/// Of entries read from the store: most likely another replica's.
const UNKNOWN_ORIGIN: u64 = 0;
/// How long what is missing may still come by itself.
const FILL_PATIENCE: Duration = Duration::from_millis(10);
/// Pause after the store could not be read.
const FILL_RETRY: Duration = Duration::from_millis(500);

/// Handle to the hub; cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    departures: Departures,
    reach: Reach,
    store: Store,
    bus: Bus,
    clock: Clock,
    metrics: Metrics,
    shutdown: Shutdown,
    /// Marks this replica's own envelopes.
    origin: u64,
    /// Asks the feed to look now rather than at its next turn.
    look_now: Notify,
    /// What the rings of all conversations may take.
    rings: Arc<Budget>,
    /// Reads of the store for connections that are behind.
    reads: pull::Reads,
}

/// A mark that no other replica has, for its envelopes.
pub fn new_origin() -> u64 {
    uuid::Uuid::now_v7().as_u64_pair().1
}

impl Hub {
    /// `origin` marks this replica's envelopes.
    pub fn new(
        store: Store,
        bus: Bus,
        origin: u64,
        clock: Clock,
        metrics: Metrics,
        shutdown: Shutdown,
        departures: DepartureSettings,
    ) -> Self {
        let (registry, look_now) = (Registry::default(), Notify::new());
        let departures = Departures::new(departures);
        let reach = Reach::default();
        let rings = Arc::new(Budget::new(ring::RINGS_BYTES));
        let reads = pull::reads(&store, &metrics, &shutdown);
        let inner = Inner {
            registry,
            departures,
            reach,
            store,
            bus,
            clock,
            metrics,
            shutdown,
            origin,
            look_now,
            rings,
            reads,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Tells local connections first, then the other replicas. Never waits.
    pub fn announce(&self, accepted_at: Timestamp, events: Vec<(Topic, Event)>) {
        let untraced = |(topic, event)| (topic, event, Span::none());
        self.announce_traced(accepted_at, events.into_iter().map(untraced));
    }

    /// [`announce`](Self::announce), each event in the trace of its
    /// `message.send`.
    pub fn announce_traced(
        &self,
        accepted_at: Timestamp,
        events: impl IntoIterator<Item = (Topic, Event, Span)>,
    ) {
        let origin = self.inner.origin;
        let mut publishing = traces::Publishing::default();
        let envelopes: Vec<_> = events
            .into_iter()
            .map(|(topic, event, send)| {
                let trace = publishing.begin(topic, &send);
                Envelope { topic, origin, accepted_at, trace, event }
            })
            .collect();
        for envelope in &envelopes {
            self.deliver(envelope);
        }
        self.inner.bus.publish(envelopes);
    }

    /// Tells signals now; whether the other replicas have heard them. For what
    /// nobody will tell again by himself.
    pub async fn signal_surely(&self, signals: Vec<(Topic, Signal)>) -> bool {
        let (origin, accepted_at) = (self.inner.origin, self.inner.clock.now());
        let envelope = |(topic, signal)| {
            let event = Event::Signal(Arc::new(signal));
            Envelope { topic, origin, accepted_at, trace: None, event }
        };
        let envelopes: Vec<_> = signals.into_iter().map(envelope).collect();
        for envelope in &envelopes {
            self.deliver(envelope);
        }
        self.inner.bus.publish_surely(envelopes).await
    }

    /// Waits until what was announced is on its way to the other replicas.
    pub async fn flush(&self) {
        self.inner.bus.flush().await;
    }

    /// [`announce`](Self::announce) for one signal, now.
    pub fn signal(&self, topic: Topic, signal: Signal) {
        let event = Event::Signal(Arc::new(signal));
        self.announce(self.inner.clock.now(), vec![(topic, event)]);
    }

    /// Takes in what the other replicas tell, until `stop`.
    pub async fn listen(self, mut arrivals: Arrivals, stop: CancellationToken) {
        loop {
            let arrival = tokio::select! {
                () = stop.cancelled() => return,
                arrival = arrivals.recv() => arrival,
            };
            match arrival {
                Some(Arrival::Envelope(envelope)) if envelope.origin == self.inner.origin => {}
                Some(Arrival::Envelope(envelope)) => {
                    let lag = self.inner.clock.now().since(envelope.accepted_at);
                    self.inner.metrics.bus_lag(lag);
                    if matches!(envelope.event, Event::Entry(_)) {
                        self.inner.reach.heard();
                    }
                    let process = traces::process(&envelope);
                    let recipients = process.in_scope(|| self.deliver(&envelope));
                    traces::processed(&process, recipients);
                }
                Some(Arrival::Hint) => self.inner.look_now.notify_one(),
                Some(Arrival::Gap) => self.close_gap().await,
                None => return,
            }
        }
    }

    /// To how many connections here it went, if it is an entry of a log.
    fn deliver(&self, envelope: &Envelope) -> usize {
        let mut recipients = 0;
        match envelope.topic {
            Topic::User(user) => self.inner.registry.tell_user(user, envelope),
            Topic::Conversation(id) => {
                let Some(channel) = self.inner.registry.channel(id) else { return 0 };
                match &envelope.event {
                    Event::Signal(signal) => channel.tell_others(signal, envelope),
                    Event::Entry(_) => {
                        let (offer, fill) = channel.offer(envelope);
                        if offer == Offer::Extends {
                            recipients = channel.listening();
                            self.inner.metrics.fanned_out(recipients);
                        }
                        if fill {
                            self.fill(channel);
                        }
                    }
                }
            }
        }
        recipients
    }

    /// Reads what is missing above the head, for the one who was told to: one
    /// reader per conversation at a time. Goes on trying for as long as somebody
    /// listens.
    fn fill(&self, channel: Arc<Channel>) {
        let hub = self.clone();
        self.inner.shutdown.spawn(async move {
            // Two replicas that write at the same time are heard in any order:
            // most of what is missing is on its way.
            if hub.inner.bus.is_up() {
                tokio::time::sleep(FILL_PATIENCE).await;
            }
            loop {
                if !channel.lacks() && !channel.end_filling(false) {
                    return;
                }
                match hub.fill_once(&channel).await {
                    Fill::Failed if channel.listening() == 0 => return channel.stop_filling(),
                    Fill::Failed => tokio::time::sleep(FILL_RETRY).await,
                    outcome if channel.end_filling(outcome == Fill::More) => {}
                    _ => return,
                }
            }
        });
    }

    async fn fill_once(&self, channel: &Channel) -> Fill {
        use crate::store::LogRange;
        let Some((seq, event_id)) = channel.head() else { return Fill::Done };
        let position = Cursor { seq, event_id: Some(event_id) };
        match self.inner.store.log_range(channel.id, position, None, FILL_ENTRIES).await {
            Ok(LogRange::Entries { entries, head }) => {
                self.inner.metrics.gap_filled("store", entries.len());
                for entry in entries {
                    let accepted_at = entry.message.created_at;
                    channel.found(&found(accepted_at, Entry::encode(entry)));
                }
                match channel.head() {
                    Some((reached, _)) if reached < head.seq => Fill::More,
                    _ => Fill::Done,
                }
            }
            Ok(LogRange::Fork { head }) => {
                tracing::warn!(conversation = %channel.id, "the log forked; resetting its devices");
                self.inner.metrics.fork();
                channel.restart(head.seq, head.event_id);
                Fill::Done
            }
            Ok(LogRange::Gone { .. }) => {
                channel.all_behind();
                Fill::Done
            }
            Err(error) => {
                tracing::warn!(conversation = %channel.id, %error, "missing entries not read yet");
                Fill::Failed
            }
        }
    }
}

/// An entry that was found in the store.
fn found(accepted_at: Timestamp, entry: Arc<Entry>) -> Envelope {
    let topic = Topic::Conversation(entry.conversation_id);
    let event = Event::Entry(entry);
    Envelope { topic, origin: UNKNOWN_ORIGIN, accepted_at, trace: None, event }
}

#[derive(PartialEq, Eq)]
enum Fill {
    Done,
    /// The store has more than was read.
    More,
    Failed,
}
