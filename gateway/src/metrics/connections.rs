//! Sockets: their lives, what goes over them, what they missed.

use std::time::Duration;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};
use tracing::{debug, error, info};

use super::{
    Metrics,
    book::{Book, Counters, SECONDS, label_set},
};
use crate::hub::Cause;

label_set!(Closed { cause, code });
label_set!(Failure { reason });
label_set!(SentAway { reason });
label_set!(FrameType { r#type });
label_set!(Resumed { result });
label_set!(Filled { source });

pub(super) struct Connections {
    open: Gauge,
    opened: Counter,
    closed: Counters<Closed>,
    sent_away: Counters<SentAway>,
    refused: Counter,
    handshake: Histogram,
    auth_failures: Counters<Failure>,
    frames_in: Counters<FrameType>,
    frames_out: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    outbound_queued: Gauge,
    too_slow: Counter,
    forks: Counter,
    bus_gaps: Counter,
    resumes: Counters<Resumed>,
    resumes_running: Gauge,
    resumes_waiting: Gauge,
    resumes_refused: Counters<Failure>,
    gaps: Counters<Filled>,
    gap_entries: Counters<Filled>,
    log_reads: Counter,
}

impl Connections {
    pub(super) fn new(book: &mut Book) -> Self {
        Self {
            open: book.gauge("connections", "Sockets that are open now."),
            opened: book.counter("connections_opened", "Sockets that were opened."),
            closed: book.counters("connections_closed", "Sockets that ended, by cause and close code."),
            sent_away: book.counters(
                "connections_sent_away",
                "Sockets asked to connect elsewhere: drain, rebalance or age.",
            ),
            refused: book.counter("connections_refused", "Connections turned away at the cap."),
            handshake: book.histogram("handshake_seconds", SECONDS, "From the upgrade to `live`."),
            auth_failures: book.counters("auth_failures", "Credentials refused, by reason."),
            frames_in: book.counters("frames_received", "Frames from clients, by type."),
            frames_out: book.counter("frames_sent", "Frames to clients."),
            bytes_in: book.counter("bytes_received", "Bytes of frames from clients."),
            bytes_out: book.counter("bytes_sent", "Bytes of frames to clients."),
            outbound_queued: book.gauge(
                "outbound_queued_bytes",
                "Bytes of events that wait for their sockets; a sample of the last heartbeat round.",
            ),
            too_slow: book
                .counter("slow_consumer_closes", "Sockets closed because they took nothing."),
            forks: book.counter("forks", "Logs found to be another than the one held here."),
            bus_gaps: book.counter("bus_gaps", "Times the bus may have lost something."),
            resumes: book.counters("resumes", "Cursors that clients came back with, by result."),
            resumes_running: book.gauge("resumes_running", "Resumes under way now."),
            resumes_waiting: book.gauge("resumes_waiting", "Resumes that wait for their turn."),
            resumes_refused: book.counters(
                "resumes_refused",
                "Resumes told to come again: the line was full, or their turn too late.",
            ),
            gaps: book.counters("gaps_filled", "Holes in delivery that were filled, by source."),
            gap_entries: book
                .counters("gap_entries", "Entries that were found, not announced, by source."),
            log_reads: book.counter(
                "log_reads",
                "Statements that read logs for connections that were behind, many at once.",
            ),
        }
    }
}

impl Metrics {
    pub fn connection_opened(&self) {
        let connections = &self.inner.connections;
        connections.open.inc();
        connections.opened.inc();
        debug!("connection opened");
    }

    /// Each socket ends by exactly one cause.
    pub fn connection_closed(&self, cause: Cause) {
        let connections = &self.inner.connections;
        connections.open.dec();
        if cause == Cause::TooSlow {
            connections.too_slow.inc();
        }
        let (cause, code) = (cause.label(), cause.close_code_label());
        connections.closed.get_or_create(&Closed { cause, code }).inc();
        info!(cause, "connection closed");
    }

    /// A client was told to connect elsewhere; its socket ends soon.
    pub fn sent_away(&self, reason: &'static str) {
        self.inner.connections.sent_away.get_or_create(&SentAway { reason }).inc();
        debug!(reason, "connection sent away");
    }

    /// Sockets that are open now.
    pub fn connections(&self) -> i64 {
        self.inner.connections.open.get()
    }

    /// At the cap, before anything was read.
    pub fn connection_refused(&self) {
        self.inner.connections.refused.inc();
        debug!("connection refused at the cap");
    }

    /// From the upgrade to `live`.
    pub fn went_live(&self, took: Duration) {
        self.inner.connections.handshake.observe(took.as_secs_f64());
    }

    /// A login, a token or a ticket that was refused.
    pub fn auth_failed(&self, reason: &'static str) {
        self.inner.connections.auth_failures.get_or_create(&Failure { reason }).inc();
        info!(reason, "authentication failed");
    }

    /// `kind` is a type of the contract, or `unknown`.
    pub fn frame_in(&self, kind: &'static str, bytes: usize) {
        let connections = &self.inner.connections;
        connections.frames_in.get_or_create(&FrameType { r#type: kind }).inc();
        connections.bytes_in.inc_by(bytes as u64);
    }

    /// Not by type: frames go out as bytes that were encoded once.
    pub fn frame_out(&self, bytes: usize) {
        let connections = &self.inner.connections;
        connections.frames_out.inc();
        connections.bytes_out.inc_by(bytes as u64);
    }

    /// Of all sockets together.
    pub fn outbound_queued(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.inner.connections.outbound_queued.set(bytes);
    }

    /// The log here was not the one held here: everybody in it is reset.
    pub fn fork(&self) {
        self.inner.connections.forks.inc();
        error!("a log was found to be another than the one held here");
    }

    /// The bus may have lost something: the feed is asked at once.
    pub fn bus_gap(&self) {
        self.inner.connections.bus_gaps.inc();
    }

    /// One cursor of a `hello`: `replayed`, `up_to_date`, or a reset's reason.
    pub fn resumed(&self, result: &'static str) {
        self.inner.connections.resumes.get_or_create(&Resumed { result }).inc();
    }

    pub fn resume_began(&self) {
        self.inner.connections.resumes_running.inc();
    }

    pub fn resume_ended(&self) {
        self.inner.connections.resumes_running.dec();
    }

    pub fn resumes_waiting(&self, waiting: usize) {
        self.inner.connections.resumes_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Whose turn would come too late, or who found no place to wait.
    pub fn resume_refused(&self, reason: &'static str) {
        self.inner.connections.resumes_refused.get_or_create(&Failure { reason }).inc();
        debug!(reason, "a resume was told to come again");
    }

    /// One statement, for as many ranges of logs.
    pub fn log_read(&self, ranges: usize) {
        self.inner.connections.log_reads.inc();
        debug!(ranges, "logs read");
    }

    /// What should have come by itself was fetched: from the `ring` or the `store`.
    pub fn gap_filled(&self, source: &'static str, entries: usize) {
        let connections = &self.inner.connections;
        connections.gaps.get_or_create(&Filled { source }).inc();
        connections.gap_entries.get_or_create(&Filled { source }).inc_by(entries as u64);
        debug!(source, entries, "gap filled");
    }
}
