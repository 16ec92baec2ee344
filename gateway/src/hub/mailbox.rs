//! Between the hub and one connection: a small bounded hand-over, never a
//! backlog. *Nothing waits on a slow socket.* What does not fit becomes a note
//! to look again: an entry of a log as "behind in this conversation", the rest
//! as "account changed" or "presence stale".

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::model::{ConversationId, Entry, Envelope, Event, Principal, Signal, Timestamp, Topic};

use super::Cause;

/// Items, and bytes of theirs, that a connection may be behind before it is
/// left to pull.
const MAILBOX_ITEMS: usize = 256;
const MAILBOX_BYTES: usize = 128 * 1024;

/// Identifies a connection within its replica.
pub type ConnectionId = u64;

pub(super) type Listeners = HashMap<ConnectionId, Arc<Mailbox>>;

/// Handed over as it happened.
#[derive(Clone, Debug)]
pub enum Item {
    Entry {
        entry: Arc<Entry>,
        accepted_at: Timestamp,
        /// Accepted by another replica.
        remote: bool,
    },
    Signal {
        topic: Topic,
        signal: Arc<Signal>,
    },
}

/// Everything a connection has to look at; taken in one go.
#[derive(Default)]
pub struct Taken {
    pub items: VecDeque<Item>,
    bytes: usize,
    /// Conversations whose log has more than was handed over.
    pub behind: HashSet<ConversationId>,
    /// Account or memberships may have changed.
    pub changed: bool,
    /// Presence of watched users may have been dropped.
    pub presence_stale: bool,
    /// Time for a heartbeat.
    pub beat: bool,
    /// Whoever keeps the presence leases may have lost this one's.
    pub lease_lost: bool,
    /// To be told with `reconnect`; the connection goes on until it is ended.
    pub leave: Option<Leave>,
    /// The replica wants this connection to end.
    pub ending: Option<Cause>,
}

impl Taken {
    /// What is left of a signal that cannot be kept.
    fn note(&mut self, signal: &Signal) {
        match signal {
            Signal::Typing { .. } | Signal::Read { .. } => {}
            Signal::Presence { .. } => self.presence_stale = true,
            _ => self.changed = true,
        }
    }
}

/// When the client should connect elsewhere, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    pub after: Duration,
    pub why: &'static str,
}

pub struct Mailbox {
    pub id: ConnectionId,
    pub principal: Principal,
    /// This replica's, to tell its own envelopes.
    origin: u64,
    since: Instant,
    /// It was chosen to be sent away.
    leaving: AtomicBool,
    waiting: Mutex<Taken>,
    wake: Notify,
}

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

impl Mailbox {
    pub(super) fn new(principal: Principal, origin: u64) -> Arc<Self> {
        Arc::new(Self {
            id: NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed),
            principal,
            origin,
            since: Instant::now(),
            leaving: AtomicBool::new(false),
            waiting: Mutex::default(),
            wake: Notify::new(),
        })
    }

    /// Ready as soon as there is something to take.
    pub async fn ready(&self) {
        self.wake.notified().await;
    }

    /// For who was [ready](Self::ready) and took less than all.
    pub fn wake_again(&self) {
        self.wake.notify_one();
    }

    pub fn take(&self) -> Taken {
        std::mem::take(&mut *self.waiting.lock())
    }

    /// What [is urgent](Self::is_urgent) alone; the rest goes on waiting.
    pub fn take_urgent(&self) -> Taken {
        let mut waiting = self.waiting.lock();
        Taken {
            ending: waiting.ending.take(),
            changed: std::mem::take(&mut waiting.changed),
            beat: std::mem::take(&mut waiting.beat),
            ..Taken::default()
        }
    }

    pub(super) fn push(&self, envelope: &Envelope) {
        self.note(|waiting| match &envelope.event {
            Event::Entry(entry) => {
                let id = entry.conversation_id;
                if waiting.behind.contains(&id) {
                    return;
                }
                let bytes = waiting.bytes + entry.frame.bytes().len();
                if waiting.items.len() >= MAILBOX_ITEMS || bytes > MAILBOX_BYTES {
                    waiting.behind.insert(id);
                    return;
                }
                waiting.bytes = bytes;
                let accepted_at = envelope.accepted_at;
                let remote = envelope.origin != self.origin;
                waiting.items.push_back(Item::Entry { entry: entry.clone(), accepted_at, remote });
            }
            Event::Signal(signal) if matches!(**signal, Signal::Changed) => waiting.changed = true,
            Event::Signal(signal) if waiting.items.len() < MAILBOX_ITEMS => {
                let (topic, signal) = (envelope.topic, signal.clone());
                waiting.items.push_back(Item::Signal { topic, signal });
            }
            Event::Signal(signal) => waiting.note(signal),
        });
    }

    /// Takes back what there was no time for, as notes.
    pub fn put_back(&self, items: impl Iterator<Item = Item>) {
        self.note(|waiting| {
            items.for_each(|item| match item {
                Item::Entry { entry, .. } => {
                    waiting.behind.insert(entry.conversation_id);
                }
                Item::Signal { signal, .. } => waiting.note(&signal),
            });
        });
    }

    /// Whether something waits that must not wait for a slow reader: the end of
    /// the connection, a look at the account, a heartbeat.
    pub fn is_urgent(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.ending.is_some() || waiting.changed || waiting.beat
    }

    pub fn behind(&self, id: ConversationId) {
        self.note(|waiting| {
            waiting.behind.insert(id);
        });
    }

    pub fn changed(&self) {
        self.note(|waiting| waiting.changed = true);
    }

    pub fn presence_stale(&self) {
        self.note(|waiting| waiting.presence_stale = true);
    }

    pub(super) fn lease_lost(&self) {
        self.note(|waiting| waiting.lease_lost = true);
    }

    /// How many bytes wait here.
    pub(super) fn beat(&self) -> usize {
        let mut bytes = 0;
        self.note(|waiting| {
            waiting.beat = true;
            bytes = waiting.bytes;
        });
        bytes
    }

    pub(super) fn choose(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Not urgent: a client that is still catching up has nothing to hand over.
    pub(super) fn leave(&self, leave: Leave) {
        self.choose();
        self.note(|waiting| waiting.leave = Some(leave));
    }

    pub(super) fn end(&self, cause: Cause) {
        self.note(|waiting| waiting.ending = waiting.ending.or(Some(cause)));
    }

    /// Between 0 and 1, as far as possible from those that came before and after.
    pub(super) fn unit(&self) -> f64 {
        const GOLDEN: f64 = 0.618_033_988_749_895;
        (self.id as f64 * GOLDEN).fract()
    }

    /// Whether it has been here for `max_age`, give or take a fifth: those that
    /// came together do not leave together.
    pub(super) fn has_aged(&self, max_age: Duration) -> bool {
        self.since.elapsed() >= max_age.mul_f64(0.8 + 0.4 * self.unit())
    }

    fn note(&self, change: impl FnOnce(&mut Taken)) {
        change(&mut self.waiting.lock());
        self.wake.notify_one();
    }
}
