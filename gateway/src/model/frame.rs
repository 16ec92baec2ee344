//! The frames of the socket. Serialising one of these is what the wire sees;
//! decoding with limits lives in `ws::frame`.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::*;

/// Chosen by the client, returned with the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
#[serde(untagged)]
pub enum FrameId {
    /// At most 64 characters.
    Text(String),
    Number(i64),
}

/// The highest entry applied without a hole. `event_id` may be null only at
/// `joined_seq - 1`, before the first entry.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    pub seq: Seq,
    pub event_id: Option<EventId>,
}

pub type Cursors = HashMap<ConversationId, Cursor>;

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
        )]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($body)* }
    )*};
}

payloads! {
    AccessToken { pub access_token: String }
    Hello {
        /// Where the device is, by conversation; at most 500.
        #[serde(default)]
        pub cursors: Cursors,
        /// Name and version of the client software; at most 64 characters.
        #[serde(default)]
        #[ts(optional = nullable)]
        pub client: Option<String>,
    }
    MessageSend {
        pub conversation_id: ConversationId,
        pub client_msg_id: ClientMessageId,
        pub body: String,
        #[serde(default)]
        #[ts(optional = nullable)]
        pub reply_to_seq: Option<Seq>,
    }
    MessageEdit {
        pub conversation_id: ConversationId,
        pub seq: Seq,
        pub body: String,
    }
    MessageDelete { pub conversation_id: ConversationId, pub seq: Seq }
    ConversationRead { pub conversation_id: ConversationId, pub seq: Seq }
    UserTyping { pub conversation_id: ConversationId, pub typing: bool }
    PresenceSet { pub status: SettablePresence }
    PresenceWatch {
        /// Replaces the earlier list; at most 200.
        pub user_ids: Vec<UserId>,
    }
    Empty {}
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum SettablePresence {
    Online,
    Away,
}

/// Client → server. `id`, when given, comes back with the `ack` or `error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema, ts_rs::TS)]
#[serde(tag = "type", content = "payload")]
pub enum ClientFrame {
    #[serde(rename = "authenticate")]
    Authenticate(AccessToken),
    #[serde(rename = "auth.renew")]
    AuthRenew(AccessToken),
    #[serde(rename = "hello")]
    Hello(Hello),
    #[serde(rename = "message.send")]
    MessageSend(MessageSend),
    #[serde(rename = "message.edit")]
    MessageEdit(MessageEdit),
    #[serde(rename = "message.delete")]
    MessageDelete(MessageDelete),
    #[serde(rename = "conversation.read")]
    ConversationRead(ConversationRead),
    #[serde(rename = "user.typing")]
    UserTyping(UserTyping),
    #[serde(rename = "presence.set")]
    PresenceSet(PresenceSet),
    #[serde(rename = "presence.watch")]
    PresenceWatch(PresenceWatch),
    #[serde(rename = "ping")]
    Ping(Empty),
}

/// Fields of every `ack`; which are present depends on the frame it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
#[serde(untagged)]
pub enum Ack {
    Sent(SendAck),
    Read(ReadAck),
    Changed(ChangeAck),
    Done(Empty),
}

/// Answer to `message.send`, the same for every repeat but for `duplicate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct SendAck {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub message_id: EventId,
    pub client_msg_id: ClientMessageId,
    pub created_at: Timestamp,
    pub duplicate: bool,
}

/// Answer to `message.edit` and `message.delete`; `seq` is the message's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct ChangeAck {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub duplicate: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct ReadAck {
    pub conversation_id: ConversationId,
    pub last_read_seq: Seq,
    pub last_read_at: Option<Timestamp>,
    pub unread_count: i64,
    pub unread_as_of_seq: Seq,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct FrameError {
    /// Stable; see the table of codes.
    pub code: String,
    pub message: String,
    pub retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[ts(optional)]
    pub retry_after_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Ready {
    pub user: User,
    pub device: DeviceId,
    pub server_time: Timestamp,
    pub heartbeat_interval_ms: u64,
    pub max_frame_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct ConversationPage {
    pub items: Vec<Conversation>,
    pub done: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct UpdatedMessage {
    #[serde(flatten)]
    pub message: Message,
    pub change: Change,
}

/// Somebody's read mark moved. The unread fields come to the reader's own
/// devices only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct MarkMoved {
    pub user_id: UserId,
    pub last_read_seq: Seq,
    pub last_read_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[ts(optional)]
    pub unread_count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[ts(optional)]
    pub unread_as_of_seq: Option<Seq>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Left {
    /// Null when it is not known: the user was never in it, or is back already.
    pub left_seq: Option<Seq>,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
)]
pub struct Settings {
    pub muted: bool,
    pub pinned: bool,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The log is not the one the device holds.
    Fork,
    /// The cursor is more than 1,000 entries back.
    Behind,
    /// The cursor is from an earlier membership.
    Rejoined,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Reset {
    pub reason: ResetReason,
    pub conversation: Conversation,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Typing {
    pub user_id: UserId,
    pub typing: bool,
    pub expires_in_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Presence {
    pub user_id: UserId,
    pub status: PresenceStatus,
    pub last_seen_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Reconnect {
    pub after_ms: u64,
    pub reason: String,
}

/// Server → client. Entries of the log carry `conversation_id`, `seq` and
/// `event_id`; a device applies them strictly in `seq` order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
#[serde(tag = "type")]
pub enum ServerFrame {
    #[serde(rename = "ack")]
    Ack { id: Option<FrameId>, payload: Ack },
    #[serde(rename = "error")]
    Error { id: Option<FrameId>, payload: FrameError },
    #[serde(rename = "ready")]
    Ready { payload: Ready },
    #[serde(rename = "conversations")]
    Conversations { payload: ConversationPage },
    #[serde(rename = "live")]
    Live { payload: Empty },
    #[serde(rename = "message.new")]
    MessageNew { conversation_id: ConversationId, seq: Seq, event_id: EventId, payload: Message },
    #[serde(rename = "message.updated")]
    MessageUpdated {
        conversation_id: ConversationId,
        seq: Seq,
        event_id: EventId,
        payload: UpdatedMessage,
    },
    #[serde(rename = "log.skip")]
    LogSkip { conversation_id: ConversationId, seq: Seq, event_id: EventId, payload: Empty },
    #[serde(rename = "conversation.read")]
    ConversationRead { conversation_id: ConversationId, payload: MarkMoved },
    #[serde(rename = "conversation.added")]
    ConversationAdded { conversation_id: ConversationId, payload: Conversation },
    #[serde(rename = "conversation.removed")]
    ConversationRemoved { conversation_id: ConversationId, payload: Left },
    #[serde(rename = "conversation.settings")]
    ConversationSettings { conversation_id: ConversationId, payload: Settings },
    #[serde(rename = "conversation.reset")]
    ConversationReset { conversation_id: ConversationId, payload: Reset },
    #[serde(rename = "user.updated")]
    UserUpdated { payload: User },
    #[serde(rename = "user.typing")]
    UserTyping { conversation_id: ConversationId, payload: Typing },
    #[serde(rename = "presence.updated")]
    PresenceUpdated { payload: Presence },
    #[serde(rename = "heartbeat")]
    Heartbeat { payload: Empty },
    #[serde(rename = "pong")]
    Pong { id: Option<FrameId>, payload: Empty },
    #[serde(rename = "reconnect")]
    Reconnect { payload: Reconnect },
}
