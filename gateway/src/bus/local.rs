//! The bus within one process. Lossless unless an end stops reading, and then
//! it says so.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{Arrival, Arrivals, Inbox};
use crate::model::{Envelope, Topic};

/// One end; [`LocalBus::sibling`] makes another on the same channels.
#[derive(Clone)]
pub struct LocalBus {
    end: Arc<End>,
    channels: Arc<Mutex<Channels>>,
}

#[derive(Default)]
struct Channels {
    ends: Vec<Arc<End>>,
    listeners: HashMap<Topic, HashSet<usize>>,
}

struct End {
    index: usize,
    inbox: Inbox,
}

impl LocalBus {
    pub fn new() -> (Self, Arrivals) {
        Self::attach(Arc::default())
    }

    pub fn sibling(&self) -> (Self, Arrivals) {
        Self::attach(self.channels.clone())
    }

    fn attach(channels: Arc<Mutex<Channels>>) -> (Self, Arrivals) {
        let (inbox, arrivals) = Inbox::new();
        let end = {
            let mut all = channels.lock();
            let index = all.ends.len();
            let end = Arc::new(End { index, inbox });
            all.ends.push(end.clone());
            end
        };
        (Self { end, channels }, arrivals)
    }

    pub(super) fn subscribe(&self, topics: &[Topic]) {
        let mut channels = self.channels.lock();
        for topic in topics {
            channels.listeners.entry(*topic).or_default().insert(self.end.index);
        }
    }

    pub(super) fn unsubscribe(&self, topics: &[Topic]) {
        let mut channels = self.channels.lock();
        for topic in topics {
            let Some(listeners) = channels.listeners.get_mut(topic) else { continue };
            listeners.remove(&self.end.index);
            if listeners.is_empty() {
                channels.listeners.remove(topic);
            }
        }
    }

    pub(super) fn publish(&self, envelopes: &[Envelope]) {
        let channels = self.channels.lock();
        for envelope in envelopes {
            let listeners = channels.listeners.get(&envelope.topic).into_iter().flatten();
            for index in listeners.filter(|index| **index != self.end.index) {
                channels.ends[*index].inbox.offer(Arrival::Envelope(envelope.clone()));
            }
        }
    }
}
