//! Registering a metric and writing it into the table of metrics are one act.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Metric, Registry},
};

/// One metric, as the documentation lists it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Without prefix and suffix.
    pub name: &'static str,
    pub kind: &'static str,
    pub labels: &'static [&'static str],
    pub about: &'static str,
}

impl Row {
    /// The name as it is scraped; a histogram's series add `_bucket`, `_sum`
    /// and `_count`.
    pub fn exposed(&self) -> String {
        let suffix = if self.kind == "counter" { "_total" } else { "" };
        format!("parley_{}{suffix}", self.name)
    }
}

/// Names of the labels of a set, for the table.
pub(super) trait Labels:
    EncodeLabelSet + Clone + Eq + std::hash::Hash + Send + Sync + std::fmt::Debug + 'static
{
    const NAMES: &'static [&'static str];
}

/// `type` for `r#type`, as it is scraped.
pub(super) const fn plain(label: &'static str) -> &'static str {
    match label.as_bytes() {
        [b'r', b'#', ..] => label.split_at(2).1,
        _ => label,
    }
}

/// Makes a label set of `&'static str`s: `label_set!(Closed { cause })`.
macro_rules! label_set {
    ($name:ident { $($label:ident),+ }) => {
        #[derive(Clone, Debug, PartialEq, Eq, Hash, prometheus_client::encoding::EncodeLabelSet)]
        pub(super) struct $name { $(pub(super) $label: &'static str),+ }

        impl $crate::metrics::book::Labels for $name {
            const NAMES: &'static [&'static str] = &[$($crate::metrics::book::plain(stringify!($label))),+];
        }
    };
}
pub(super) use label_set;

/// Bounds of histograms, in the unit of the metric.
#[derive(Clone, Copy)]
pub(super) struct Buckets(pub &'static [f64]);

/// From a tenth of a millisecond to ten seconds.
pub(super) const SECONDS: Buckets = Buckets(&[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
]);

/// Powers of four, for sizes of batches and audiences.
pub(super) const COUNTS: Buckets = Buckets(&[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

pub(super) type Counters<L> = Family<L, Counter>;
pub(super) type Gauges<L> = Family<L, Gauge>;
pub(super) type Histograms<L> = Family<L, Histogram, Buckets>;

pub(super) struct Book {
    registry: Registry,
    rows: Vec<Row>,
}

impl Book {
    pub(super) fn new() -> Self {
        Self { registry: Registry::with_prefix("parley"), rows: Vec::new() }
    }

    pub(super) fn close(self) -> (Registry, Vec<Row>) {
        (self.registry, self.rows)
    }

    pub(super) fn counter(&mut self, name: &'static str, about: &'static str) -> Counter {
        self.add(name, "counter", &[], about, Counter::default())
    }

    /// A counter of seconds and parts of them.
    pub(super) fn seconds(
        &mut self,
        name: &'static str,
        about: &'static str,
    ) -> Counter<f64, AtomicU64> {
        self.add(name, "counter", &[], about, Counter::default())
    }

    pub(super) fn counters<L: Labels>(
        &mut self,
        name: &'static str,
        about: &'static str,
    ) -> Counters<L> {
        self.add(name, "counter", L::NAMES, about, Counters::default())
    }

    pub(super) fn gauge(&mut self, name: &'static str, about: &'static str) -> Gauge {
        self.add(name, "gauge", &[], about, Gauge::default())
    }

    pub(super) fn gauges<L: Labels>(
        &mut self,
        name: &'static str,
        about: &'static str,
    ) -> Gauges<L> {
        self.add(name, "gauge", L::NAMES, about, Gauges::default())
    }

    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        buckets: Buckets,
        about: &'static str,
    ) -> Histogram {
        self.add(name, "histogram", &[], about, buckets.new_metric())
    }

    pub(super) fn histograms<L: Labels>(
        &mut self,
        name: &'static str,
        buckets: Buckets,
        about: &'static str,
    ) -> Histograms<L> {
        self.add(name, "histogram", L::NAMES, about, Histograms::new_with_constructor(buckets))
    }

    fn add<M: Metric + Clone>(
        &mut self,
        name: &'static str,
        kind: &'static str,
        labels: &'static [&'static str],
        about: &'static str,
        metric: M,
    ) -> M {
        self.rows.push(Row { name, kind, labels, about });
        // The encoder ends the sentence itself.
        self.registry.register(name, about.trim_end_matches('.'), metric.clone());
        metric
    }
}
