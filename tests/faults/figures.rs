//! The figures of a run: measured while it runs, printed at its end.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// What kind of time it is, for figures that are told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// No fault for a while.
    Fair,
    /// Redis is killed or frozen, and nothing else is wrong.
    NoRedis,
    Foul,
}

const WEATHERS: usize = 3;
const BUCKETS: usize = 160;

/// Milliseconds in buckets that grow by an eighth: enough for percentiles.
#[derive(Debug)]
struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Histogram {
    /// From 0.1 ms on.
    fn bound(bucket: usize) -> f64 {
        0.1 * 1.125_f64.powi(i32::try_from(bucket).unwrap())
    }

    fn add(&self, took: Duration) {
        let ms = took.as_secs_f64() * 1e3;
        let bucket = ((ms.max(0.1) / 0.1).ln() / 1.125_f64.ln()).ceil() as usize;
        self.0[bucket.min(BUCKETS - 1)].fetch_add(1, Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    /// In milliseconds.
    fn percentile(&self, share: f64) -> f64 {
        let (mut left, mut last) = ((self.count() as f64 * share) as u64, 0);
        for (n, bucket) in self.0.iter().enumerate() {
            let here = bucket.load(Relaxed);
            if here > 0 {
                last = n;
            }
            if here > left {
                break;
            }
            left -= here;
        }
        Self::bound(last)
    }
}

#[derive(Debug, Default)]
pub struct Latencies {
    weather: AtomicUsize,
    /// Since when.
    since: Mutex<Option<Instant>>,
    acks: [Histogram; WEATHERS],
    deliveries: [Histogram; WEATHERS],
}

impl Latencies {
    pub fn weather(&self, now: Weather) {
        self.weather.store(now as usize, Relaxed);
        *self.since.lock() = Some(Instant::now());
    }

    /// From the first attempt to the ack, where one attempt was enough.
    pub fn acked(&self, begun: Instant) {
        self.add(&self.acks, begun);
    }

    /// From the intended send to a device that was live all the time.
    pub fn delivered(&self, begun: Instant) {
        self.add(&self.deliveries, begun);
    }

    /// What began in other weather is of neither.
    fn add(&self, to: &[Histogram; WEATHERS], begun: Instant) {
        if self.since.lock().is_none_or(|since| since <= begun) {
            to[self.weather.load(Relaxed)].add(begun.elapsed());
        }
    }

    /// p99 in milliseconds: acks and deliveries, none with too few to tell.
    pub fn p99(&self, weather: Weather) -> Option<(f64, f64)> {
        let (acks, deliveries) = (&self.acks[weather as usize], &self.deliveries[weather as usize]);
        let enough = acks.count() >= 200 && deliveries.count() >= 200;
        enough.then(|| (acks.percentile(0.99), deliveries.percentile(0.99)))
    }

    fn row(&self, weather: Weather) -> String {
        let (acks, deliveries) = (&self.acks[weather as usize], &self.deliveries[weather as usize]);
        format!(
            "ack p50 {:.1} p99 {:.1} ms of {}; delivery p50 {:.1} p99 {:.1} ms of {}",
            acks.percentile(0.5),
            acks.percentile(0.99),
            acks.count(),
            deliveries.percentile(0.5),
            deliveries.percentile(0.99),
            deliveries.count()
        )
    }
}

/// One fault: what it was, and how long it took to be well again.
#[derive(Clone, Debug)]
pub struct Injected {
    pub name: String,
    /// While the fault lasted, where it must not matter for long.
    pub during: Option<Duration>,
    /// After it had ended.
    pub after: Option<Duration>,
}

#[derive(Debug, Default)]
pub struct Figures {
    pub faults: Mutex<Vec<Injected>>,
    /// The largest resident set of a gateway, in KiB.
    pub peak_rss: AtomicU64,
    /// Times a user's devices were all gone and somebody saw them online, the
    /// longest, in milliseconds.
    pub false_online: AtomicU64,
    pub false_offline: AtomicU64,
    /// Entries that were handed to devices, and that came out of the store
    /// because no doorbell had rung.
    pub delivered: AtomicU64,
    pub found: AtomicU64,
}

impl Figures {
    pub fn injected(&self) -> usize {
        self.faults.lock().len()
    }

    /// By kind: how often, and the median and the longest time to heal.
    fn by_fault(&self) -> Vec<(String, usize, [Option<Duration>; 4])> {
        let faults = self.faults.lock();
        let mut names: Vec<_> = faults.iter().map(|fault| fault.name.clone()).collect();
        names.sort();
        names.dedup();
        let times = |name: &str, of: fn(&Injected) -> Option<Duration>| {
            let mut times: Vec<_> =
                faults.iter().filter(|fault| fault.name == name).filter_map(of).collect();
            times.sort();
            (times.get(times.len() / 2).copied(), times.last().copied())
        };
        let row = |name: String| {
            let count = faults.iter().filter(|fault| fault.name == name).count();
            let (during, after) = (times(&name, |f| f.during), times(&name, |f| f.after));
            (name, count, [during.0, during.1, after.0, after.1])
        };
        names.into_iter().map(row).collect()
    }

    pub fn table(&self, latencies: &Latencies, more: &[(&str, String)]) -> String {
        let mut text = String::from(
            "\n| fault | times | well while it lasts, median / longest | after it, median / longest |\
             \n|---|---|---|---|\n",
        );
        let show = |time: Option<Duration>| {
            time.map_or_else(|| "-".into(), |time| format!("{:.2} s", time.as_secs_f64()))
        };
        for (name, count, [a, b, c, d]) in self.by_fault() {
            let (a, b, c, d) = (show(a), show(b), show(c), show(d));
            let _ = writeln!(text, "| {name} | {count} | {a} / {b} | {c} / {d} |");
        }
        let _ = writeln!(text, "\n| figure | |\n|---|---|");
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "| {name} | {value} |");
        };
        row("faults injected", self.injected().to_string());
        for (name, value) in more {
            row(name, value.clone());
        }
        row("without a fault", latencies.row(Weather::Fair));
        row("Redis dead or frozen", latencies.row(Weather::NoRedis));
        row("other faults", latencies.row(Weather::Foul));
        let (found, delivered) = (self.found.load(Relaxed), self.delivered.load(Relaxed).max(1));
        let share = found as f64 / delivered as f64 * 100.0;
        row("found by looking, not by a doorbell", format!("{share:.2} % of {delivered}"));
        row("peak memory of a gateway", format!("{} MiB", self.peak_rss.load(Relaxed) / 1024));
        let seconds = |ms: &AtomicU64| format!("{:.1} s", ms.load(Relaxed) as f64 / 1e3);
        row("longest falsely online", seconds(&self.false_online));
        row("longest falsely offline", seconds(&self.false_offline));
        text
    }
}
