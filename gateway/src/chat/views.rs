//! Conversations as one member sees them, with the unread count that goes with
//! the state of the log they show.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use super::Chat;
use crate::{
    cache::Evidence,
    model::*,
    problem::Problem,
    store::{Select, Summary, UnreadQuery},
};

impl Chat {
    /// Complete views of what `select` names, in its order.
    pub async fn views(&self, user: UserId, select: &Select) -> Result<Vec<Conversation>, Problem> {
        let summaries = self.inner.store.summaries(user, select).await?;
        Ok(self.count(user, summaries).await?.into_iter().map(|s| s.conversation).collect())
    }

    /// One view; not found for who is not a member.
    pub async fn view(&self, user: UserId, id: ConversationId) -> Result<Conversation, Problem> {
        let views = self.views(user, &Select::These(vec![id])).await?;
        views.into_iter().next().ok_or_else(Problem::not_found)
    }

    /// Every conversation of a user, newest activity first.
    pub async fn all_views(&self, user: UserId) -> Result<Vec<Conversation>, Problem> {
        self.views(user, &Select::Newest { after: None, limit: limits::CONVERSATIONS }).await
    }

    /// Fills in the unread counts as of each summary's own `last_seq`.
    pub(super) async fn count(
        &self,
        user: UserId,
        mut summaries: Vec<Summary>,
    ) -> Result<Vec<Summary>, Problem> {
        let queries: Vec<_> = summaries
            .iter()
            .map(|Summary { conversation: c, .. }| {
                let query = UnreadQuery {
                    conversation_id: c.id,
                    user_id: user,
                    last_read_seq: c.last_read_seq,
                    visible_from_seq: c.visible_from_seq,
                    as_of_seq: c.last_seq,
                };
                (query, c.last_event_id)
            })
            .collect();
        let counts = self.unread(user, &queries).await?;
        for (summary, count) in summaries.iter_mut().zip(counts) {
            summary.conversation.unread_count = count;
            summary.conversation.unread_as_of_seq = summary.conversation.last_seq;
        }
        Ok(summaries)
    }

    /// Unread counts in the order asked, each query beside the id of the entry
    /// at its `as_of_seq`. From the cache where its evidence holds, else from
    /// the store, which is then remembered.
    pub(super) async fn unread(
        &self,
        user: UserId,
        queries: &[(UnreadQuery, EventId)],
    ) -> Result<Vec<i64>, Problem> {
        let evidence = |(query, last_event_id): &(UnreadQuery, EventId)| Evidence {
            last_seq: query.as_of_seq,
            last_event_id: *last_event_id,
            last_read_seq: query.last_read_seq,
        };
        let asked = queries.iter().filter(|(query, _)| !trivial(query));
        let asked: Vec<_> = asked.map(|q| (q.0.conversation_id, evidence(q))).collect();
        let mut found = self.inner.cache.unread(user, &asked).await.into_iter();
        let cached: Vec<_> = queries
            .iter()
            .map(|(query, _)| if trivial(query) { Some(0) } else { found.next().flatten() })
            .collect();
        self.check_sample(queries, &cached);
        let missing: Vec<_> = queries
            .iter()
            .zip(&cached)
            .filter(|(_, cached)| cached.is_none())
            .map(|(query, _)| *query)
            .collect();
        let mut counted = HashMap::new();
        if !missing.is_empty() {
            let plain: Vec<_> = missing.iter().map(|(query, _)| *query).collect();
            let counts = self.inner.store.unread_counts(&plain).await?;
            let found: Vec<_> = missing
                .iter()
                .zip(counts)
                .map(|(query, count)| (query.0.conversation_id, evidence(query), count))
                .collect();
            self.inner.cache.put_unread(user, &found).await;
            counted.extend(found.into_iter().map(|(id, _, count)| (id, count)));
        }
        let answer = |((query, _), cached): (&(UnreadQuery, EventId), Option<i64>)| {
            cached.or_else(|| counted.get(&query.conversation_id).copied()).unwrap_or_default()
        };
        Ok(queries.iter().zip(cached).map(answer).collect())
    }

    /// [`Bug::HincrbyUnread`](crate::planted::Bug): one more for everyone else,
    /// whatever becomes of the message.
    pub(super) fn count_up(&self, sender: UserId, id: ConversationId) {
        let chat = self.clone();
        self.inner.shutdown.spawn(async move {
            let members = chat.inner.store.participants(id, sender, None, 5_000).await;
            let members = members.unwrap_or_default().into_iter().map(|member| member.user.id);
            let others = members.filter(|user| *user != sender).collect();
            chat.inner.cache.increment_unread(others, id).await;
        });
    }

    /// Now and then a cached count is compared with its definition; the answer
    /// does not wait for it.
    fn check_sample(&self, queries: &[(UnreadQuery, EventId)], cached: &[Option<i64>]) {
        let sampled = || CHECKED.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHECK_EVERY);
        let believed = queries.iter().zip(cached).filter(|((query, _), _)| !trivial(query));
        let hits = believed.filter_map(|((query, _), count)| Some((*query, (*count)?)));
        let sample: Vec<_> = hits.filter(|_| sampled()).collect();
        if sample.is_empty() {
            return;
        }
        let chat = self.clone();
        self.inner.shutdown.spawn(async move {
            let (queries, believed): (Vec<_>, Vec<_>) = sample.into_iter().unzip();
            if let Ok(counts) = chat.inner.store.unread_counts(&queries).await {
                let right = counts.iter().zip(&believed).map(|(count, believed)| count == believed);
                right.for_each(|right| chat.inner.metrics.unread_checked(right));
            }
        });
    }
}

/// Nothing lies above the mark: no need to ask anyone.
fn trivial(query: &UnreadQuery) -> bool {
    query.last_read_seq >= query.as_of_seq
}

/// One cached count of this many is checked.
const CHECK_EVERY: u64 = 64;
static CHECKED: AtomicU64 = AtomicU64::new(0);
