//! Where the bus leaves what arrived, for the hub to take. Bounded: what does
//! not fit is dropped, and said to be.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Notify, mpsc};

use super::Arrival;

/// Arrivals waiting for the hub.
const INBOX: usize = 32_768;

/// The end that is filled.
#[derive(Clone)]
pub(super) struct Inbox {
    arrivals: mpsc::Sender<Arrival>,
    gap: Arc<Gap>,
}

/// What is taken from.
pub struct Arrivals {
    arrivals: mpsc::Receiver<Arrival>,
    gap: Arc<Gap>,
}

/// Something may not have come. Beside the queue, not in it: however often it
/// happens it is told once, before anything else, and takes nobody's room.
#[derive(Default)]
struct Gap {
    owed: AtomicBool,
    wake: Notify,
}

impl Inbox {
    pub(super) fn new() -> (Self, Arrivals) {
        let (sender, receiver) = mpsc::channel(INBOX);
        let gap = Arc::<Gap>::default();
        (Self { arrivals: sender, gap: gap.clone() }, Arrivals { arrivals: receiver, gap })
    }

    pub(super) fn offer(&self, arrival: Arrival) {
        if self.arrivals.try_send(arrival).is_err() {
            self.gap();
        }
    }

    pub(super) fn gap(&self) {
        self.gap.owed.store(true, Ordering::Release);
        self.gap.wake.notify_one();
    }
}

impl Arrivals {
    /// None once the bus is gone.
    pub async fn recv(&mut self) -> Option<Arrival> {
        loop {
            if self.gap.owed.swap(false, Ordering::AcqRel) {
                return Some(Arrival::Gap);
            }
            tokio::select! {
                biased;
                () = self.gap.wake.notified() => {}
                arrival = self.arrivals.recv() => return arrival,
            }
        }
    }

    /// Whether nothing more fits.
    pub fn is_full(&self) -> bool {
        self.arrivals.capacity() == 0
    }
}
