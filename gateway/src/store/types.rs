//! What goes into the store and comes out of it.

use std::collections::HashSet;

use crate::model::*;

/// Why the store could not answer. A rule of the domain that says no is a
/// [`Refusal`], not a failure.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// No connection, a timeout before anything was written, a lock not had in
    /// time: nothing happened, a retry may help.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The connection was lost while committing: it may have happened.
    #[error("the outcome of the commit is unknown")]
    OutcomeUnknown,
    /// The database answered what this code cannot make sense of.
    #[error("unexpected answer from the database: {0}")]
    Unexpected(String),
}

/// A rule that said no; decided under the conversation's lock where it
/// concerns one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a member, or there is no such thing: the same answer.
    #[error("not found")]
    NotFound,
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0}")]
    Conflict(&'static str),
    #[error("user {0} does not exist")]
    UnknownUser(UserId),
    #[error("the name is taken")]
    UsernameTaken,
    #[error("the client_msg_id belongs to another message")]
    ClientMessageIdReused,
    #[error("the client_id belongs to another group")]
    ClientIdReused,
    /// `reply_to_seq` names nothing that the sender can see.
    #[error("there is no message to reply to at this seq")]
    BadReply,
    /// A limit of the contract: its name and number.
    #[error("at most {1} {0}")]
    TooMany(&'static str, i64),
}

// ---- accounts ------------------------------------------------------------

#[derive(Clone, Debug)]
pub struct NewUser {
    pub id: UserId,
    pub username: String,
    pub display_name: String,
    /// PHC string.
    pub password_hash: String,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct NewDevice {
    pub id: DeviceId,
    pub user_id: UserId,
    pub label: String,
    /// SHA-256 of the device secret.
    pub secret_hash: Vec<u8>,
    pub created_at: Timestamp,
}

/// What a login is checked against.
#[derive(Clone, Debug)]
pub struct Account {
    pub user: User,
    pub password_hash: String,
    /// Tokens of an earlier epoch are void.
    pub token_epoch: i64,
    pub disabled: bool,
}

/// What a token or a refresh of one device is checked against.
#[derive(Clone, Debug)]
pub struct DeviceState {
    pub user_id: UserId,
    pub token_epoch: i64,
    pub user_disabled: bool,
    pub revoked: bool,
    pub secret_hash: Vec<u8>,
    /// How often the refresh token was rotated.
    pub refresh_generation: i64,
    pub refresh_rotated_at: Timestamp,
    /// Now, by the clock that dates rotations; null where that is the caller's:
    /// a database of one replica.
    pub shared_now: Option<Timestamp>,
}

/// Which devices of a user to revoke.
#[derive(Clone, Copy, Debug)]
pub enum Revoke {
    One(DeviceId),
    AllBut(DeviceId),
    /// Also begins a new `token_epoch`.
    All,
}

// ---- conversations -------------------------------------------------------

#[derive(Clone, Debug)]
pub struct NewConversation {
    pub id: ConversationId,
    /// Id of the `created` entry at seq 1.
    pub event_id: EventId,
    pub kind: ConversationKind,
    pub creator: UserId,
    pub client_id: Option<ClientId>,
    pub title: Option<String>,
    pub share_history: bool,
    /// Without the creator, without repetitions.
    pub others: Vec<UserId>,
    pub created_at: Timestamp,
}

/// The conversation, and whether this call made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedConversation {
    pub id: ConversationId,
    pub created: bool,
}

/// A change of membership, role or title, made by `actor` and told by one or
/// more system messages.
#[derive(Clone, Debug)]
pub enum ConversationChange {
    Add {
        users: Vec<UserId>,
    },
    /// Removing oneself is leaving.
    Remove {
        user: UserId,
    },
    SetRole {
        user: UserId,
        role: Role,
    },
    SetTitle {
        title: String,
    },
}

/// My registers in a conversation: one membership interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub conversation_id: ConversationId,
    pub role: Role,
    pub joined_seq: Seq,
    pub visible_from_seq: Seq,
    /// Set once no longer a member.
    pub left_seq: Option<Seq>,
    pub mark: ReadMark,
    pub muted: bool,
    pub pinned: bool,
}

/// What a user's sessions hold true about their user; one row read per user.
#[derive(Clone, Debug)]
pub struct UserState {
    pub user: User,
    pub token_epoch: i64,
    pub disabled: bool,
    pub live_devices: HashSet<DeviceId>,
    /// Those that have ended included.
    pub memberships: Vec<Membership>,
}

/// What an unread count is a function of, beside the log itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnreadQuery {
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    pub last_read_seq: Seq,
    pub visible_from_seq: Seq,
    /// Count as the log stood at this seq: a text deleted later still counts.
    pub as_of_seq: Seq,
}

/// Which of my conversations to summarise.
#[derive(Clone, Debug)]
pub enum Select {
    /// Newest activity first (last message's time, else creation), then id.
    Newest {
        after: Option<(Timestamp, ConversationId)>,
        limit: i64,
    },
    These(Vec<ConversationId>),
}

/// A conversation without its unread count (0) and, beside it, how the
/// activity sorts: everything of one conversation from one statement.
#[derive(Clone, Debug)]
pub struct Summary {
    pub conversation: Conversation,
    pub last_activity_at: Timestamp,
}

// ---- messages and the log -------------------------------------------------

#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Id of the message and of its entry.
    pub event_id: EventId,
    pub conversation_id: ConversationId,
    pub sender_id: UserId,
    pub client_msg_id: ClientMessageId,
    /// SHA-256 over body and reply: tells a repeat from a reuse.
    pub request_hash: Vec<u8>,
    pub body: String,
    pub reply_to_seq: Option<Seq>,
    pub created_at: Timestamp,
}

/// What became of one message of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    New {
        seq: Seq,
        prev_event_id: Option<EventId>,
    },
    /// The same request was committed before (or earlier in this batch).
    Repeat {
        seq: Seq,
        message_id: EventId,
        created_at: Timestamp,
    },
}

/// What a change did: the entries it wrote, in order (none: nothing to
/// change), and the users whose memberships it touched.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub entries: Vec<LogEntry>,
    pub users: Vec<UserId>,
}

/// A read mark after an attempt to move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advanced {
    pub mark: ReadMark,
    pub moved: bool,
    pub visible_from_seq: Seq,
    pub last_seq: Seq,
    pub last_event_id: EventId,
    pub participant_count: i64,
}

/// Top of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub event_id: EventId,
}

/// On whose behalf a range is read: nothing is returned once this membership
/// interval has ended.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    pub user_id: UserId,
    pub joined_seq: Seq,
}

/// A stretch of a log that somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct RangeQuery {
    pub conversation_id: ConversationId,
    /// Null event id: right before the reader's first entry (or the log's, seq
    /// 0), nothing to verify there.
    pub after: Cursor,
    pub reader: Option<Reader>,
    /// Entries, at most.
    pub limit: i64,
    /// What the entries may weigh before the last one: see [`LogEntry::weight`].
    pub weight: i64,
}

/// Entries above a position, from one statement.
#[derive(Clone, Debug)]
pub enum LogRange {
    /// `entries` start right above the position, dense, at most as many as were
    /// asked for.
    Entries { entries: Vec<LogEntry>, head: Head },
    /// The log does not hold the position: it is shorter, or has another
    /// entry there.
    Fork { head: Head },
    /// The conversation does not exist, or the reader's interval has ended.
    Gone { left_seq: Option<Seq> },
}

/// Which page of history.
#[derive(Clone, Copy, Debug)]
pub enum Around {
    Newest,
    Before(Seq),
    After(Seq),
    Around(Seq),
}

// ---- the feed -------------------------------------------------------------

/// Where a replica stands in the feed; opaque to everyone but the store.
/// Compared against the server's identity at every poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPosition {
    /// Postgres: `pg_snapshot_xmin` of the last poll; SQLite: `data_version`.
    pub xmin: u64,
    /// Transactions at or above `xmin` that were handled already.
    pub handled: HashSet<u64>,
    /// Connection, start time, system identifier and timeline of the server.
    pub server: String,
}

/// Result of one poll.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// Null: the position means nothing any more (first poll, another server
    /// incarnation, pruned): compare everything that is held.
    pub topics: Option<Vec<Topic>>,
    pub next: FeedPosition,
}
