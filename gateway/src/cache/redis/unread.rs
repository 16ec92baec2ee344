//! Unread counts: a hash per user, `unread:{user}`, a field per conversation.
//! A field holds the count beside the evidence it was computed from, and is
//! believed only with it: nothing is ever incremented, so nothing can drift.

use super::RedisCache;
use crate::{
    cache::Evidence,
    model::{ConversationId, UserId},
    planted::{self, Bug},
    redis::fred::{
        clients::Pipeline,
        interfaces::{HashesInterface, KeysInterface},
        prelude::*,
    },
};

/// Users who have not come for this long are forgotten.
const KEEP_SECONDS: i64 = 7 * 86_400;

impl RedisCache {
    pub(in crate::cache) async fn unread(
        &self,
        user: UserId,
        of: &[(ConversationId, Evidence)],
    ) -> Vec<Option<i64>> {
        let fields: Vec<String> = of.iter().map(|(id, _)| id.to_string()).collect();
        let nothing = || vec![None; of.len()];
        if fields.is_empty() {
            return vec![];
        }
        let asked = self.link.ask(|redis| async move {
            redis.hmget::<Vec<Option<String>>, _, _>(key(user), fields).await
        });
        let Ok(found) = asked.await else { return nothing() };
        if found.len() != of.len() {
            return nothing();
        }
        let believed = |(found, (_, evidence)): (Option<String>, &(_, Evidence))| {
            let found = found?;
            if planted::has(Bug::HincrbyUnread) {
                return found.parse().ok();
            }
            let (seen, count) = found.rsplit_once(' ')?;
            (seen == stamp(evidence)).then(|| count.parse().ok())?
        };
        found.into_iter().zip(of).map(believed).collect()
    }

    pub(in crate::cache) async fn put_unread(
        &self,
        user: UserId,
        counts: &[(ConversationId, Evidence, i64)],
    ) {
        if counts.is_empty() {
            return;
        }
        let field = |(id, evidence, count): &(ConversationId, Evidence, i64)| match planted::has(
            Bug::HincrbyUnread,
        ) {
            true => (id.to_string(), count.to_string()),
            false => (id.to_string(), format!("{} {count}", stamp(evidence))),
        };
        let fields: Vec<(String, String)> = counts.iter().map(field).collect();
        let put = self.link.ask(|redis| async move {
            let pipeline = Pipeline::from(redis);
            let () = pipeline.hset(key(user), fields).await?;
            let () = pipeline.expire(key(user), KEEP_SECONDS, None).await?;
            pipeline.all::<Value>().await.map(drop)
        });
        // Not remembered: counted again next time.
        let _ = put.await;
    }

    /// [`Bug::HincrbyUnread`].
    pub(in crate::cache) async fn increment_unread(&self, users: Vec<UserId>, id: ConversationId) {
        let incremented = self.link.ask(|redis| async move {
            let pipeline = Pipeline::from(redis);
            for user in users {
                let () = pipeline.hincrby(key(user), id.to_string(), 1).await?;
            }
            pipeline.all::<Value>().await.map(drop)
        });
        let _ = incremented.await;
    }
}

fn key(user: UserId) -> String {
    format!("unread:{user}")
}

fn stamp(evidence: &Evidence) -> String {
    let Evidence { last_seq, last_event_id, last_read_seq } = evidence;
    format!("{last_seq} {last_event_id} {last_read_seq}")
}
