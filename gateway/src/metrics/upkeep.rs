//! The replica itself: its build, its dependencies, its end.

use std::time::Duration;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};
use tracing::{info, warn};

use super::{
    Metrics,
    book::{Book, Counters, Gauges, SECONDS, label_set},
    process::Process,
};
use crate::version;

label_set!(Build { version, revision });
label_set!(Dependency { dependency });
label_set!(Kind { kind });
label_set!(Pool { pool });

pub(super) struct Upkeep {
    tasks: Gauge,
    pool_in_use: Gauges<Pool>,
    pool_max: Gauges<Pool>,
    process: Process,
    draining: Gauge,
    dependency: Gauges<Dependency>,
    feed_poll: Histogram,
    accept_errors: Counter,
    panics: Counters<Kind>,
}

impl Upkeep {
    pub(super) fn new(book: &mut Book) -> Self {
        let build: Gauges<Build> = book.gauges("build_info", "Always 1; its labels are the build.");
        let revision = version::REVISION.unwrap_or("unknown");
        build.get_or_create(&Build { version: version::VERSION, revision }).set(1);
        Self {
            tasks: book.gauge("runtime_tasks", "Tasks that live: sockets, requests, upkeep."),
            pool_in_use: book.gauges("store_pool_in_use", "Database connections in use."),
            pool_max: book.gauges("store_pool_max", "Database connections that may be in use."),
            process: Process::new(book),
            draining: book.gauge("draining", "1 while this replica is going away."),
            dependency: book.gauges("dependency_up", "1 while the dependency answers."),
            feed_poll: book.histogram("feed_poll_seconds", SECONDS, "Time of a poll of the feed."),
            accept_errors: book.counter("accept_errors", "Connections that could not be accepted."),
            panics: book.counters("panics", "Panics that were caught, by where."),
        }
    }
}

impl Metrics {
    /// Looked at when somebody asks.
    pub(super) fn look(&self) {
        self.inner.upkeep.process.look();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let tasks = runtime.metrics().num_alive_tasks();
            self.inner.upkeep.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
        }
    }

    pub fn store_pool(&self, pool: &'static str, in_use: u32, max: u32) {
        let upkeep = &self.inner.upkeep;
        upkeep.pool_in_use.get_or_create(&Pool { pool }).set(in_use.into());
        upkeep.pool_max.get_or_create(&Pool { pool }).set(max.into());
    }

    pub fn drain_began(&self) {
        self.inner.upkeep.draining.set(1);
    }

    /// `dependency` is `database` or `redis`. Logged when it changes only.
    pub fn dependency_seen(&self, dependency: &'static str, up: bool) {
        let gauge = self.inner.upkeep.dependency.get_or_create(&Dependency { dependency });
        let before = gauge.set(i64::from(up));
        match (before, up) {
            (0, true) => info!(dependency, "dependency is up"),
            (1, false) => warn!(dependency, "dependency is down"),
            _ => {}
        }
    }

    pub fn feed_polled(&self, took: Duration) {
        self.inner.upkeep.feed_poll.observe(took.as_secs_f64());
    }

    pub fn accept_failed(&self, why: &std::io::Error, retry_in: Duration) {
        self.inner.upkeep.accept_errors.inc();
        warn!(%why, ?retry_in, "a connection could not be accepted");
    }

    /// The panic itself was logged by the hook; this counts it. `kind` is
    /// `request` or `socket`.
    pub fn panicked(&self, kind: &'static str) {
        self.inner.upkeep.panics.get_or_create(&Kind { kind }).inc();
    }
}
