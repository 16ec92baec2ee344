//! What the probes answer. *A fault that all replicas share must not empty the
//! load balancer*: readiness speaks of this replica only.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tracing::{info, warn};

use super::Acceptor;
use crate::shutdown::Shutdown;

/// The state of this replica; cheap to clone.
#[derive(Clone)]
pub struct Health {
    shutdown: Shutdown,
    acceptor: Acceptor,
    started: Arc<AtomicBool>,
    faults: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Health {
    pub fn new(shutdown: Shutdown, acceptor: Acceptor) -> Self {
        Self { shutdown, acceptor, started: Arc::default(), faults: Arc::default() }
    }

    /// Configuration, keys, schema and the first database connection are good.
    pub fn set_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// A part of this very replica does not work: no new connections until it
    /// does again.
    pub fn set_fault(&self, part: &'static str, why: impl Into<String>) {
        let why = why.into();
        if self.faults.lock().insert(part, why.clone()).is_none() {
            warn!(part, why, "not ready");
        }
    }

    pub fn clear_fault(&self, part: &'static str) {
        if self.faults.lock().remove(part).is_some() {
            info!(part, "ready again");
        }
    }

    /// Why no new connection should come here; empty when it may.
    pub fn obstacles(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        if !self.is_started() {
            obstacles.push("starting".to_owned());
        }
        if self.shutdown.is_draining() {
            obstacles.push("draining".to_owned());
        }
        if self.acceptor.is_full() {
            obstacles.push("connection cap reached".to_owned());
        }
        let faults = self.faults.lock();
        obstacles.extend(faults.iter().map(|(part, why)| format!("{part}: {why}")));
        obstacles
    }
}
