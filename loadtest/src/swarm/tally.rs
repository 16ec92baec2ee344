//! What a swarm has counted.

use std::{
    collections::HashMap,
    fmt::{self, Display},
    ops::AddAssign,
    time::Instant,
};

use uuid::Uuid;

use crate::statistics::percentile;

/// What must not happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    /// Conversations that a device was told to begin anew.
    pub reset: u64,
    /// Sends that were answered with an error.
    pub refused: u64,
    /// Connections that ended by themselves.
    pub ended: u64,
}

impl Wrong {
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl AddAssign for Wrong {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.reset += other.reset;
        self.refused += other.refused;
        self.ended += other.ended;
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, reordered, reset, refused, ended } = self;
        write!(
            f,
            "WRONG: lost {lost}, doubled {doubled}, out of order {reordered}, \
             conversations reset {reset}, sends refused {refused}, connections ended {ended}"
        )
    }
}

/// The acknowledged stretch of a log.
struct Stretch {
    lowest: i64,
    highest: i64,
    count: i64,
}

pub struct Tally {
    epoch: Instant,
    pub wrong: Wrong,
    /// New messages, at all devices.
    pub delivered: u64,
    /// Bytes of their frames, with the frames' heads.
    pub bytes: u64,
    /// Sockets whose sends were answered, once for each, until somebody takes
    /// note.
    pub answers: Vec<usize>,
    /// Sockets that became live or ended, likewise.
    pub changed: Vec<usize>,
    /// Of one in so many deliveries the latency is taken; 0 for none.
    pub sample_every: u64,
    /// In milliseconds.
    latencies: Vec<f64>,
    /// What the first refused send was told.
    pub refusal: Option<String>,
    logs: HashMap<Uuid, Stretch>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            wrong: Wrong::default(),
            delivered: 0,
            bytes: 0,
            answers: Vec::new(),
            changed: Vec::new(),
            sample_every: 0,
            latencies: Vec::new(),
            refusal: None,
            logs: HashMap::new(),
        }
    }

    /// The clock that messages are stamped with, in nanoseconds.
    pub fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    pub(super) fn delivery(&mut self, length: usize, sent_at: impl FnOnce() -> Option<u64>) {
        self.delivered += 1;
        self.bytes += length as u64;
        if self.sample_every > 0
            && self.delivered.is_multiple_of(self.sample_every)
            && let Some(sent) = sent_at()
        {
            self.latencies.push(self.now().saturating_sub(sent) as f64 / 1e6);
        }
    }

    pub(super) fn acknowledge(&mut self, socket: usize, conversation: Uuid, seq: i64) {
        self.answers.push(socket);
        self.logs
            .entry(conversation)
            .and_modify(|log| {
                log.lowest = log.lowest.min(seq);
                log.highest = log.highest.max(seq);
                log.count += 1;
            })
            .or_insert(Stretch { lowest: seq, highest: seq, count: 1 });
    }

    pub(super) fn refuse(&mut self, socket: usize, frame: &[u8]) {
        self.answers.push(socket);
        self.wrong.refused += 1;
        self.refusal.get_or_insert_with(|| String::from_utf8_lossy(frame).into_owned());
    }

    /// The highest seq that was acknowledged in a conversation.
    pub(super) fn acknowledged(&self, conversation: Uuid) -> Option<i64> {
        self.logs.get(&conversation).map(|log| log.highest)
    }

    /// Expects what another swarm was acknowledged.
    pub fn expect(&mut self, other: &mut Self) {
        self.logs.extend(other.logs.drain());
    }

    /// The latency that this share of the samples since the last call did not
    /// exceed, in milliseconds.
    pub fn latency(&mut self, share: f64) -> f64 {
        percentile(&mut std::mem::take(&mut self.latencies), share)
    }

    /// Places that were given to no acknowledged message, or to two: while only
    /// this swarm writes there are none.
    pub(super) fn written_twice(&self) -> u64 {
        self.logs.values().map(|log| (log.highest - log.lowest + 1).abs_diff(log.count)).sum()
    }
}
