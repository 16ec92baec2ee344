//! The delivery of one conversation as a small machine, and every state that it
//! can get into: sends, crashes, envelopes that are lost, repeated or overtaken,
//! connections that end, polls, removals, and a database that loses its end, in
//! any order. The design must hold in all of them; each design that is a little
//! worse must not.
//!
//! There is no time: what comes by itself may come late, but it comes. A
//! transaction waits and then commits in one step, since nobody sees into it; a
//! connection pulls and tells in one step. Limits are as small as they can be
//! and still be reached: two entries in a ring, one in a mailbox, two in a page.

mod delivery;
mod explorer;
mod hub;
mod store;
mod world;

use explorer::explore;

/// The design, or what somebody might have built instead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Variant {
    #[default]
    Design,
    /// Nobody polls.
    NoFeed,
    /// The order is a SEQUENCE's, without the conversation's lock.
    SequenceOrder,
    /// The snapshot is read before the topics are joined.
    HistoryFirst,
    /// Membership is judged before the lock is had.
    MembershipFirst,
    /// The answer comes before the commit.
    AckFirst,
    /// A lag ends the listening, and the polling with it.
    DeafAfterLag,
    /// A poll reads what lies above the highest doorbell seen.
    PlainPosition,
    /// A position is a number alone.
    UnverifiedPositions,
    /// An envelope with the next number is the next one.
    UncheckedPrev,
    /// What an envelope or a read has told is not compared by the next poll.
    BelievedHeads,
    /// A removal that was told is not looked up.
    BelievedRemovals,
    /// A hint that the store knows nothing of is dropped.
    BelievedHints,
}

/// What may happen, in any order.
#[derive(Clone, Copy)]
pub struct Scope {
    pub variant: Variant,
    /// Bo's, and Ada's.
    pub devices: usize,
    /// Even ones are Ada's, odd ones Bo's.
    pub messages: &'static [usize],
    /// Replicas that take them.
    pub through: &'static [usize],
    pub left: Left,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// Repeats included.
    pub sends: u8,
    /// Of Bo's membership.
    pub changes: u8,
    /// Crashes, lost and repeated envelopes, lags, lost connections.
    pub faults: u8,
    pub forks: u8,
}

const BOTH: &[usize] = &[0, 1];
const OTHER: &[usize] = &[1];

const fn scope(devices: usize, messages: &'static [usize], through: &'static [usize]) -> Scope {
    let left = Left { sends: messages.len() as u8, changes: 0, faults: 0, forks: 0 };
    Scope { variant: Variant::Design, devices, messages, through, left }
}

impl Scope {
    const fn with(mut self, repeats: u8, changes: u8, faults: u8, forks: u8) -> Self {
        self.left.sends += repeats;
        (self.left.changes, self.left.faults, self.left.forks) = (changes, faults, forks);
        self
    }
}

const FAULTS: Scope = scope(1, &[0], BOTH).with(0, 0, 3, 1);
const REPEATS: Scope = scope(1, &[0], BOTH).with(1, 0, 2, 0);
const TWO_DEVICES: Scope = scope(2, &[0], BOTH).with(0, 0, 1, 0);
const TWO_DEVICES_FORK: Scope = scope(2, &[0], OTHER).with(0, 0, 0, 1);
const TWO_DEVICES_CHANGE: Scope = scope(2, &[1], OTHER).with(0, 1, 0, 0);
const CHANGE: Scope = scope(1, &[1], BOTH).with(0, 1, 1, 0);
const CHANGE_FORK: Scope = scope(1, &[1], BOTH).with(0, 1, 0, 1);
const RETURN: Scope = scope(1, &[], BOTH).with(0, 2, 1, 0);
const RETURN_FORK: Scope = scope(1, &[], BOTH).with(0, 2, 0, 1);
const TWO_SENDERS: Scope = scope(1, &[0, 1], BOTH).with(0, 0, 1, 0);
const TWO_SENDERS_FORK: Scope = scope(1, &[0, 1], BOTH).with(0, 0, 0, 1);
const THREE_SENDS: Scope = scope(1, &[0, 1, 2], OTHER);
const THREE_SENDS_FORK: Scope = scope(1, &[0, 2], OTHER).with(1, 0, 0, 1);

/// Everything at once has more states than anyone has time for; what goes wrong
/// takes two or three of these things to meet.
const SCOPES: [Scope; 13] = [
    FAULTS,
    REPEATS,
    TWO_DEVICES,
    TWO_DEVICES_FORK,
    TWO_DEVICES_CHANGE,
    CHANGE,
    CHANGE_FORK,
    RETURN,
    RETURN_FORK,
    TWO_SENDERS,
    TWO_SENDERS_FORK,
    THREE_SENDS,
    THREE_SENDS_FORK,
];

/// Each worse design, and where it is seen to be one.
const PLANTED: [(Variant, Scope); 12] = [
    (Variant::NoFeed, FAULTS),
    (Variant::SequenceOrder, TWO_SENDERS),
    (Variant::HistoryFirst, FAULTS),
    (Variant::MembershipFirst, CHANGE),
    (Variant::AckFirst, FAULTS),
    (Variant::DeafAfterLag, TWO_SENDERS),
    (Variant::PlainPosition, TWO_SENDERS),
    (Variant::UnverifiedPositions, TWO_SENDERS_FORK),
    (Variant::UncheckedPrev, THREE_SENDS_FORK),
    (Variant::BelievedHeads, FAULTS),
    (Variant::BelievedRemovals, CHANGE_FORK),
    (Variant::BelievedHints, FAULTS),
];

/// States below which a pass would prove little.
const LEAST: usize = 10_000;

#[test]
fn the_design_holds_in_every_state() {
    let mut states = 0;
    for scope in SCOPES {
        let explored = explore(&scope);
        println!("{:8} states, {:3} of them at rest: {scope}", explored.states, explored.settled);
        if let Some(broken) = explored.broken {
            panic!("the design is broken, with {scope}:\n{broken}");
        }
        states += explored.states;
    }
    println!("{states:8} states explored");
    assert!(states >= LEAST, "{states} states are too few");
}

#[test]
fn every_worse_design_is_found_out() {
    for (variant, scope) in PLANTED {
        let explored = explore(&Scope { variant, ..scope });
        let Some(broken) = explored.broken else { panic!("{variant:?} passes for the design") };
        println!("{variant:?}, found after {} states:\n{broken}\n", explored.states);
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Left { sends, changes, faults, forks } = self.left;
        write!(f, "{} devices, {sends} sends, {changes} changes of membership, ", self.devices)?;
        write!(f, "{faults} faults, {forks} forks")
    }
}
