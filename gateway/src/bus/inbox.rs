//! Where the bus leaves what arrived, for the hub to take. Bounded: what does
//! not fit is dropped, and said to be.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::mpsc;

use super::Arrival;

/// Arrivals waiting for the hub.
const INBOX: usize = 32_768;

#[derive(Clone)]
pub(super) struct Inbox {
    arrivals: mpsc::Sender<Arrival>,
    /// Something did not fit, or may not have come: tell it before anything
    /// else.
    missed: Arc<AtomicBool>,
}

impl Inbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<Arrival>) {
        let (arrivals, taken) = mpsc::channel(INBOX);
        (Self { arrivals, missed: Arc::default() }, taken)
    }

    pub(super) fn offer(&self, arrival: Arrival) {
        if self.missed.load(Ordering::Relaxed) {
            self.gap();
        }
        if self.arrivals.try_send(arrival).is_err() {
            self.missed.store(true, Ordering::Relaxed);
        }
    }

    /// Something may have been missed; kept until there is room to say so.
    pub(super) fn gap(&self) {
        let told = self.arrivals.try_send(Arrival::Gap).is_ok();
        self.missed.store(!told, Ordering::Relaxed);
    }
}
