//! What the database does: one log behind a lock, the doorbells of its
//! transactions, and a server that may lose its last commits.

use super::Variant;

pub type Seq = u8;
/// Of an event; the lowest is 1.
pub type Id = u8;

/// A place in a log; without an id, right before the reader's first entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cursor {
    pub seq: Seq,
    pub id: Option<Id>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    Created,
    /// By its number in the workload.
    Text(usize),
    /// Bo is removed, and added again.
    Removed,
    Added,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    pub seq: Seq,
    pub prev: Option<Id>,
    pub what: What,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// For the lock. Beside it, what the worse designs know by now.
    Waiting {
        may: bool,
        seq: Seq,
    },
    Committed(Id),
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Transaction {
    pub xid: u8,
    pub replica: usize,
    pub what: What,
    pub phase: Phase,
}

/// What became of a message that got the lock.
pub enum Judged {
    Committed,
    Repeat(Id),
    Refused,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Position {
    xmin: u8,
    handled: Vec<u8>,
}

/// Answer of a range read.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Range {
    Entries(Vec<Id>, Cursor),
    Fork(Cursor),
    Gone,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Store {
    variant: Variant,
    /// All that were ever committed, by id.
    entries: Vec<Entry>,
    /// In the order of their seqs.
    log: Vec<Id>,
    lost: Vec<Id>,
    pub transactions: Vec<Transaction>,
    doorbells: Vec<(u8, Id)>,
    next_xid: u8,
    /// A SEQUENCE, where that is what makes the order.
    next_seq: Seq,
}

impl Store {
    pub fn new(variant: Variant) -> Self {
        Self {
            variant,
            entries: vec![Entry { seq: 1, prev: None, what: What::Created }],
            log: vec![1],
            lost: vec![],
            transactions: vec![],
            doorbells: vec![],
            next_xid: 1,
            next_seq: 2,
        }
    }

    pub fn entry(&self, id: Id) -> Entry {
        self.entries[usize::from(id) - 1]
    }

    pub fn head(&self) -> Cursor {
        let id = self.log.last().copied();
        Cursor { seq: id.map_or(0, |id| self.entry(id).seq), id }
    }

    pub fn holds(&self, at: Cursor) -> bool {
        self.at(at.seq) == at.id
    }

    fn at(&self, seq: Seq) -> Option<Id> {
        self.log.iter().copied().find(|id| self.entry(*id).seq == seq)
    }

    /// Where Bo's membership began, if it lasts.
    pub fn membership(&self) -> Option<Seq> {
        self.membership_at(self.log.last().copied())
    }

    /// The same after an entry, whatever log that is of.
    pub fn membership_at(&self, mut id: Option<Id>) -> Option<Seq> {
        loop {
            let entry = self.entry(id?);
            match entry.what {
                What::Removed => return None,
                What::Created | What::Added => return Some(entry.seq),
                What::Text(_) => id = entry.prev,
            }
        }
    }

    // ---- writing

    pub fn begin(&mut self, replica: usize, what: What) -> u8 {
        let xid = self.next_xid;
        self.next_xid += 1;
        let phase = Phase::Waiting { may: self.may(what), seq: self.next_seq };
        if self.variant == Variant::SequenceOrder {
            self.next_seq += 1;
        }
        self.transactions.push(Transaction { xid, replica, what, phase });
        xid
    }

    /// Odd ones are Bo's.
    fn may(&self, what: What) -> bool {
        match what {
            What::Text(number) => number.is_multiple_of(2) || self.membership().is_some(),
            What::Removed => self.membership().is_some(),
            What::Created | What::Added => self.membership().is_none(),
        }
    }

    /// Gets the lock, judges, writes and commits: nobody sees anything of it
    /// in between.
    pub fn commit(&mut self, xid: u8) -> Judged {
        let at = self.place_of(xid);
        let what = self.transactions[at].what;
        let Phase::Waiting { may: might, seq: drawn } = self.transactions[at].phase else {
            return Judged::Refused;
        };
        let known = self.log.iter().copied().find(|id| self.entry(*id).what == what);
        if let (What::Text(_), Some(id)) = (what, known) {
            self.transactions.remove(at);
            return Judged::Repeat(id);
        }
        let may = if self.variant == Variant::MembershipFirst { might } else { self.may(what) };
        if !may {
            self.transactions.remove(at);
            return Judged::Refused;
        }
        let head = self.head();
        let seq = if self.variant == Variant::SequenceOrder { drawn } else { head.seq + 1 };
        self.entries.push(Entry { seq, prev: head.id, what });
        let id = self.newest();
        let place = self.log.partition_point(|below| self.entry(*below).seq < seq);
        self.log.insert(place, id);
        self.doorbells.push((xid, id));
        self.transactions[at].phase = Phase::Committed(id);
        Judged::Committed
    }

    pub fn newest(&self) -> Id {
        self.entries.len() as Id
    }

    pub fn end(&mut self, xid: u8) -> Transaction {
        let at = self.place_of(xid);
        self.transactions.remove(at)
    }

    fn place_of(&self, xid: u8) -> usize {
        self.transactions.iter().position(|t| t.xid == xid).expect("it runs")
    }

    /// The last `count` commits, and whatever was under way.
    pub fn fork(&mut self, count: usize) {
        let lost = self.log.split_off(self.log.len() - count);
        self.doorbells.retain(|(_, id)| !lost.contains(id));
        self.lost.extend(lost);
        self.transactions.retain(|t| matches!(t.phase, Phase::Committed(_)));
    }

    /// Entries that a fork may take: not the first.
    pub fn forkable(&self) -> usize {
        self.log.len() - 1
    }

    // ---- reading

    /// For Bo where a membership is given.
    pub fn range(&self, after: Cursor, membership: Option<Seq>, limit: usize) -> Range {
        let head = self.head();
        if membership.is_some() && self.membership() != membership {
            return Range::Gone;
        }
        let verified = self.variant != Variant::UnverifiedPositions;
        let elsewhere = verified && after.id.is_some() && self.at(after.seq) != after.id;
        if after.seq > head.seq || elsewhere {
            return Range::Fork(head);
        }
        let above = self.log.iter().copied().filter(|id| self.entry(*id).seq > after.seq);
        Range::Entries(above.take(limit).collect(), head)
    }

    /// What was rung since a position, and the next one.
    pub fn poll(&self, from: Option<&Position>) -> (Vec<Id>, Position) {
        let begun = from.map_or(0, |from| from.xmin);
        let rung = self.doorbells.iter().filter(|(xid, _)| *xid >= begun);
        let handled = |xid| from.is_some_and(|from| from.handled.contains(xid));
        let new = rung.clone().filter(|(xid, _)| !handled(xid)).map(|(_, id)| *id).collect();
        if self.variant == Variant::PlainPosition {
            let highest = rung.map(|(xid, _)| xid + 1).max().unwrap_or(begun);
            return (new, Position { xmin: highest, handled: vec![] });
        }
        let running = |t: &&Transaction| !matches!(t.phase, Phase::Committed(_));
        let running = self.transactions.iter().filter(running).map(|t| t.xid);
        let xmin = running.min().unwrap_or(self.next_xid);
        let mut handled: Vec<_> = rung.map(|(xid, _)| *xid).filter(|xid| *xid >= xmin).collect();
        handled.sort_unstable();
        (new, Position { xmin, handled })
    }

    /// Forgets what makes no difference to what may come: how far a position
    /// is beyond the last doorbell that it has not heard, and doorbells that
    /// everyone has heard.
    pub fn forget<'a>(&mut self, positions: impl Iterator<Item = &'a mut Position>) {
        if self.variant == Variant::PlainPosition {
            return;
        }
        let positions: Vec<_> = positions.collect();
        let runs = |xid: u8| {
            let mut running = self.transactions.iter().filter(|t| t.xid == xid);
            running.any(|t| !matches!(t.phase, Phase::Committed(_)))
        };
        let rung = |xid: u8| self.doorbells.iter().any(|(rung, _)| *rung == xid);
        let mut heard_by_all = self.next_xid;
        for position in positions {
            while position.xmin < self.next_xid
                && !runs(position.xmin)
                && (!rung(position.xmin) || position.handled.contains(&position.xmin))
            {
                position.xmin += 1;
            }
            position.handled.retain(|xid| *xid >= position.xmin);
            heard_by_all = heard_by_all.min(position.xmin);
        }
        self.doorbells.retain(|(xid, _)| *xid >= heard_by_all);
    }

    // ---- rules

    /// What must hold of any log, whoever reads it.
    pub fn check(&self, acked: impl Iterator<Item = (usize, Id)>) -> Result<(), String> {
        for (number, id) in acked {
            if !self.log.contains(&id) && !self.lost.contains(&id) {
                return Err(format!("message {number} is acknowledged and not committed"));
            }
        }
        for (at, id) in self.log.iter().enumerate() {
            let Entry { seq, what, prev } = self.entry(*id);
            let What::Text(number) = what else { continue };
            if self.log[..at].iter().any(|other| self.entry(*other).what == what) {
                return Err(format!("message {number} is in the log twice"));
            }
            if number % 2 == 1 && self.membership_at(prev).is_none() {
                return Err(format!("the log has a message of a removed member at {seq}"));
            }
        }
        Ok(())
    }
}
