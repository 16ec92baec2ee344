//! What a replica knows of the conversation: `hub/ring.rs` and
//! `hub/channel.rs`, made small.

use super::{
    Variant,
    store::{Cursor, Id, Range, Seq, Store},
};

const RING: usize = 2;
const EARLY: usize = 1;

/// Who reads what is missing above the head.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub enum Fill {
    #[default]
    Nobody,
    Begun,
    /// Has read, and not taken in yet.
    Has(Range),
}

#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Channel {
    variant: Variant,
    head: Option<Cursor>,
    /// Ends at the head.
    ring: Vec<Id>,
    hinted: Seq,
    /// The head may be of another log.
    doubted: bool,
    early: Vec<Id>,
    pub fill: Fill,
    again: bool,
    /// Since it was last compared.
    pub moved: bool,
}

#[derive(PartialEq)]
enum Offer {
    Extends,
    Known,
    Ahead,
    Contradicts,
}

impl Channel {
    pub fn new(variant: Variant) -> Self {
        Self { variant, ..Self::default() }
    }

    /// What to tell everyone here.
    pub fn offer(&mut self, store: &Store, id: Id) -> Vec<Id> {
        let mut told = vec![];
        if self.take_in(store, id, &mut told) != Offer::Known {
            self.begin_filling();
        }
        told
    }

    fn take_in(&mut self, store: &Store, id: Id, told: &mut Vec<Id>) -> Offer {
        let seq = store.entry(id).seq;
        let offer = self.judge(store, id);
        match offer {
            Offer::Extends => {
                self.head = Some(Cursor { seq, id: Some(id) });
                self.moved = true;
                self.ring.push(id);
                if self.ring.len() > RING {
                    self.ring.remove(0);
                }
                told.push(id);
                self.take_in_early(store, seq + 1, told);
            }
            Offer::Contradicts => self.doubted = true,
            Offer::Ahead => {
                self.hinted = self.hinted.max(seq);
                if self.early.len() < EARLY {
                    self.early.push(id);
                    self.early.sort_unstable_by_key(|id| store.entry(*id).seq);
                }
            }
            Offer::Known => {}
        }
        offer
    }

    fn judge(&self, store: &Store, id: Id) -> Offer {
        let entry = store.entry(id);
        let Some(head) = self.head else { return Offer::Ahead };
        if entry.seq <= head.seq {
            let held = if entry.seq == head.seq { head.id } else { self.at(store, entry.seq) };
            let known = held == Some(id) || self.variant == Variant::UnverifiedPositions;
            return if known { Offer::Known } else { Offer::Contradicts };
        }
        // An order with holes knows no next one.
        if entry.seq > head.seq + 1 && self.variant != Variant::SequenceOrder {
            return Offer::Ahead;
        }
        let follows = entry.prev == head.id || self.variant == Variant::UncheckedPrev;
        if follows { Offer::Extends } else { Offer::Contradicts }
    }

    fn take_in_early(&mut self, store: &Store, seq: Seq, told: &mut Vec<Id>) {
        while let Some(first) = self.early.first().copied()
            && store.entry(first).seq <= seq
        {
            self.early.remove(0);
            if store.entry(first).seq == seq {
                self.take_in(store, first, told);
                return;
            }
        }
    }

    fn at(&self, store: &Store, seq: Seq) -> Option<Id> {
        self.ring.iter().copied().find(|id| store.entry(*id).seq == seq)
    }

    fn lacks(&self) -> bool {
        self.head.is_some_and(|head| self.hinted > head.seq || self.doubted)
    }

    fn begin_filling(&mut self) {
        if !self.lacks() {
            return;
        }
        match self.fill {
            Fill::Nobody => self.fill = Fill::Begun,
            _ => self.again = true,
        }
    }

    /// True if what was hinted is no entry of the log (any more): who has seen
    /// it must look for himself.
    fn end_filling(&mut self, more: bool) -> bool {
        let again = std::mem::take(&mut self.again);
        if more || again {
            self.fill = Fill::Begun;
            return false;
        }
        self.fill = Fill::Nobody;
        self.doubted = false;
        let phantom = self.lacks() && self.variant != Variant::BelievedHints;
        self.hinted = 0;
        phantom
    }

    /// A snapshot of one connection saw this head. True if that connection
    /// must look again.
    pub fn confirm(&mut self, seen: Cursor) -> bool {
        let passed = self.head.is_some_and(|head| head.seq > seen.seq);
        self.note(seen);
        passed
    }

    /// Somebody who compares saw this head.
    pub fn compare(&mut self, seen: Cursor) {
        self.moved = false;
        match self.head {
            Some(head)
                if head.seq > seen.seq
                    || head.seq == seen.seq
                        && head.id != seen.id
                        && self.variant != Variant::UnverifiedPositions =>
            {
                self.doubted = true;
                self.begin_filling();
            }
            _ => self.note(seen),
        }
    }

    fn note(&mut self, seen: Cursor) {
        match self.head {
            None => self.head = Some(seen),
            Some(_) => self.hinted = self.hinted.max(seen.seq),
        }
        self.begin_filling();
    }

    /// The filler reads.
    pub fn read(&mut self, store: &Store) {
        match self.head {
            Some(head) if self.lacks() => self.fill = Fill::Has(store.range(head, None, 9)),
            _ => drop(self.end_filling(false)),
        }
    }

    /// The filler takes in what it has read: what to tell everyone, and whether
    /// everyone must look for himself.
    pub fn fill(&mut self, store: &Store) -> (Vec<Id>, bool) {
        let mut told = vec![];
        match std::mem::take(&mut self.fill) {
            Fill::Has(Range::Entries(entries, head)) => {
                for id in entries {
                    self.take_in(store, id, &mut told);
                }
                let more = self.head.is_some_and(|reached| reached.seq < head.seq);
                let phantom = self.end_filling(more);
                (told, phantom)
            }
            Fill::Has(Range::Fork(head)) => {
                // What was hinted meanwhile may be of the log as it is now.
                (self.head, self.doubted) = (Some(head), false);
                self.ring.clear();
                self.early.clear();
                self.end_filling(false);
                (told, true)
            }
            _ => (told, false),
        }
    }

    /// What makes no difference: a hint that was answered, and that the head
    /// was moved where comparing it would find nothing.
    pub fn forget(&mut self, store: &Store) {
        if let Some(head) = self.head {
            self.hinted = if self.lacks() { self.hinted } else { 0 };
            self.moved &= !store.holds(head);
        }
    }

    /// Entries above a position, if the ring reaches down to it.
    pub fn after(&self, store: &Store, position: Cursor) -> Option<Vec<Id>> {
        let first = store.entry(*self.ring.first()?);
        if position.seq >= self.head?.seq || position.seq + 1 < first.seq {
            return None;
        }
        let above = self.ring.iter().copied();
        let above: Vec<_> = above.filter(|id| store.entry(*id).seq > position.seq).collect();
        let below = store.entry(*above.first()?).prev;
        let verified = self.variant != Variant::UnverifiedPositions;
        if verified && position.id.is_some() && below != position.id {
            return None;
        }
        Some(above)
    }
}
