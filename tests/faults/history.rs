//! What happened in a run, as its devices and senders saw it: written down
//! while it runs, judged afterwards by [`super::checker`].

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;
use parley::model::*;
use tokio::time::Instant;

use super::figures::Latencies;

/// What a run is judged by. Each names an observation that must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Acknowledged, and not in the log as it was acknowledged.
    Lost,
    /// Two rows, two answers, or applied twice.
    Duplicated,
    /// Applied, or placed in the log, out of order.
    Reordered,
    /// Told to somebody it was not for, or written by one.
    Leaked,
    /// Refused for good, and in the log all the same; or refused without reason.
    Refused,
    /// The seqs of a log are not 1..last_seq.
    Holes,
    /// A device that is connected does not have everything.
    Incomplete,
    /// A device holds another state than a fresh snapshot.
    Diverged,
    /// A read mark went back, or beyond the log.
    Marks,
    /// An unread count is not what a recount says.
    Unread,
    /// Somebody is seen online or offline who is not.
    Presence,
    /// A log was taken for another one though no commit was ever lost.
    Fork,
    /// A 500, a panic, a deadlock.
    Broken,
    /// Not well again in time after a fault.
    Heal,
    /// With Redis away, acks or deliveries took too long.
    Slow,
    /// Memory, descriptors, tasks or connections did not come back.
    Resources,
    /// A fault that could not be injected.
    NotInjected,
}

impl Rule {
    /// Those that a planted bug must break: what a slow machine breaks, or a
    /// missing tool, tells nothing of it.
    pub fn that_find(bug: &str) -> &'static [Rule] {
        use Rule::*;
        match bug {
            "dropped-envelopes" | "dies-on-lagged" => &[Incomplete],
            "sequence-order" => &[Lost, Holes],
            "history-first" => &[Lost, Incomplete],
            "membership-in-one-statement" => &[Leaked],
            "hincrby-unread" => &[Unread],
            "ack-before-commit" => &[Lost],
            _ => &[],
        }
    }
}

/// One send, whatever became of it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub conversation: ConversationId,
    pub sender: UserId,
    pub begun: Instant,
    pub outcome: Outcome,
    /// More than one attempt was made.
    pub repeated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// No definite answer yet.
    Unknown,
    Acked {
        seq: Seq,
        id: EventId,
        at: Instant,
    },
    Refused,
}

/// The change to a message that was acknowledged last.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed {
    Edited(String),
    Deleted,
}

/// The entries a device applied one after the other, from where it started.
#[derive(Clone, Debug)]
pub struct Segment {
    pub conversation: ConversationId,
    /// The seq it started above.
    pub start: Seq,
    pub applied: Vec<EventId>,
}

#[derive(Default)]
pub struct History {
    pub sends: Mutex<HashMap<ClientMessageId, Sent>>,
    /// By conversation and the message's seq.
    pub changes: Mutex<HashMap<(ConversationId, Seq), Changed>>,
    /// The highest seq acknowledged, by conversation.
    pub acked: Mutex<HashMap<ConversationId, Seq>>,
    pub violations: Mutex<Vec<(Rule, String)>>,
    pub latencies: Latencies,
    last_ack: Mutex<Option<Instant>>,
    /// When the latest of the acknowledged sends was begun.
    newest_acked: Mutex<Option<Instant>>,
    /// Milliseconds.
    pub longest_without_ack: AtomicU64,
    /// While everything is stopped on purpose there is nothing to acknowledge.
    pub load_is_on: AtomicBool,
}

impl History {
    pub fn violation(&self, rule: Rule, what: impl Into<String>) {
        let what = what.into();
        let mut violations = self.violations.lock();
        // A thousand of the same kind tell no more than the first hundred.
        if violations.iter().filter(|(seen, _)| *seen == rule).count() < 100 {
            eprintln!("  ! {rule:?}: {what}");
            violations.push((rule, what));
        }
    }

    pub fn begin(&self, key: ClientMessageId, conversation: ConversationId, sender: UserId) {
        let (begun, outcome) = (Instant::now(), Outcome::Unknown);
        let sent = Sent { conversation, sender, begun, outcome, repeated: false };
        self.sends.lock().insert(key, sent);
    }

    /// An answer to one attempt of a send; every later one must say the same.
    pub fn answered(&self, key: ClientMessageId, answer: Outcome) {
        let mut sends = self.sends.lock();
        let sent = sends.get_mut(&key).expect("it was begun");
        match (sent.outcome, answer) {
            (_, Outcome::Unknown) => sent.repeated = true,
            (Outcome::Unknown, Outcome::Acked { seq, at, .. }) => {
                sent.outcome = answer;
                if !sent.repeated {
                    self.latencies.acked(sent.begun);
                }
                let mut acked = self.acked.lock();
                let highest = acked.entry(sent.conversation).or_default();
                *highest = (*highest).max(seq);
                drop(acked);
                let mut newest = self.newest_acked.lock();
                *newest = (*newest).max(Some(sent.begun));
                drop(newest);
                self.note_ack(at);
            }
            (Outcome::Unknown, Outcome::Refused) => sent.outcome = answer,
            (Outcome::Acked { seq, id, .. }, Outcome::Acked { seq: again, id: id_again, .. }) => {
                if (seq, id) != (again, id_again) {
                    let what =
                        format!("{key} was acknowledged as {seq} {id} and {again} {id_again}");
                    drop(sends);
                    self.violation(Rule::Duplicated, what);
                }
            }
            // Who was removed in between may be refused a repeat's twin only
            // where nothing was written.
            (Outcome::Acked { .. }, Outcome::Refused) => {
                drop(sends);
                self.violation(
                    Rule::Refused,
                    format!("the repeat of {key}, which was acknowledged"),
                );
            }
            // Its twin came later, when the sender had been let in again.
            (Outcome::Refused, Outcome::Acked { .. }) => sent.outcome = answer,
            (Outcome::Refused, Outcome::Refused) => {}
        }
    }

    fn note_ack(&self, at: Instant) {
        let before = self.last_ack.lock().replace(at);
        if let Some(before) = before
            && self.load_is_on.load(Relaxed)
        {
            let silent = at.saturating_duration_since(before).as_millis() as u64;
            self.longest_without_ack.fetch_max(silent, Relaxed);
        }
    }

    /// Whether something was acknowledged that was begun after `moment`.
    pub fn acked_since(&self, moment: Instant) -> bool {
        self.newest_acked.lock().is_some_and(|newest| newest > moment)
    }

    /// Sends without a definite answer.
    pub fn unknown(&self) -> usize {
        let sends = self.sends.lock();
        sends.values().filter(|sent| sent.outcome == Outcome::Unknown).count()
    }

    pub fn broke(&self, rule: Rule) -> usize {
        self.violations.lock().iter().filter(|(broken, _)| *broken == rule).count()
    }
}
