//! What is wrong with this replica alone. *A fault that all share must not empty
//! the load balancer*, so each of these needs a sign of life from the others:
//! what does not work here works for them.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Hub;

/// How long something must be amiss: longer than any failover that the others
/// get over a moment earlier.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the database is reached, here and by others.
#[derive(Default)]
pub(super) struct Reach(Mutex<Option<Away>>);

struct Away {
    since: Instant,
    /// Another replica has told of something it wrote long after that.
    others_write: bool,
}

impl Reach {
    pub(super) fn polled(&self, reached: bool) {
        let mut away = self.0.lock();
        if reached {
            *away = None;
        } else if away.is_none() {
            *away = Some(Away { since: Instant::now(), others_write: false });
        }
    }

    /// Another replica has written something.
    pub(super) fn heard(&self) {
        if let Some(away) = &mut *self.0.lock() {
            away.others_write |= away.since.elapsed() >= PATIENCE;
        }
    }

    fn is_cut_off(&self) -> bool {
        self.0.lock().as_ref().is_some_and(|away| away.others_write)
    }
}

impl Hub {
    /// Each part that can fail here alone, with what is wrong with it.
    pub fn faults(&self) -> [(&'static str, Option<&'static str>); 2] {
        let database = self.inner.reach.is_cut_off();
        let bus = self.inner.bus.is_deaf();
        [
            ("database", database.then_some("not reached from here, while other replicas write")),
            ("bus", bus.then_some("nothing is heard here, while other replicas listen")),
        ]
    }
}
