//! Editing and deleting: the message row holds the current state, the change is
//! an entry of the log.

use super::{
    Refusal, Result, Store, Written,
    locked::{Locked, Standing},
    message::{MessageRow, VISIBLE_MESSAGE},
    rules,
    sql::{Conn, Sql, execute, fetch, sql},
};
use crate::model::*;

const EDIT: Sql = sql!(
    "update messages set body = $3, edited_at = $4, updated_seq = $5
    where conversation_id = $1 and seq = $2"
);

const DELETE: Sql = sql!(
    "update messages set body = null, deleted_at = $3, updated_seq = $4
    where conversation_id = $1 and seq = $2"
);

impl Store {
    /// Editing to the same body writes nothing. Refuses with `NotFound`,
    /// `Forbidden`, or `Conflict` when the message is deleted.
    pub async fn edit_message(
        &self,
        id: ConversationId,
        actor: UserId,
        seq: Seq,
        body: &str,
        event_id: EventId,
        at: Timestamp,
    ) -> Result<Written> {
        let body = body.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let (mut log, _, mut message) = open(tx, id, actor, seq).await?;
                rules::may_edit(&message, actor)?;
                if message.body.as_ref() == Some(&body) {
                    return Ok(Written::default());
                }
                let updated = log.next_seq();
                execute!(tx, EDIT, id, seq, &body, at, updated)?;
                message.body = Some(body);
                message.edited_at = Some(at);
                message.updated_seq = updated;
                let change = LogChange { kind: Change::Edited, actor };
                log.note_change(tx, event_id, message, change, at).await?;
                log.finish(tx).await
            })
        })
        .await
    }

    /// Deleting twice writes nothing. Refuses with `NotFound` or `Forbidden`.
    pub async fn delete_message(
        &self,
        id: ConversationId,
        actor: UserId,
        seq: Seq,
        event_id: EventId,
        at: Timestamp,
    ) -> Result<Written> {
        self.write(move |tx| {
            Box::pin(async move {
                let (mut log, standing, mut message) = open(tx, id, actor, seq).await?;
                rules::may_delete(&message, actor, standing.role)?;
                if message.deleted_at.is_some() {
                    return Ok(Written::default());
                }
                let updated = log.next_seq();
                execute!(tx, DELETE, id, seq, at, updated)?;
                message.body = None;
                message.deleted_at = Some(at);
                message.updated_seq = updated;
                let change = LogChange { kind: Change::Deleted, actor };
                log.note_change(tx, event_id, message, change, at).await?;
                log.finish(tx).await
            })
        })
        .await
    }
}

/// The locked conversation, the actor's standing in it and the message.
async fn open(
    tx: &mut Conn,
    id: ConversationId,
    actor: UserId,
    seq: Seq,
) -> Result<(Locked, Standing, Message)> {
    let log = Locked::lock(tx, id).await?;
    let standing = log.standing(tx, actor).await?;
    let visible_from = standing.visible_from_seq;
    let row: Option<MessageRow> = fetch!(optional, tx, VISIBLE_MESSAGE, id, seq, visible_from)?;
    let message = row.ok_or(Refusal::NotFound)?.into();
    Ok((log, standing, message))
}
