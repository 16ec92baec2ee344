//! Messages: accepted, committed, delivered.

use std::time::Duration;

use prometheus_client::metrics::{counter::Counter, histogram::Histogram};
use tracing::debug;

use super::{
    Metrics,
    book::{Book, COUNTS, Counters, Histograms, SECONDS, label_set},
};

label_set!(Rejected { reason });
label_set!(Path { path });

pub(super) struct Chat {
    accepted: Counter,
    repeated: Counter,
    rejected: Counters<Rejected>,
    batch: Histogram,
    commit: Histogram,
    delivery: Histograms<Path>,
    recipients: Histogram,
}

impl Chat {
    pub(super) fn new(book: &mut Book) -> Self {
        Self {
            accepted: book.counter("messages_accepted", "Messages committed."),
            repeated: book.counter("messages_repeated", "Sends answered with their original."),
            rejected: book.counters("messages_rejected", "Sends refused, by reason."),
            batch: book.histogram("commit_batch_messages", COUNTS, "Messages per commit."),
            commit: book.histogram("commit_seconds", SECONDS, "Time of a commit."),
            delivery: book.histograms(
                "delivery_seconds",
                SECONDS,
                "From accepting a message to writing it to a socket, local or remote.",
            ),
            recipients: book.histogram("fanout_recipients", COUNTS, "Sockets an event went to."),
        }
    }
}

impl Metrics {
    pub fn message_repeated(&self) {
        self.inner.chat.repeated.inc();
    }

    /// `reason` is a stable code of the table of problems.
    pub fn message_rejected(&self, reason: &'static str) {
        self.inner.chat.rejected.get_or_create(&Rejected { reason }).inc();
        debug!(reason, "message rejected");
    }

    /// One transaction, new messages only.
    pub fn batch_committed(&self, messages: usize, took: Duration) {
        let chat = &self.inner.chat;
        chat.accepted.inc_by(messages as u64);
        chat.batch.observe(messages as f64);
        chat.commit.observe(took.as_secs_f64());
    }

    /// Written to a socket, of the replica that accepted it or of another.
    pub fn delivered(&self, remote: bool, since_accepted: Duration) {
        let path = if remote { "remote" } else { "local" };
        let delivery = self.inner.chat.delivery.get_or_create(&Path { path });
        delivery.observe(since_accepted.as_secs_f64());
    }

    pub fn fanned_out(&self, recipients: usize) {
        self.inner.chat.recipients.observe(recipients as f64);
    }
}
