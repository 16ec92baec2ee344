//! A conversation with local connections: the top of its log, who listens, and
//! whether somebody reads what is missing.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use super::{
    mailbox::{ConnectionId, Listeners},
    ring::{Offer, Ring},
};
use crate::{
    budget::Budget,
    model::*,
    planted::{self, Bug},
};

/// Entries of a conversation that may wait for those below them.
const EARLY: usize = 64;

/// A conversation with local connections.
pub(super) struct Channel {
    pub(super) id: ConversationId,
    pub(super) state: Mutex<ChannelState>,
}

pub(super) struct ChannelState {
    ring: Ring,
    /// Came before what lies below them: two replicas wrote at the same time.
    early: BTreeMap<Seq, Envelope>,
    /// The head has moved since it was compared with the store's.
    moved: bool,
    pub(super) listeners: Listeners,
    filling: bool,
    /// Asked to fill while filling.
    again: bool,
}

impl ChannelState {
    fn take_in(&mut self, entry: &Arc<Entry>, envelope: &Envelope) -> Offer {
        let offer = self.ring.offer(entry);
        match offer {
            Offer::Extends => {
                self.moved = true;
                self.listeners.values().for_each(|mailbox| mailbox.push(envelope));
                self.take_in_early(entry.seq + 1);
            }
            Offer::Contradicts => self.ring.doubt(),
            Offer::Ahead if self.early.len() < EARLY => {
                self.early.insert(entry.seq, envelope.clone());
            }
            Offer::Known | Offer::Ahead => {}
        }
        offer
    }

    /// What has waited for the entry below `seq`.
    fn take_in_early(&mut self, seq: Seq) {
        while let Some(first) = self.early.first_entry()
            && *first.key() <= seq
        {
            let (at, envelope) = first.remove_entry();
            if at == seq
                && let Event::Entry(entry) = &envelope.event
            {
                // Taking it in takes in what waited for it.
                self.take_in(entry, &envelope);
                return;
            }
        }
    }

    /// Whether entries are missing and nobody fills yet; who fills already will
    /// look once more.
    fn begin_filling(&mut self) -> bool {
        if !self.ring.lacks() {
            return false;
        }
        self.again |= self.filling;
        !std::mem::replace(&mut self.filling, true)
    }
}

impl Channel {
    /// `budget` is what the rings of all conversations may take.
    pub(super) fn new(id: ConversationId, budget: &Arc<Budget>) -> Arc<Self> {
        let state = ChannelState {
            ring: Ring::new(budget.clone()),
            early: BTreeMap::new(),
            moved: false,
            listeners: Listeners::new(),
            filling: false,
            again: false,
        };
        Arc::new(Self { id, state: Mutex::new(state) })
    }

    /// Gives the ring's room to others if nobody has added to it for a while.
    pub(super) fn trim(&self) {
        self.state.lock().ring.trim();
    }

    pub(super) fn head(&self) -> Option<(Seq, EventId)> {
        self.state.lock().ring.head()
    }

    pub(super) fn has_moved(&self) -> bool {
        self.state.lock().moved
    }

    /// Whether the store must be read.
    pub(super) fn lacks(&self) -> bool {
        self.state.lock().ring.lacks()
    }

    /// Takes an entry in; if it extends the head, tells everyone here. Beside
    /// it whether the caller must [fill](Hub::fill).
    pub(super) fn offer(&self, envelope: &Envelope) -> (Offer, bool) {
        let Event::Entry(entry) = &envelope.event else { return (Offer::Known, false) };
        let mut state = self.state.lock();
        let offer = state.take_in(entry, envelope);
        // In one step with the offer: a filler that ends in between would take
        // the hint for answered.
        let fill = offer != Offer::Known && state.begin_filling();
        (offer, fill)
    }

    /// An entry that the filler itself has found.
    pub(super) fn found(&self, envelope: &Envelope) {
        let Event::Entry(entry) = &envelope.event else { return };
        self.state.lock().take_in(entry, envelope);
    }

    /// A participant's signal, for the connections of the others.
    pub(super) fn tell_others(&self, signal: &Signal, envelope: &Envelope) {
        let (Signal::Read { user_id, .. } | Signal::Typing { user_id, .. }) = signal else {
            return;
        };
        let state = self.state.lock();
        let others = state.listeners.values().filter(|m| m.principal.user != *user_id);
        others.for_each(|mailbox| mailbox.push(envelope));
    }

    /// What the ring holds above a position, and whether that reaches the head;
    /// nothing if there is nothing.
    pub(super) fn read(&self, position: Cursor, bytes: usize) -> Option<(Vec<Arc<Entry>>, bool)> {
        let state = self.state.lock();
        let entries = state.ring.after(position, bytes)?;
        let (last, (head, _)) = (entries.last()?.seq, state.ring.head()?);
        Some((entries, last == head))
    }

    /// Keeps what was read below the ring for who asks next.
    pub(super) fn extend_down(&self, entries: &[Arc<Entry>]) {
        self.state.lock().ring.extend_down(entries);
    }

    /// A snapshot of one connection saw this head; true if the caller must
    /// fill.
    pub(super) fn confirm(&self, seq: Seq, event_id: EventId, connection: ConnectionId) -> bool {
        let mut state = self.state.lock();
        // The head got there before this connection's snapshot did, and was told
        // to nobody where it was the first that was known.
        if state.ring.head().is_some_and(|(head, _)| head > seq)
            && let Some(mailbox) = state.listeners.get(&connection)
            && !planted::has(Bug::HistoryFirst)
        {
            mailbox.behind(self.id);
        }
        state.ring.confirm(seq, event_id);
        state.begin_filling()
    }

    /// What somebody who compares saw in the store; a head that is not the one
    /// held here must be verified. True if the caller must fill.
    pub(super) fn compare(&self, seq: Seq, event_id: EventId) -> bool {
        let mut state = self.state.lock();
        state.moved = false;
        match state.ring.head() {
            Some((held, id)) if held > seq || (held == seq && id != event_id) => {
                state.ring.doubt();
            }
            _ => state.ring.confirm(seq, event_id),
        }
        state.begin_filling()
    }

    /// The log is another one: every connection here looks for itself.
    pub(super) fn restart(&self, seq: Seq, event_id: EventId) {
        let mut state = self.state.lock();
        state.ring.restart(seq, event_id);
        state.early.clear();
        drop(state);
        self.all_behind();
    }

    pub(super) fn all_behind(&self) {
        let state = self.state.lock();
        state.listeners.values().for_each(|mailbox| mailbox.behind(self.id));
    }

    /// True when there is more to do.
    pub(super) fn end_filling(&self, more: bool) -> bool {
        let mut state = self.state.lock();
        let again = std::mem::take(&mut state.again);
        state.filling = more || again;
        if !state.filling && state.ring.caught_up() {
            // Somebody here may have been told it, from the store.
            state.listeners.values().for_each(|mailbox| mailbox.behind(self.id));
        }
        state.filling
    }

    /// Local connections in it.
    pub(super) fn listening(&self) -> usize {
        self.state.lock().listeners.len()
    }

    pub(super) fn stop_filling(&self) {
        self.state.lock().filling = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Mailbox, *};

    fn entry(id: ConversationId, seq: Seq, prev: EventId) -> (EventId, Envelope) {
        let event_id = EventId::new();
        let entry = Entry {
            conversation_id: id,
            seq,
            event_id,
            prev_event_id: Some(prev),
            subject_seq: seq,
            removed: None,
            frame: Encoded::new(&ServerFrame::Heartbeat { payload: Empty {} }),
        };
        let accepted_at = Timestamp::from_millis(0).unwrap();
        let (topic, event) = (Topic::Conversation(id), Event::Entry(Arc::new(entry)));
        (event_id, Envelope { topic, origin: 2, accepted_at, trace: None, event })
    }

    #[test]
    fn what_comes_early_waits_for_what_lies_below() {
        let channel = Channel::new(ConversationId::new(), &Arc::new(Budget::new(1024)));
        let me = Principal { user: UserId::new(), device: DeviceId::new() };
        let mailbox = Mailbox::new(me, 1);
        channel.state.lock().listeners.insert(mailbox.id, mailbox.clone());
        let start = EventId::new();
        channel.confirm(1, start, mailbox.id);
        let (second_id, second) = entry(channel.id, 2, start);
        let (third_id, third) = entry(channel.id, 3, second_id);
        let (_, fourth) = entry(channel.id, 4, third_id);
        assert_eq!(channel.offer(&fourth), (Offer::Ahead, true), "somebody must look");
        assert_eq!(channel.offer(&third), (Offer::Ahead, false), "somebody does");
        assert_eq!(channel.offer(&second).0, Offer::Extends);
        assert!(!channel.lacks(), "nothing is left to look for");
        let told: Vec<_> = mailbox
            .take()
            .items
            .iter()
            .map(|item| match item {
                crate::hub::Item::Entry { entry, .. } => entry.seq,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [2, 3, 4]);
    }

    /// What a connection read before the log lost it, nobody else may know of.
    #[test]
    fn a_hint_that_the_store_knows_nothing_of_makes_everyone_look() {
        let channel = Channel::new(ConversationId::new(), &Arc::new(Budget::new(1024)));
        let me = Principal { user: UserId::new(), device: DeviceId::new() };
        let mailbox = Mailbox::new(me, 1);
        channel.state.lock().listeners.insert(mailbox.id, mailbox.clone());
        assert!(!channel.confirm(1, EventId::new(), mailbox.id));
        assert!(channel.compare(2, EventId::new()), "somebody saw more");
        assert!(!channel.end_filling(false), "and the filler saw nothing of it");
        assert!(mailbox.take().behind.contains(&channel.id));
        assert!(!channel.lacks());
    }

    #[test]
    fn a_log_that_starts_again_keeps_what_was_hinted_meanwhile() {
        let channel = Channel::new(ConversationId::new(), &Arc::new(Budget::new(1024)));
        let me = Principal { user: UserId::new(), device: DeviceId::new() };
        let mailbox = Mailbox::new(me, 1);
        channel.confirm(2, EventId::new(), mailbox.id);
        assert!(channel.compare(1, EventId::new()), "its end is lost");
        // The filler has read that; then the log goes on.
        assert!(!channel.compare(3, EventId::new()), "who fills looks once more");
        channel.restart(1, EventId::new());
        assert!(channel.end_filling(false) && channel.lacks());
    }

    /// Nothing of the entry between a snapshot and the head was pushed to
    /// anyone where that head was the first that was known.
    #[test]
    fn a_snapshot_below_the_head_makes_its_connection_look_again() {
        let channel = Channel::new(ConversationId::new(), &Arc::new(Budget::new(1024)));
        let me = Principal { user: UserId::new(), device: DeviceId::new() };
        let [late, current] = [Mailbox::new(me, 1), Mailbox::new(me, 1)];
        for mailbox in [&late, &current] {
            channel.state.lock().listeners.insert(mailbox.id, mailbox.clone());
        }
        let newest = EventId::new();
        assert!(!channel.confirm(12, newest, current.id));
        assert!(!channel.confirm(11, EventId::new(), late.id));
        assert!(late.take().behind.contains(&channel.id));
        assert!(current.take().behind.is_empty());
        assert!(!channel.confirm(12, newest, late.id));
        assert!(late.take().behind.is_empty());
    }
}
