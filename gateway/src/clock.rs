//! The one place that reads the wall clock. Everything else is handed a
//! [`Clock`], so that tests can move it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::model::Timestamp;

/// Wall-clock time, plus an offset that tests may set. Used for what people
/// read and for expiry; never for order.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> Timestamp {
        let offset = chrono::Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed));
        Timestamp::new(chrono::Utc::now() + offset)
    }

    /// Moves this clock, and every clone of it, ahead.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_add(by, Ordering::Relaxed);
    }
}
