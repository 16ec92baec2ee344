//! Which channels this replica listens to, or should. Pure: what Redis is told
//! follows from it.
//!
//! *A topic is confirmed only while this very connection to Redis has said so.*

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use crate::model::Topic;

/// How long a channel nobody needs is kept: most who leave come back at once.
const LINGER: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Held {
    topics: HashMap<Topic, Subscription>,
    /// To subscribe, the most urgent first: those somebody waits for, then,
    /// after a new connection, the most recently active.
    due: VecDeque<Topic>,
    waiting: HashMap<Topic, Vec<Waiting>>,
    /// Nobody needs them since; in order of time.
    lingering: VecDeque<(Instant, Topic)>,
}

struct Subscription {
    /// Null while somebody needs it.
    released_at: Option<Instant>,
    confirmed: bool,
    /// Counts up with everything heard: the order to come back in.
    active: u32,
}

/// Somebody who waits for several topics holds the other end; it resolves when
/// the last of its clones is dropped.
type Waiting = Arc<oneshot::Sender<()>>;

impl Held {
    /// Listening to these for as long as it lives.
    pub(super) fn holding(topics: &[Topic]) -> Self {
        let mut held = Self::default();
        // Nobody waits for them.
        drop(held.want(topics));
        held
    }

    /// Somebody needs these. Null when all of them are confirmed already, else
    /// what resolves (by being closed) once they are.
    pub(super) fn want(&mut self, topics: &[Topic]) -> Option<oneshot::Receiver<()>> {
        let (done, confirmed) = oneshot::channel();
        let done = Arc::new(done);
        for topic in topics {
            let new = !self.topics.contains_key(topic);
            let fresh = || Subscription { released_at: None, confirmed: false, active: 0 };
            let subscription = self.topics.entry(*topic).or_insert_with(fresh);
            subscription.released_at = None;
            if !subscription.confirmed {
                self.waiting.entry(*topic).or_default().push(done.clone());
            }
            if new {
                self.due.push_front(*topic);
            }
        }
        // The only one left: nothing is missing.
        (Arc::strong_count(&done) > 1).then_some(confirmed)
    }

    /// Nobody here needs these any more.
    pub(super) fn release(&mut self, topics: &[Topic], now: Instant) {
        for topic in topics {
            if let Some(subscription) = self.topics.get_mut(topic) {
                subscription.released_at = Some(now);
                self.lingering.push_back((now, *topic));
            }
        }
    }

    /// At most `limit` topics to subscribe to next.
    pub(super) fn next_due(&mut self, limit: usize) -> Vec<Topic> {
        let mut next = Vec::new();
        while next.len() < limit
            && let Some(topic) = self.due.pop_front()
        {
            // Released meanwhile, or asked for twice: nothing to do.
            if self.topics.get(&topic).is_some_and(|s| !s.confirmed) {
                next.push(topic);
            }
        }
        next
    }

    /// Redis has said so.
    pub(super) fn confirm(&mut self, topics: &[Topic]) {
        for topic in topics {
            if let Some(subscription) = self.topics.get_mut(topic) {
                subscription.confirmed = true;
            }
            self.waiting.remove(topic);
        }
    }

    /// They could not be subscribed to: they stay due, and nobody waits longer.
    pub(super) fn failed(&mut self, topics: Vec<Topic>) {
        self.due.extend(topics);
        self.waiting.clear();
    }

    /// At most `limit` topics that nobody has needed for long enough; they are
    /// forgotten here, so Redis must be told.
    pub(super) fn next_expired(&mut self, limit: usize, now: Instant) -> Vec<Topic> {
        let mut expired = Vec::new();
        while expired.len() < limit
            && let Some((since, topic)) = self.lingering.front().copied()
            && now >= since + LINGER
        {
            self.lingering.pop_front();
            // Taken up again meanwhile, or released once more, later?
            if self.topics.get(&topic).is_some_and(|s| s.released_at == Some(since)) {
                self.topics.remove(&topic);
                expired.push(topic);
            }
        }
        expired
    }

    /// When the next topic may be forgotten.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.lingering.front().map(|(since, _)| *since + LINGER)
    }

    /// Something was heard there.
    pub(super) fn active(&mut self, topic: Topic, at: u32) {
        if let Some(subscription) = self.topics.get_mut(&topic) {
            subscription.active = at;
        }
    }

    /// A new connection knows nothing of the old one's channels: all that are
    /// needed become due, the most recently active first. Whether anything was
    /// listened to before.
    pub(super) fn start_over(&mut self) -> bool {
        self.topics.retain(|_, subscription| subscription.released_at.is_none());
        self.lingering.clear();
        let mut due: Vec<_> = self.topics.iter_mut().collect();
        due.sort_by_key(|(_, subscription)| std::cmp::Reverse(subscription.active));
        self.due.clear();
        let mut listened = false;
        for (topic, subscription) in due {
            listened |= std::mem::replace(&mut subscription.confirmed, false);
            self.due.push_back(*topic);
        }
        listened
    }

    /// Channels listened to, or about to be.
    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UserId;

    fn topics<const N: usize>() -> [Topic; N] {
        std::array::from_fn(|_| Topic::User(UserId::new()))
    }

    #[tokio::test]
    async fn who_waits_is_told_once_all_is_confirmed() {
        let [a, b] = topics();
        let mut held = Held::default();
        let both = held.want(&[a, b]).expect("nothing is confirmed yet");
        let mut due = held.next_due(10);
        due.sort_unstable();
        assert_eq!(due, [a.min(b), a.max(b)]);
        held.confirm(&[a]);
        assert!(held.want(&[a]).is_none(), "confirmed already");
        held.confirm(&[b]);
        let _ = both.await;
        assert_eq!(held.next_due(10), []);
        assert!(held.want(&[a, b]).is_none());
    }

    #[tokio::test]
    async fn a_channel_lingers_before_it_is_given_up() {
        let [a, b] = topics();
        let mut held = Held::default();
        drop(held.want(&[a, b]));
        held.confirm(&[a, b]);
        let now = Instant::now();
        held.release(&[a, b], now);
        assert_eq!(held.next_expired(10, now), []);
        assert!(held.want(&[b]).is_none(), "still there");
        assert_eq!(held.next_expired(10, now + LINGER), [a]);
        held.release(&[b], now + LINGER);
        assert_eq!(held.next_expired(10, now + LINGER), []);
        assert_eq!(held.next_expired(10, now + LINGER * 2), [b]);
        assert_eq!(held.len(), 0);
    }

    #[tokio::test]
    async fn after_a_new_connection_the_active_ones_come_first() {
        let [a, b, c] = topics();
        let mut held = Held::default();
        drop(held.want(&[a, b, c]));
        held.confirm(&[a, b, c]);
        held.active(b, 9);
        held.active(c, 5);
        held.release(&[a], Instant::now());
        assert!(held.start_over());
        assert_eq!(held.next_due(10), [b, c], "and who is not needed does not come back");
        assert!(held.want(&[b]).is_some(), "no longer confirmed");
    }

    #[tokio::test]
    async fn a_failure_keeps_nobody_waiting() {
        let [a] = topics();
        let mut held = Held::default();
        let waiting = held.want(&[a]).expect("not confirmed");
        let due = held.next_due(10);
        held.failed(due);
        let _ = waiting.await;
        assert_eq!(held.next_due(10), [a], "it stays due");
    }
}
