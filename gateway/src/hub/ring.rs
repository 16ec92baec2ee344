//! The top of one conversation's log as this replica knows it: the head, and
//! the encoded entries right below it. Pure; the hub holds one per
//! conversation with local sessions.
//!
//! *The ring is dense and ends at the head.* *The head is committed.*

use std::{collections::VecDeque, sync::Arc};

use crate::{
    budget::Budget,
    model::{Cursor, Entry, EventId, Seq},
};

/// Entries kept per conversation; a device further behind reads the store.
const RING_ENTRIES: usize = 256;
/// Encoded bytes kept per conversation.
const RING_BYTES: usize = 256 * 1024;
/// Encoded bytes kept of all conversations.
pub(super) const RINGS_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Ring {
    head: Option<(Seq, EventId)>,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// Shared by the rings of all conversations.
    budget: Arc<Budget>,
    /// Something was put in since it was last trimmed.
    used: bool,
    /// Highest seq heard of that is not in the ring.
    hinted: Seq,
    /// Whether the head may be of another log than the store's.
    doubted: bool,
}

/// What became of an entry that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It extended the head: tell the sessions.
    Extends,
    /// Known already.
    Known,
    /// Something is missing below it, or the head is not known yet.
    Ahead,
    /// The log it belongs to is not the one held here: ask the store.
    Contradicts,
}

impl Ring {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self {
            head: None,
            entries: VecDeque::new(),
            bytes: 0,
            budget,
            used: false,
            hinted: 0,
            doubted: false,
        }
    }

    pub(super) fn head(&self) -> Option<(Seq, EventId)> {
        self.head
    }

    /// Whether the store must be read: entries above the head were heard of, or
    /// the head is in doubt.
    pub(super) fn lacks(&self) -> bool {
        self.head.is_some_and(|(seq, _)| self.hinted > seq || self.doubted)
    }

    /// The next read starts at the head, and so verifies it.
    pub(super) fn doubt(&mut self) {
        self.doubted = true;
    }

    fn hint(&mut self, seq: Seq) {
        self.hinted = self.hinted.max(seq);
    }

    pub(super) fn offer(&mut self, entry: &Arc<Entry>) -> Offer {
        let Some((head, head_id)) = self.head else {
            self.hint(entry.seq);
            return Offer::Ahead;
        };
        if entry.seq <= head {
            // One so old that it is not held any more is checked too: it may be
            // of a log that has lost its end.
            return match self.at(entry.seq) {
                Some(held) if held == entry.event_id => Offer::Known,
                _ => Offer::Contradicts,
            };
        }
        if entry.seq > head + 1 {
            self.hint(entry.seq);
            return Offer::Ahead;
        }
        if entry.prev_event_id != Some(head_id) {
            self.hint(entry.seq);
            return Offer::Contradicts;
        }
        self.head = Some((entry.seq, entry.event_id));
        self.keep(entry);
        Offer::Extends
    }

    /// Puts the new head in, where there is room, or is after older ones have
    /// gone. *Without its top a ring holds nothing.*
    fn keep(&mut self, entry: &Arc<Entry>) {
        self.used = true;
        let bytes = entry.frame.bytes().len();
        while self.entries.len() >= RING_ENTRIES || self.bytes + bytes > RING_BYTES {
            if !self.drop_oldest() {
                return;
            }
        }
        while !self.budget.take(bytes) {
            if !self.drop_oldest() {
                return;
            }
        }
        self.bytes += bytes;
        self.entries.push_back(entry.clone());
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.entries.pop_front() else { return false };
        let bytes = oldest.frame.bytes().len();
        self.bytes -= bytes;
        self.budget.give(bytes);
        true
    }

    /// Gives back what nothing was added to since it was last asked.
    pub(super) fn trim(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.clear();
            self.entries.shrink_to_fit();
        }
    }

    fn clear(&mut self) {
        self.budget.give(std::mem::take(&mut self.bytes));
        self.entries.clear();
    }

    /// Takes what lies right below what is held, the newest first, for as long
    /// as there is room.
    pub(super) fn extend_down(&mut self, entries: &[Arc<Entry>]) {
        for entry in entries.iter().rev() {
            let below = match self.entries.front() {
                Some(first) => (first.seq - 1, first.prev_event_id),
                None => match self.head {
                    Some((seq, event_id)) => (seq, Some(event_id)),
                    None => return,
                },
            };
            if entry.seq > below.0 {
                continue; // held already
            }
            let bytes = entry.frame.bytes().len();
            let room = self.entries.len() < RING_ENTRIES && self.bytes + bytes <= RING_BYTES;
            if (entry.seq, Some(entry.event_id)) != below || !room || !self.budget.take(bytes) {
                return;
            }
            self.used = true;
            self.bytes += bytes;
            self.entries.push_front(entry.clone());
        }
    }

    /// The store was seen to have this entry committed. Sets the head if none
    /// is known; a head above it is left for the next read to judge.
    pub(super) fn confirm(&mut self, seq: Seq, event_id: EventId) {
        match self.head {
            None => self.head = Some((seq, event_id)),
            Some(_) => self.hint(seq),
        }
    }

    /// The store had nothing more. Whether something was hinted all the same:
    /// then the log has lost it.
    pub(super) fn caught_up(&mut self) -> bool {
        self.doubted = false;
        let lost = self.lacks();
        self.hinted = 0;
        lost
    }

    /// Starts again from another log; what was hinted meanwhile may be of it.
    pub(super) fn restart(&mut self, seq: Seq, event_id: EventId) {
        self.clear();
        (self.head, self.doubted) = (Some((seq, event_id)), false);
    }

    /// The entries above a position, or the first `bytes` of them, if the ring
    /// reaches down to it and is of the same log.
    pub(super) fn after(&self, position: Cursor, bytes: usize) -> Option<Vec<Arc<Entry>>> {
        let (head, head_id) = self.head?;
        if position.seq == head {
            return (position.event_id == Some(head_id)).then(Vec::new);
        }
        let first = self.entries.front()?;
        if position.seq > head || position.seq + 1 < first.seq {
            return None;
        }
        let skip = usize::try_from(position.seq + 1 - first.seq).ok()?;
        let next = self.entries.get(skip)?;
        // A position before one's first entry has no id to compare.
        if position.event_id.is_some() && next.prev_event_id != position.event_id {
            return None;
        }
        let above = self.entries.range(skip..);
        let count = Entry::fitting(above.clone(), bytes).max(1);
        Some(above.take(count).cloned().collect())
    }

    fn at(&self, seq: Seq) -> Option<EventId> {
        if let Some((head, event_id)) = self.head
            && head == seq
        {
            return Some(event_id);
        }
        let first = self.entries.front()?.seq;
        let index = usize::try_from(seq - first).ok()?;
        self.entries.get(index).map(|entry| entry.event_id)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConversationId, Empty, Encoded, ServerFrame};

    const SLICE: usize = 64 * 1024;

    fn chain(length: Seq) -> Vec<Arc<Entry>> {
        let conversation_id = ConversationId::new();
        let mut prev_event_id = None;
        (1..=length)
            .map(|seq| {
                let event_id = EventId::new();
                let frame = Encoded::new(&ServerFrame::Heartbeat { payload: Empty {} });
                let entry = Entry {
                    conversation_id,
                    seq,
                    event_id,
                    prev_event_id,
                    subject_seq: seq,
                    removed: None,
                    frame,
                };
                prev_event_id = Some(event_id);
                Arc::new(entry)
            })
            .collect()
    }

    fn started(log: &[Arc<Entry>]) -> Ring {
        let mut ring = Ring::new(budget());
        ring.confirm(log[0].seq, log[0].event_id);
        ring
    }

    fn cursor(entry: &Entry) -> Cursor {
        Cursor { seq: entry.seq, event_id: Some(entry.event_id) }
    }

    #[test]
    fn only_the_exact_next_entry_extends_the_head() {
        let log = chain(5);
        let mut ring = started(&log);
        assert_eq!(ring.offer(&log[1]), Offer::Extends);
        assert_eq!(ring.offer(&log[1]), Offer::Known);
        assert_eq!(ring.offer(&log[3]), Offer::Ahead);
        assert!(ring.lacks());
        assert_eq!(ring.offer(&log[2]), Offer::Extends);
        assert_eq!(ring.offer(&log[3]), Offer::Extends);
        assert!(!ring.lacks());
        assert_eq!(ring.head(), Some((4, log[3].event_id)));
    }

    #[test]
    fn an_entry_of_another_log_contradicts() {
        let (log, other) = (chain(4), chain(4));
        let mut ring = started(&log);
        assert_eq!(ring.offer(&log[1]), Offer::Extends);
        assert_eq!(ring.offer(&other[1]), Offer::Contradicts);
        assert_eq!(ring.offer(&other[2]), Offer::Contradicts);
    }

    #[test]
    fn what_arrives_before_the_head_is_known_is_remembered_as_missing() {
        let log = chain(3);
        let mut ring = Ring::new(budget());
        assert_eq!(ring.offer(&log[2]), Offer::Ahead);
        ring.confirm(2, log[1].event_id);
        assert!(ring.lacks());
    }

    #[test]
    fn reads_reach_down_to_the_ring_and_no_further() {
        let log = chain(RING_ENTRIES as Seq + 10);
        let mut ring = started(&log);
        for entry in &log[1..] {
            assert_eq!(ring.offer(entry), Offer::Extends);
        }
        let last = log.len() - 1;
        assert_eq!(ring.after(cursor(&log[last]), SLICE), Some(vec![]));
        assert_eq!(ring.after(cursor(&log[last - 2]), SLICE).unwrap().len(), 2);
        assert_eq!(ring.after(cursor(&log[2]), SLICE), None);
        let other = chain(log.len() as Seq);
        assert_eq!(ring.after(cursor(&other[last]), SLICE), None);
        assert_eq!(ring.after(cursor(&other[last - 2]), SLICE), None);
    }

    #[test]
    fn what_is_handed_out_at_once_is_bounded() {
        let mut log = chain(20);
        for entry in &mut log {
            let entry = Arc::get_mut(entry).unwrap();
            entry.frame = Encoded::received(vec![b' '; SLICE / 4].into());
        }
        let mut ring = started(&log);
        for entry in &log[1..] {
            assert_eq!(ring.offer(entry), Offer::Extends);
        }
        assert_eq!(ring.after(cursor(&log[6]), SLICE).unwrap(), log[7..11]);
        assert_eq!(ring.after(cursor(&log[17]), SLICE).unwrap(), log[18..]);
    }

    #[test]
    fn what_was_read_below_extends_the_ring_downwards() {
        let log = chain(10);
        let mut ring = Ring::new(budget());
        ring.extend_down(&log);
        assert!(ring.after(cursor(&log[5]), SLICE).is_none(), "of an unknown log");
        ring.confirm(8, log[7].event_id);
        ring.extend_down(&log[..5]);
        assert!(ring.after(cursor(&log[1]), SLICE).is_none(), "not up to the head");
        ring.extend_down(&log[3..8]);
        assert_eq!(ring.offer(&log[8]), Offer::Extends);
        // Overlapping what is held, and of another log.
        ring.extend_down(&log[..6]);
        ring.extend_down(&chain(3));
        assert_eq!(ring.after(cursor(&log[0]), SLICE).unwrap(), log[1..9]);
        assert_eq!(ring.after(Cursor { seq: 0, event_id: None }, SLICE).unwrap(), log[..9]);
    }

    #[test]
    fn all_rings_share_one_budget() {
        let log = chain(20);
        let bytes = log[0].frame.bytes().len();
        let budget = Arc::new(Budget::new(bytes * 10));
        let mut rings = [(); 2].map(|()| Ring::new(budget.clone()));
        for ring in &mut rings {
            ring.confirm(1, log[0].event_id);
        }
        for entry in &log[1..9] {
            assert_eq!(rings[0].offer(entry), Offer::Extends);
        }
        // Eight of ten are taken; this one lives with what is left.
        for entry in &log[1..20] {
            assert_eq!(rings[1].offer(entry), Offer::Extends);
        }
        assert_eq!(rings[1].after(cursor(&log[17]), SLICE).unwrap(), log[18..]);
        assert!(rings[1].after(cursor(&log[16]), SLICE).is_none());
        // What is quiet gives its room back, and keeps its head.
        rings[0].trim();
        assert!(rings[0].after(cursor(&log[1]), SLICE).is_some());
        rings[0].trim();
        assert!(rings[0].after(cursor(&log[1]), SLICE).is_none());
        assert_eq!(rings[0].offer(&log[9]), Offer::Extends);
        drop(rings);
        assert_eq!(budget.used(), 0.0);
    }

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(RINGS_BYTES))
    }
}
