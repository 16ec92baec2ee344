//! Appending on SQLite: plain statements in one transaction that holds the
//! database's one write lock from its beginning.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::{
    Appended, NewMessage, Result, StoreError,
    append::{BatchError, Outcome},
    open::{Pools, SqlitePools},
    sql::On,
    work::write_in,
};
use crate::model::*;

const KNOWN: &str = "select seq, id, created_at, request_hash from messages
    where conversation_id = $1 and sender_id = $2 and client_msg_id = $3";

const MEMBER: &str = "select visible_from_seq from conversation_participants
    where conversation_id = $1 and user_id = $2 and left_seq is null";

/// `$3` is the lowest seq that the sender can see, `$4` the top of the log
/// before this batch.
const REPLIES_TO: &str = "select 1 from messages
    where conversation_id = $1 and seq = $2 and seq >= $3 and seq <= $4 and kind = 'text'";

const TOP: &str = "select last_seq, last_event_id from conversations where id = $1";

const INSERT: &str = "insert into messages (conversation_id, seq, id, sender_id, client_msg_id,
        request_hash, kind, body, reply_to_seq, created_at, updated_seq)
    values ($1, $2, $3, $4, $5, $6, 'text', $7, $8, $9, $2)";

const BUMP: &str = "update conversations set last_seq = $2, last_event_id = $3 where id = $1";

/// The top of a log: before the batch, and as the batch moves it.
struct Top {
    before: Seq,
    seq: Seq,
    event_id: EventId,
}

pub(super) async fn commit(
    pools: &SqlitePools,
    batch: &[&NewMessage],
) -> Result<Vec<Outcome>, BatchError> {
    let batch: Vec<NewMessage> = batch.iter().map(|message| (*message).clone()).collect();
    let outcomes = write_in(&Pools::Sqlite(pools.clone()), |conn| {
        Box::pin(async move {
            match conn {
                On::Sqlite(c) => append(c, &batch).await,
                On::Postgres(_) => Ok(Vec::new()),
            }
        })
    })
    .await;
    outcomes.map_err(|error| match error {
        error @ StoreError::Unexpected(_) => BatchError::Poisoned(error),
        error => BatchError::Whole(error),
    })
}

async fn append(conn: &mut SqliteConnection, batch: &[NewMessage]) -> Result<Vec<Outcome>> {
    let mut tops = HashMap::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for message in batch {
        outcomes.push(append_one(conn, &mut tops, message).await?);
    }
    for (id, top) in tops.iter().filter(|(_, top)| top.seq > top.before) {
        sqlx::query(BUMP).bind(id).bind(top.seq).bind(top.event_id).execute(&mut *conn).await?;
    }
    Ok(outcomes)
}

async fn append_one(
    conn: &mut SqliteConnection,
    tops: &mut HashMap<ConversationId, Top>,
    message: &NewMessage,
) -> Result<Outcome> {
    let (id, sender) = (message.conversation_id, message.sender_id);
    let known: Option<(Seq, EventId, Timestamp, Vec<u8>)> = sqlx::query_as(KNOWN)
        .bind(id)
        .bind(sender)
        .bind(message.client_msg_id)
        .fetch_optional(&mut *conn)
        .await?;
    if let Some((seq, message_id, created_at, hash)) = known {
        return Ok(match hash == message.request_hash {
            true => Outcome::Done(Appended::Repeat { seq, message_id, created_at }),
            false => Outcome::Reused,
        });
    }
    let member: Option<(Seq,)> =
        sqlx::query_as(MEMBER).bind(id).bind(sender).fetch_optional(&mut *conn).await?;
    let Some((visible_from,)) = member else {
        return Ok(Outcome::NotFound);
    };
    if !tops.contains_key(&id) {
        let (seq, event_id) = sqlx::query_as(TOP).bind(id).fetch_one(&mut *conn).await?;
        tops.insert(id, Top { before: seq, seq, event_id });
    }
    let Some(top) = tops.get_mut(&id) else {
        return Ok(Outcome::NotFound);
    };
    if let Some(reply_to) = message.reply_to_seq {
        let found: Option<(i64,)> = sqlx::query_as(REPLIES_TO)
            .bind(id)
            .bind(reply_to)
            .bind(visible_from)
            .bind(top.before)
            .fetch_optional(&mut *conn)
            .await?;
        if found.is_none() {
            return Ok(Outcome::BadReply);
        }
    }
    let seq = top.seq + 1;
    sqlx::query(INSERT)
        .bind(id)
        .bind(seq)
        .bind(message.event_id)
        .bind(sender)
        .bind(message.client_msg_id)
        .bind(&message.request_hash)
        .bind(&message.body)
        .bind(message.reply_to_seq)
        .bind(message.created_at)
        .execute(&mut *conn)
        .await?;
    let prev_event_id = Some(std::mem::replace(&mut top.event_id, message.event_id));
    top.seq = seq;
    Ok(Outcome::Done(Appended::New { seq, prev_event_id }))
}
