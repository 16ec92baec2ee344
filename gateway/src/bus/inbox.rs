//! Where the bus leaves what arrived, for the hub to take. Bounded: what does
//! not fit is dropped, and said to be.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Notify, mpsc};

use super::Arrival;
use crate::budget::Budget;

/// Arrivals waiting for the hub, and what they weigh.
const INBOX: usize = 32_768;
const INBOX_BYTES: usize = 32 * 1024 * 1024;

/// The end that is filled.
#[derive(Clone)]
pub(super) struct Inbox {
    arrivals: mpsc::Sender<Arrival>,
    room: Arc<Budget>,
    gap: Arc<Gap>,
}

/// What is taken from.
pub struct Arrivals {
    arrivals: mpsc::Receiver<Arrival>,
    room: Arc<Budget>,
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
        let (gap, room) = (Arc::<Gap>::default(), Arc::new(Budget::new(INBOX_BYTES)));
        let inbox = Self { arrivals: sender, room: room.clone(), gap: gap.clone() };
        (inbox, Arrivals { arrivals: receiver, room, gap })
    }

    pub(super) fn offer(&self, arrival: Arrival) {
        let weight = weight(&arrival);
        if !self.room.take(weight) {
            return self.gap();
        }
        if self.arrivals.try_send(arrival).is_err() {
            self.room.give(weight);
            self.gap();
        }
    }

    pub(super) fn gap(&self) {
        self.gap.owed.store(true, Ordering::Release);
        self.gap.wake.notify_one();
    }
}

fn weight(arrival: &Arrival) -> usize {
    match arrival {
        Arrival::Envelope(envelope) => envelope.weight(),
        Arrival::Hint | Arrival::Gap => 0,
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
                arrival = self.arrivals.recv() => {
                    self.room.give(arrival.as_ref().map_or(0, weight));
                    return arrival;
                }
            }
        }
    }

    /// Whether nothing more fits.
    pub fn is_full(&self) -> bool {
        self.arrivals.capacity() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::*;

    #[tokio::test]
    async fn what_is_too_heavy_is_dropped_and_said_to_be() {
        let (inbox, mut arrivals) = Inbox::new();
        let entry = Entry {
            conversation_id: ConversationId::new(),
            seq: 1,
            event_id: EventId::new(),
            prev_event_id: None,
            subject_seq: 1,
            removed: None,
            frame: Encoded::received(vec![b' '; INBOX_BYTES / 4].into()),
        };
        let envelope = Envelope {
            topic: Topic::Conversation(entry.conversation_id),
            origin: 1,
            accepted_at: Timestamp::from_millis(0).expect("a time"),
            trace: None,
            event: Event::Entry(Arc::new(entry)),
        };
        for _ in 0..4 {
            inbox.offer(Arrival::Envelope(envelope.clone()));
        }
        assert!(matches!(arrivals.recv().await, Some(Arrival::Gap)), "told first");
        for _ in 0..3 {
            assert!(matches!(arrivals.recv().await, Some(Arrival::Envelope(_))));
        }
        inbox.offer(Arrival::Envelope(envelope));
        assert!(matches!(arrivals.recv().await, Some(Arrival::Envelope(_))), "there is room again");
    }
}
