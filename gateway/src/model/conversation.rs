//! Conversations and who takes part in them.

use serde::{Deserialize, Serialize};

use super::{ConversationId, EventId, Message, Seq, Timestamp, User, UserId};

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// Exactly two participants, for ever; one per pair.
    Direct,
    Group,
}

/// What a participant may do; ordered by power.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Member,
    Admin,
    Owner,
}

/// How far a participant has read, and when they got there. The two move
/// together and never back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMark {
    pub last_read_seq: Seq,
    pub last_read_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Participant {
    pub user: User,
    pub role: Role,
    pub joined_seq: Seq,
    pub last_read_seq: Seq,
    pub last_read_at: Option<Timestamp>,
}

/// A conversation as one member sees it: the state of its log at `last_seq`,
/// plus that member's own registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Conversation {
    pub id: ConversationId,
    pub kind: ConversationKind,
    /// Groups only; at most 120 characters.
    pub title: Option<String>,
    /// Whether who joins sees what was said before.
    pub share_history: bool,
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
    pub last_seq: Seq,
    pub last_event_id: EventId,
    /// The newest message I may see, its body cut to 200 characters.
    pub last_message: Option<Message>,
    /// At most 8; the rest by `GET …/participants`.
    pub participants: Vec<Participant>,
    pub participant_count: i64,
    /// My own role.
    pub role: Role,
    pub joined_seq: Seq,
    pub visible_from_seq: Seq,
    pub last_read_seq: Seq,
    pub last_read_at: Option<Timestamp>,
    /// Texts of others after my read mark; stops at 100.
    pub unread_count: i64,
    /// The `last_seq` that `unread_count` was counted at.
    pub unread_as_of_seq: Seq,
    pub muted: bool,
    pub pinned: bool,
}
