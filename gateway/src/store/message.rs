//! A message as a row.

use super::sql::{Sql, sql};
use crate::model::*;

/// Columns of a [`MessageRow`], from `messages m`.
macro_rules! message_columns {
    ($dialect:ident) => {
        "m.id, m.conversation_id, m.seq, m.kind, m.sender_id, m.client_msg_id, m.body,
        m.reply_to_seq, m.created_at, m.edited_at, m.deleted_at, m.updated_seq, m.system"
    };
}
pub(super) use message_columns;

#[derive(sqlx::FromRow)]
pub(super) struct MessageRow {
    id: EventId,
    conversation_id: ConversationId,
    seq: Seq,
    kind: MessageKind,
    sender_id: UserId,
    client_msg_id: Option<ClientMessageId>,
    body: Option<String>,
    reply_to_seq: Option<Seq>,
    created_at: Timestamp,
    edited_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    updated_seq: Seq,
    system: Option<SystemEvent>,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Message {
            id: row.id,
            conversation_id: row.conversation_id,
            seq: row.seq,
            kind: row.kind,
            sender_id: row.sender_id,
            client_msg_id: row.client_msg_id,
            body: row.body,
            reply_to_seq: row.reply_to_seq,
            created_at: row.created_at,
            edited_at: row.edited_at,
            deleted_at: row.deleted_at,
            updated_seq: row.updated_seq,
            system: row.system,
        }
    }
}

/// A message that a member may see: not from before their part of the history.
pub(super) const VISIBLE_MESSAGE: Sql = sql!(
    "select " (use message_columns) " from messages m
    where m.conversation_id = $1 and m.seq = $2 and m.seq >= $3"
);
