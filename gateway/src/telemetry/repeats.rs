//! What is said over and over is said a few times and then counted: an outage
//! must not fill the disk, nor hide what else goes wrong meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use parking_lot::Mutex;
use tracing::{Event, Level, Metadata, Subscriber, callsite::Identifier, warn};
use tracing_subscriber::{Layer, layer::Context};

/// Lines of one place in the code that are logged between two reports.
const AT_ONCE: u64 = 20;
/// How often what was held back is reported.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Of this process, as its log is.
static REPEATS: LazyLock<Repeats> = LazyLock::new(Repeats::default);

/// Warnings and errors by the place that says them.
#[derive(Clone, Default)]
struct Repeats(Arc<Mutex<HashMap<Identifier, Said>>>);

struct Said {
    place: &'static Metadata<'static>,
    times: u64,
}

impl Repeats {
    /// Whether this one is still to be logged.
    fn count(&self, place: &'static Metadata<'static>) -> bool {
        let mut said = self.0.lock();
        let said = said.entry(place.callsite()).or_insert(Said { place, times: 0 });
        said.times += 1;
        said.times <= AT_ONCE
    }

    /// Who was held back since the last call, and how often.
    fn take(&self) -> Vec<(&'static Metadata<'static>, u64)> {
        let said = std::mem::take(&mut *self.0.lock());
        let excess = |said: Said| (said.place, said.times.saturating_sub(AT_ONCE));
        said.into_values().map(excess).filter(|(_, held_back)| *held_back > 0).collect()
    }
}

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let place = event.metadata();
        *place.level() > Level::WARN || self.count(place)
    }
}

/// Holds back repeats; only where [`report`] runs.
pub(super) fn layer<S: Subscriber>() -> impl Layer<S> {
    REPEATS.clone()
}

/// Says what was held back, for ever.
pub async fn report() {
    loop {
        tokio::time::sleep(REPORT_EVERY).await;
        for (place, times) in REPEATS.take() {
            let (file, line) = (place.file().unwrap_or_default(), place.line().unwrap_or_default());
            warn!(times, of = %format_args!("{file}:{line}"), "held back repeats of a line");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Logged(Arc<AtomicU64>);

    impl<S: Subscriber> Layer<S> for Logged {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn a_few_are_logged_and_the_rest_counted_place_by_place() {
        let (repeats, logged) = (Repeats::default(), Logged::default());
        let subscriber = tracing_subscriber::registry().with(repeats.clone()).with(logged.clone());
        tracing::subscriber::with_default(subscriber, || {
            let flood = || (0..100).for_each(|n| tracing::error!(n, "again"));
            flood();
            assert_eq!(logged.0.swap(0, Relaxed), AT_ONCE);
            tracing::warn!("something else");
            (0..100).for_each(|_| tracing::info!("news"));
            assert_eq!(logged.0.swap(0, Relaxed), 101);

            let held_back = repeats.take();
            let [(place, times)] = &held_back[..] else { panic!("{held_back:?}") };
            assert_eq!((*times, *place.level()), (100 - AT_ONCE, Level::ERROR));
            flood();
            assert_eq!(logged.0.load(Relaxed), AT_ONCE, "after the report they are heard again");
        });
    }
}
