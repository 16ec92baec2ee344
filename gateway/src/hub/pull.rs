//! How connections that are behind catch up: at their own pace, from their own
//! positions, out of the rings or else the store. Many that ask at once are
//! answered by one statement, and what it found is in the rings for who asks
//! next: after a replica died, a group's devices come back from the same place.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Hub, channel::Channel, registry::Joined};
use crate::{
    merge::Merge,
    metrics::Metrics,
    model::{Cursor, Entry, Seq},
    shutdown::Shutdown,
    store::{Head, LogRange, RangeQuery, Reader, Result, Store, StoreError},
};

/// Conversations that one connection asks about at once.
pub const PULLS: usize = 16;
/// What all that one connection asks for at once weighs, in bytes, at most, and
/// what one range of it does: who takes it keeps it for as long as their client
/// does not read. One entry always comes, whatever it weighs.
const PULLED_BYTES: usize = 256 * 1024;
const RANGE_BYTES: usize = 64 * 1024;
/// Entries of one range.
const RANGE_ENTRIES: i64 = 200;
/// Connections answered by one statement.
const AT_ONCE: usize = 16;
/// Then a read is asked for a second time: its connection to the database may
/// lead nowhere, which is known for certain only much later.
const SECOND_TRY: Duration = Duration::from_secs(2);

/// Of a position, for one reader.
#[derive(Clone)]
pub struct Pull {
    channel: Arc<Channel>,
    position: Cursor,
    reader: Reader,
}

/// What lies above it.
#[derive(Clone)]
pub enum Pulled {
    /// Dense from the position on; `complete` when they reach the head.
    Entries { entries: Vec<Arc<Entry>>, complete: bool },
    /// The log does not hold the position.
    Fork,
    /// The reader's membership has ended.
    Gone { left_seq: Option<Seq> },
}

/// Where the log ends, when the store was asked, beside the answer.
type Answer = (Option<Head>, Result<Pulled>);

pub(super) type Reads = Merge<Vec<Pull>, Vec<Answer>>;

/// Reads for everybody, one statement at a time: *what is read once is not read
/// again for who asked meanwhile*.
pub(super) fn reads(store: &Store, metrics: &Metrics, shutdown: &Shutdown) -> Reads {
    let (store, metrics) = (store.clone(), metrics.clone());
    Merge::start(shutdown, "reads", AT_ONCE, move |asked: Vec<Vec<Pull>>| {
        let (store, metrics) = (store.clone(), metrics.clone());
        async move { read(&store, &metrics, asked).await }
    })
}

impl Joined {
    pub fn pull(&self, position: Cursor, reader: Reader) -> Pull {
        Pull { channel: self.channel.clone(), position, reader }
    }
}

impl Pull {
    fn of_ring(&self, bytes: usize, metrics: &Metrics) -> Option<Pulled> {
        let (entries, complete) = self.channel.read(self.position, bytes)?;
        metrics.gap_filled("ring", entries.len());
        Some(Pulled::Entries { entries, complete })
    }
}

impl Hub {
    /// At most [`PULLS`]; answers in the order asked. Nothing is read in the
    /// store for a reader whose interval has ended: the same statement checks
    /// it.
    pub async fn pull(&self, pulls: Vec<Pull>) -> Vec<Result<Pulled>> {
        let (bytes, metrics) = (share(pulls.len()), &self.inner.metrics);
        let held: Vec<_> = pulls.iter().map(|pull| pull.of_ring(bytes, metrics)).collect();
        let missing = pulls.iter().zip(&held).filter(|(_, held)| held.is_none());
        let missing: Vec<_> = missing.map(|(pull, _)| pull.clone()).collect();
        let answers = match missing.is_empty() {
            true => Vec::new(),
            false => self.inner.reads.ask(missing).await.unwrap_or_default(),
        };
        let mut answers = answers.into_iter();
        let ending = || Err(StoreError::Unavailable("the replica ends".into()));
        let answer = |(pull, held): (Pull, Option<Pulled>)| {
            if let Some(held) = held {
                return Ok(held);
            }
            let Some((head, answer)) = answers.next() else { return ending() };
            if head.is_some_and(|head| pull.channel.compare(head.seq, head.event_id)) {
                self.fill(pull.channel);
            }
            answer
        };
        pulls.into_iter().zip(held).map(answer).collect()
    }
}

/// What each of so many ranges of one connection may weigh.
fn share(pulls: usize) -> usize {
    (PULLED_BYTES / pulls.max(1)).min(RANGE_BYTES)
}

async fn read(store: &Store, metrics: &Metrics, asked: Vec<Vec<Pull>>) -> Vec<Vec<Answer>> {
    // Each range once, for nobody; and each reader's right to it, without its
    // entries.
    let mut ranges: Vec<(Arc<Channel>, RangeQuery)> = Vec::new();
    let (mut rights, mut plan) = (Vec::new(), Vec::new());
    let mut known = HashMap::new();
    for pulls in &asked {
        let bytes = share(pulls.len());
        let weight = i64::try_from(bytes).unwrap_or(i64::MAX);
        for pull in pulls {
            // Read for somebody else since it was asked?
            if let Some(held) = pull.of_ring(bytes, metrics) {
                plan.push(Err(held));
                continue;
            }
            let (conversation_id, after) = (pull.channel.id, pull.position);
            let query =
                |reader, limit| RangeQuery { conversation_id, after, reader, limit, weight };
            let range = *known.entry((conversation_id, after)).or_insert_with(|| {
                ranges.push((pull.channel.clone(), query(None, RANGE_ENTRIES)));
                ranges.len() - 1
            });
            ranges[range].1.weight = ranges[range].1.weight.max(weight);
            rights.push(query(Some(pull.reader), 0));
            plan.push(Ok(range));
        }
    }
    let queries: Vec<_> = ranges.iter().map(|(_, query)| *query).chain(rights).collect();
    let mut answers = match queries.is_empty() {
        true => Vec::new(),
        false => {
            metrics.log_read(ranges.len());
            match log_ranges(store, &queries).await {
                Ok(answers) => answers,
                Err(error) => queries.iter().map(|_| Err(error.clone())).collect(),
            }
        }
    }
    .into_iter();
    let ranges: Vec<_> = ranges
        .iter()
        .zip(answers.by_ref())
        .map(|((channel, query), range)| range.map(|range| found(channel, query, range, metrics)))
        .collect();
    let mut plan = plan.into_iter();
    let mut answer = |_: &Pull| match plan.next() {
        Some(Ok(range)) => judged(answers.next(), &ranges[range]),
        Some(Err(held)) => (None, Ok(held)),
        None => (None, Err(StoreError::Unexpected("a plan for each question".into()))),
    };
    asked.iter().map(|pulls| pulls.iter().map(&mut answer).collect()).collect()
}

async fn log_ranges(store: &Store, queries: &[RangeQuery]) -> Result<Vec<Result<LogRange>>> {
    match timeout(SECOND_TRY, store.log_ranges(queries)).await {
        Ok(answers) => answers,
        Err(_) => store.log_ranges(queries).await,
    }
}

/// What a range holds for whoever may read it; encoded once, and left in the
/// ring for who asks next.
fn found(
    channel: &Channel,
    query: &RangeQuery,
    range: LogRange,
    metrics: &Metrics,
) -> (Option<Head>, Pulled) {
    match range {
        LogRange::Entries { entries, head } => {
            metrics.gap_filled("store", entries.len());
            let mut entries: Vec<_> = entries.into_iter().map(Entry::encode).collect();
            channel.extend_down(&entries);
            // The store weighs texts; written as JSON one may be six times that.
            let bytes = usize::try_from(query.weight).unwrap_or(usize::MAX);
            entries.truncate(Entry::fitting(&entries, bytes).max(1));
            let reached = entries.last().map(|entry| entry.seq);
            let complete = reached.is_none_or(|reached| reached >= head.seq);
            (Some(head), Pulled::Entries { entries, complete })
        }
        LogRange::Fork { .. } => (None, Pulled::Fork),
        LogRange::Gone { .. } => (None, Pulled::Gone { left_seq: None }),
    }
}

/// The range, if this reader has a right to it.
fn judged(right: Option<Result<LogRange>>, range: &Result<(Option<Head>, Pulled)>) -> Answer {
    let range = match (right, range) {
        (Some(Ok(LogRange::Gone { left_seq })), _) => Ok((None, Pulled::Gone { left_seq })),
        (Some(Ok(_)), Ok(range)) => Ok(range.clone()),
        (Some(Err(error)), _) => Err(error),
        (_, Err(error)) => Err(error.clone()),
        (None, _) => Err(StoreError::Unexpected("an answer for each query".into())),
    };
    match range {
        Ok((head, pulled)) => (head, Ok(pulled)),
        Err(error) => (None, Err(error)),
    }
}
