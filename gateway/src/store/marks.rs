//! Read marks and settings: a member's own registers. They are not in the log
//! and take no lock on the conversation.

use super::{
    Advanced, Refusal, Result, Store, Topic,
    feed::ring,
    sql::{Sql, execute, fetch, sql},
};
use crate::model::*;

/// Only grows, and is cut to the log as it is committed: a mark beyond it would
/// hide messages that do not exist yet. The time moves with it, and not back
/// either, whatever the clock does.
const ADVANCE: Sql = sql!(
    "update conversation_participants
    set last_read_seq = case when $3 < top.last_seq then $3 else top.last_seq end,
        last_read_at = case when last_read_at > $4 then last_read_at else $4 end
    from (select last_seq from conversations where id = $1) top
    where conversation_id = $1 and user_id = $2 and left_seq is null
        and last_read_seq < case when $3 < top.last_seq then $3 else top.last_seq end"
);

const MARK: Sql = sql!(
    "select p.last_read_seq, p.last_read_at, p.visible_from_seq, c.last_seq, c.last_event_id,
        (select count(*) from conversation_participants others
            where others.conversation_id = c.id and others.left_seq is null) as participant_count
    from conversation_participants p join conversations c on c.id = p.conversation_id
    where p.conversation_id = $1 and p.user_id = $2 and p.left_seq is null"
);

const SETTINGS: Sql =
    sql!("select muted, pinned from conversation_participants
    where conversation_id = $1 and user_id = $2 and left_seq is null"(lock));

const SET_SETTINGS: Sql = sql!(
    "update conversation_participants set muted = $3, pinned = $4
    where conversation_id = $1 and user_id = $2"
);

#[derive(sqlx::FromRow)]
struct MarkRow {
    last_read_seq: Seq,
    last_read_at: Option<Timestamp>,
    visible_from_seq: Seq,
    last_seq: Seq,
    last_event_id: EventId,
    participant_count: i64,
}

impl Store {
    /// Never back, never beyond `last_seq`. Refuses with `NotFound`.
    pub async fn advance_read(
        &self,
        id: ConversationId,
        user: UserId,
        seq: Seq,
        at: Timestamp,
    ) -> Result<Advanced> {
        self.write(move |tx| {
            Box::pin(async move {
                let moved = execute!(tx, ADVANCE, id, user, seq, at)? == 1;
                let row: Option<MarkRow> = fetch!(optional, tx, MARK, id, user)?;
                let row = row.ok_or(Refusal::NotFound)?;
                if moved {
                    ring(tx, &[Topic::User(user)]).await?;
                }
                Ok(Advanced {
                    mark: ReadMark {
                        last_read_seq: row.last_read_seq,
                        last_read_at: row.last_read_at,
                    },
                    moved,
                    visible_from_seq: row.visible_from_seq,
                    last_seq: row.last_seq,
                    last_event_id: row.last_event_id,
                    participant_count: row.participant_count,
                })
            })
        })
        .await
    }

    /// Sets what is given; the settings after it, and whether they changed.
    /// Refuses with `NotFound`.
    pub async fn set_settings(
        &self,
        id: ConversationId,
        user: UserId,
        muted: Option<bool>,
        pinned: Option<bool>,
    ) -> Result<(Settings, bool)> {
        self.write(move |tx| {
            Box::pin(async move {
                let was: Option<(bool, bool)> = fetch!(optional, tx, SETTINGS, id, user)?;
                let was = was.ok_or(Refusal::NotFound)?;
                let now = (muted.unwrap_or(was.0), pinned.unwrap_or(was.1));
                if now != was {
                    execute!(tx, SET_SETTINGS, id, user, now.0, now.1)?;
                    ring(tx, &[Topic::User(user)]).await?;
                }
                Ok((Settings { muted: now.0, pinned: now.1 }, now != was))
            })
        })
        .await
    }
}
