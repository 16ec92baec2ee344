//! Redis: what is told between replicas, and what is remembered there.

use std::time::Duration;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};
use tracing::{error, warn};

use super::{
    Metrics,
    book::{Book, Counters, SECONDS, label_set},
};

label_set!(Refusal { reason });

pub(super) struct Bus {
    published: Counter,
    dropped: Counter,
    received: Counter,
    received_bytes: Counter,
    refused: Counters<Refusal>,
    lag: Histogram,
    lagged: Counter,
    reconnects: Counter,
    subscriptions: Gauge,
    probes_lost: Counter,
    subscription_up: Gauge,
    unread_checked: Counter,
    unread_mismatches: Counter,
    sweep: Histogram,
}

impl Bus {
    pub(super) fn new(book: &mut Book) -> Self {
        Self {
            published: book.counter("bus_published", "Envelopes published to other replicas."),
            dropped: book
                .counter("bus_dropped", "Envelopes not published; the feed told them instead."),
            received: book.counter("bus_received", "Envelopes of other replicas."),
            received_bytes: book.counter("bus_received_bytes", "Bytes of those envelopes."),
            refused: book.counters("bus_refused", "Messages on a channel that were not believed."),
            lag: book.histogram(
                "bus_lag_seconds",
                SECONDS,
                "From accepting a message on another replica to hearing of it here.",
            ),
            lagged: book.counter("bus_lagged", "Messages lost because too many came at once."),
            reconnects: book
                .counter("bus_reconnects", "Times everything had to be subscribed to anew."),
            subscriptions: book.gauge("bus_subscriptions", "Channels this replica listens to."),
            probes_lost: book.counter("bus_probes_lost", "Probes that did not come back in time."),
            subscription_up: book
                .gauge("bus_subscription_up", "1 while what this replica publishes comes back."),
            unread_checked: book
                .counter("unread_checked", "Cached unread counts compared with the store."),
            unread_mismatches: book.counter(
                "unread_mismatches",
                "Cached unread counts that were wrong; anything but 0 is a defect.",
            ),
            sweep: book.histogram(
                "presence_sweep_seconds",
                SECONDS,
                "Time of looking for presence leases that ran out.",
            ),
        }
    }
}

impl Metrics {
    pub fn published(&self, envelopes: usize) {
        self.inner.bus.published.inc_by(envelopes as u64);
    }

    /// Redis is away, or too slow: the others find out by the feed.
    pub fn publish_dropped(&self, envelopes: usize) {
        self.inner.bus.dropped.inc_by(envelopes as u64);
    }

    pub fn bus_received(&self, bytes: usize) {
        self.inner.bus.received.inc();
        self.inner.bus.received_bytes.inc_by(bytes as u64);
    }

    /// `lag`: since the other replica accepted what it tells of.
    pub fn bus_lag(&self, lag: Duration) {
        self.inner.bus.lag.observe(lag.as_secs_f64());
    }

    /// Somebody publishes what is not ours, or with a key that is not known.
    pub fn bus_refused(&self, reason: &'static str) {
        let refused = self.inner.bus.refused.get_or_create(&Refusal { reason });
        // A flood must not flood the log too.
        if (refused.inc() + 1).is_power_of_two() {
            warn!(reason, "a message on a channel is not believed");
        }
    }

    pub fn bus_lagged(&self, messages: u64) {
        self.inner.bus.lagged.inc_by(messages);
        warn!(messages, "more messages came than were looked at");
    }

    pub fn bus_reconnected(&self) {
        self.inner.bus.reconnects.inc();
    }

    pub fn subscriptions(&self, channels: usize) {
        self.inner.bus.subscriptions.set(i64::try_from(channels).unwrap_or(i64::MAX));
    }

    /// Whether what this replica published to itself came back.
    pub fn probed(&self, heard: bool) {
        self.inner.bus.subscription_up.set(i64::from(heard));
        if !heard {
            self.inner.bus.probes_lost.inc();
        }
    }

    /// A cached unread count was compared with its definition.
    pub fn unread_checked(&self, right: bool) {
        self.inner.bus.unread_checked.inc();
        if !right {
            self.inner.bus.unread_mismatches.inc();
            error!("a cached unread count was wrong");
        }
    }

    pub fn presence_swept(&self, took: Duration) {
        self.inner.bus.sweep.observe(took.as_secs_f64());
    }
}
