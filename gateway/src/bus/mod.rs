//! Channels between replicas: a doorbell, never the truth. Whatever is lost
//! here, the feed makes good.

mod inbox;
mod local;
mod redis;
mod seal;
mod wire;

pub use inbox::Arrivals;
pub use local::LocalBus;
pub use redis::RedisBus;
pub use seal::SealKeys;

use crate::{
    model::{Envelope, Topic},
    shutdown::Shutdown,
};
use inbox::Inbox;

/// What comes in from the other replicas.
#[derive(Clone, Debug)]
pub enum Arrival {
    Envelope(Envelope),
    /// Something that cannot be believed: a reason to look at the store, no
    /// more.
    Hint,
    /// Something may have been missed: everything subscribed must be compared
    /// with the store.
    Gap,
}

/// One replica's end of the bus. A closed set: the embedded default has
/// channels within the process.
#[derive(Clone)]
pub enum Bus {
    Local(LocalBus),
    Redis(RedisBus),
}

impl Bus {
    /// An end, and what arrives at it.
    pub fn local() -> (Self, Arrivals) {
        let (bus, inbox) = LocalBus::new();
        (Self::Local(bus), inbox)
    }

    /// Starts what keeps it going, until the kill.
    pub fn start(&self, shutdown: &Shutdown) {
        match self {
            Self::Local(_) => {}
            Self::Redis(bus) => bus.start(shutdown),
        }
    }

    /// Returns once everything published from now on will arrive; at once where
    /// it cannot.
    pub async fn subscribe(&self, topics: &[Topic]) {
        match self {
            Self::Local(bus) => bus.subscribe(topics),
            Self::Redis(bus) => bus.subscribe(topics).await,
        }
    }

    pub fn unsubscribe(&self, topics: &[Topic]) {
        match self {
            Self::Local(bus) => bus.unsubscribe(topics),
            Self::Redis(bus) => bus.unsubscribe(topics),
        }
    }

    /// Hands envelopes over in order; never waits, never fails the caller.
    pub fn publish(&self, envelopes: Vec<Envelope>) {
        match self {
            Self::Local(bus) => bus.publish(&envelopes),
            Self::Redis(bus) => bus.publish(envelopes),
        }
    }

    /// As [`publish`](Self::publish); true once the other replicas can be
    /// expected to have heard it, false when they have not.
    pub async fn publish_surely(&self, envelopes: Vec<Envelope>) -> bool {
        match self {
            Self::Local(bus) => {
                bus.publish(&envelopes);
                true
            }
            Self::Redis(bus) => bus.publish_surely(envelopes).await,
        }
    }

    /// Waits, but not for long, until everything handed over so far is on its
    /// way.
    pub async fn flush(&self) {
        self.publish_surely(vec![]).await;
    }

    /// Whether nothing is heard here, through no fault of Redis.
    pub fn is_deaf(&self) -> bool {
        match self {
            Self::Local(_) => false,
            Self::Redis(bus) => bus.is_deaf(),
        }
    }

    /// Whether other replicas hear what is published here.
    pub fn is_up(&self) -> bool {
        match self {
            Self::Local(_) => false,
            Self::Redis(bus) => bus.is_up(),
        }
    }
}
