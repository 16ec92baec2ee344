//! Messages: what people say, and what the system notes beside it.

use serde::{Deserialize, Serialize};

use super::{ClientMessageId, ConversationId, EventId, Role, Seq, Timestamp, UserId};

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    Text,
    System,
}

/// What a `message.updated` did.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Edited,
    Deleted,
}

/// A change to the conversation itself, told as a message of kind `system`.
/// `sender_id` of that message is who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SystemEvent {
    Created,
    ParticipantAdded {
        /// At most 100.
        user_ids: Vec<UserId>,
    },
    ParticipantRemoved {
        user_id: UserId,
    },
    ParticipantLeft {
        user_id: UserId,
    },
    TitleChanged {
        title: String,
    },
    RoleChanged {
        user_id: UserId,
        role: Role,
    },
}

impl SystemEvent {
    /// The user whose membership this entry ends, if it ends one.
    pub fn removed(&self) -> Option<UserId> {
        match self {
            Self::ParticipantRemoved { user_id } | Self::ParticipantLeft { user_id } => {
                Some(*user_id)
            }
            _ => None,
        }
    }
}

/// One message in its current state. Where two copies meet, the one with the
/// higher `updated_seq` wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Message {
    /// Also the event id of its entry in the log.
    pub id: EventId,
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub kind: MessageKind,
    pub sender_id: UserId,
    /// Null for system messages.
    pub client_msg_id: Option<ClientMessageId>,
    /// 1 to 4,000 characters and at most 16 KiB; null when deleted, and for
    /// system messages.
    pub body: Option<String>,
    pub reply_to_seq: Option<Seq>,
    pub created_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    /// `seq` of the entry that last touched this message; its own at first.
    pub updated_seq: Seq,
    /// What happened, for system messages; null for text.
    pub system: Option<SystemEvent>,
}
