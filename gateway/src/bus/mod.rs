//! Channels between replicas: a doorbell, never the truth. Whatever is lost
//! here, the feed makes good.

mod local;

pub use local::LocalBus;

use tokio::sync::mpsc;

use crate::model::{Envelope, Topic};

/// Arrivals waiting for the hub; beyond it they are dropped and a gap is
/// reported instead.
const INBOX: usize = 32_768;

/// What comes in from the other replicas.
#[derive(Clone, Debug)]
pub enum Arrival {
    Envelope(Envelope),
    /// Something may have been missed: everything subscribed must be compared
    /// with the store.
    Gap,
}

/// One replica's end of the bus. A closed set: the embedded default has
/// channels within the process.
#[derive(Clone)]
pub enum Bus {
    Local(LocalBus),
}

impl Bus {
    /// An end, and what arrives at it.
    pub fn local() -> (Self, mpsc::Receiver<Arrival>) {
        let (bus, inbox) = LocalBus::new();
        (Self::Local(bus), inbox)
    }

    /// Returns once everything published from now on will arrive.
    pub async fn subscribe(&self, topics: &[Topic]) {
        match self {
            Self::Local(bus) => bus.subscribe(topics),
        }
    }

    pub fn unsubscribe(&self, topics: &[Topic]) {
        match self {
            Self::Local(bus) => bus.unsubscribe(topics),
        }
    }

    /// Hands envelopes over in order; never waits, never fails the caller.
    pub fn publish(&self, envelopes: Vec<Envelope>) {
        match self {
            Self::Local(bus) => bus.publish(&envelopes),
        }
    }
}
