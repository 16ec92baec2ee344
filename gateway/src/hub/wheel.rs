//! One timer for all connections: every tick one slot of them gets its
//! heartbeat, so that none needs a timer of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    Hub,
    mailbox::{ConnectionId, Listeners, Mailbox},
};

const SLOTS: usize = 25;

pub(super) struct Wheel {
    slots: Vec<Mutex<Listeners>>,
    rounds: [Rounds; 3],
}

/// What all connections are asked to look at, one kind at a time.
#[derive(Clone, Copy)]
enum Round {
    Accounts,
    Leases,
    Presence,
}

#[derive(Default)]
struct Rounds {
    /// One more was asked for, and has not begun.
    waiting: AtomicBool,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl Default for Wheel {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::default()).collect(), rounds: Default::default() }
    }
}

impl Wheel {
    pub(super) fn add(&self, mailbox: &Arc<Mailbox>) {
        self.slot(mailbox.id).lock().insert(mailbox.id, mailbox.clone());
    }

    pub(super) fn remove(&self, id: ConnectionId) {
        self.slot(id).lock().remove(&id);
    }

    pub(super) fn len(&self) -> usize {
        self.slots.iter().map(|slot| slot.lock().len()).sum()
    }

    pub(super) fn all(&self) -> Vec<Arc<Mailbox>> {
        self.slots.iter().flat_map(|s| s.lock().values().cloned().collect::<Vec<_>>()).collect()
    }

    pub(super) fn holds(&self, mailbox: &Mailbox) -> bool {
        self.slot(mailbox.id).lock().contains_key(&mailbox.id)
    }

    /// Those that nobody has sent away.
    pub(super) fn staying(&self) -> Vec<Arc<Mailbox>> {
        let mut all = self.all();
        all.retain(|mailbox| !mailbox.is_leaving());
        all
    }

    /// Chooses those of a slot whose time has come.
    pub(super) fn aged(&self, slot: usize, max_age: Duration) -> Vec<Arc<Mailbox>> {
        let slot = self.slots[slot].lock();
        let aged = slot.values().filter(|it| !it.is_leaving() && it.has_aged(max_age));
        aged.inspect(|mailbox| mailbox.choose()).cloned().collect()
    }

    /// How many bytes wait for those who were told.
    fn beat(&self, slot: usize) -> usize {
        self.slots[slot].lock().values().map(|mailbox| mailbox.beat()).sum()
    }

    fn slot(&self, id: ConnectionId) -> &Mutex<Listeners> {
        &self.slots[usize::try_from(id).unwrap_or_default() % SLOTS]
    }
}

/// Connections asked to look at something at once; the next after a pause.
const NOTED_AT_ONCE: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);

impl Hub {
    /// Every connection tells its client again how those it watches are.
    pub fn refresh_presence(&self) {
        self.note_all(Round::Presence, Mailbox::presence_stale);
    }

    /// Every connection compares what it holds of its account with the store.
    pub(super) fn look_at_accounts(&self) {
        self.note_all(Round::Accounts, Mailbox::changed);
    }

    /// Every connection takes its presence lease anew.
    pub fn renew_leases(&self) {
        self.note_all(Round::Leases, Mailbox::lease_lost);
    }

    /// Paced: each of them will ask for something. What is asked for while a
    /// round is under way makes one more round, however often.
    fn note_all(&self, round: Round, note: fn(&Mailbox)) {
        let waiting = &self.inner.registry.wheel.rounds[round as usize].waiting;
        if waiting.swap(true, Ordering::AcqRel) {
            return;
        }
        let hub = self.clone();
        self.inner.shutdown.spawn(async move {
            let wheel = &hub.inner.registry.wheel;
            let Rounds { waiting, one_at_a_time } = &wheel.rounds[round as usize];
            let _turn = one_at_a_time.lock().await;
            waiting.store(false, Ordering::Release);
            for some in wheel.all().chunks(NOTED_AT_ONCE) {
                some.iter().for_each(|mailbox| note(mailbox));
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// Gives every connection a heartbeat per `interval`, until `stop`; and sends
    /// away those whose time has come.
    pub async fn beat(self, interval: Duration, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(interval / SLOTS as u32);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut queued = [0; SLOTS];
        for slot in (0..SLOTS).cycle() {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            queued[slot] = self.inner.registry.wheel.beat(slot);
            self.inner.metrics.outbound_queued(queued.iter().sum());
            self.send_away_aged(slot);
        }
    }
}
