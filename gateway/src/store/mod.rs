//! The truth: users, conversations, messages and read marks, on Postgres or
//! SQLite. The only room that names sqlx.

mod types;

pub use types::*;

pub use crate::model::Topic;
use crate::model::*;

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `sqlite://…` or `postgres://…`.
    pub url: String,
    /// Postgres: connections in the general pool (the writers have their own).
    pub max_connections: u32,
    pub connect_timeout: std::time::Duration,
}

/// Handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {}

#[allow(unused_variables, clippy::todo)]
impl Store {
    // ---- life (open.rs, migrate.rs)
    /// Connects lazily: building a store does not need the server to be up.
    pub fn open(options: &StoreOptions) -> Result<Self> {
        todo!()
    }
    pub fn is_postgres(&self) -> bool {
        todo!()
    }
    /// One round trip.
    pub async fn ping(&self) -> Result<()> {
        todo!()
    }
    /// Applies what is missing; safe to run from several processes at once.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        todo!()
    }
    /// Versions that are missing here, and versions the database has beyond ours.
    pub async fn schema_status(&self) -> Result<SchemaStatus> {
        todo!()
    }
    pub async fn close(&self) {
        todo!()
    }

    // ---- accounts.rs
    /// Refuses with `UsernameTaken`.
    pub async fn create_user(&self, user: &NewUser, device: &NewDevice) -> Result<()> {
        todo!()
    }
    pub async fn account_by_username(&self, username: &str) -> Result<Option<Account>> {
        todo!()
    }
    pub async fn account(&self, id: UserId) -> Result<Option<Account>> {
        todo!()
    }
    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        todo!()
    }
    /// Active users whose username or a word of whose display name starts with `query`
    /// (case-insensitive), by username, after `after`.
    pub async fn search_users(
        &self,
        query: &str,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<User>> {
        todo!()
    }
    /// All users by username, disabled ones included, with that flag: for the command line.
    pub async fn list_users(&self, after: Option<&str>, limit: i64) -> Result<Vec<(User, bool)>> {
        todo!()
    }
    pub async fn set_display_name(&self, user: UserId, name: &str) -> Result<User> {
        todo!()
    }
    /// Replaces the hash and revokes the other devices (all of them and the epoch when `keep` is none).
    pub async fn set_password(
        &self,
        user: UserId,
        hash: &str,
        keep: Option<DeviceId>,
        at: Timestamp,
    ) -> Result<()> {
        todo!()
    }
    /// Disabling also revokes every device.
    pub async fn set_disabled(&self, user: UserId, disabled: bool, at: Timestamp) -> Result<()> {
        todo!()
    }
    /// Frees the name, forgets the person, keeps what they said.
    pub async fn erase_user(&self, user: UserId, at: Timestamp) -> Result<()> {
        todo!()
    }
    /// Users who share a conversation with `user` in a direct conversation.
    pub async fn direct_partners(&self, user: UserId) -> Result<Vec<UserId>> {
        todo!()
    }

    // ---- devices.rs
    pub async fn create_device(&self, device: &NewDevice) -> Result<()> {
        todo!()
    }
    /// Those not revoked, last seen first, and when each was last seen.
    pub async fn devices(&self, user: UserId) -> Result<Vec<Device>> {
        todo!()
    }
    pub async fn device_state(&self, device: DeviceId) -> Result<Option<DeviceState>> {
        todo!()
    }
    /// Moves the generation on if it still is `from` and the device lives; whether it did.
    pub async fn rotate_refresh(&self, device: DeviceId, from: i64, at: Timestamp) -> Result<bool> {
        todo!()
    }
    /// Those it revoked.
    pub async fn revoke_devices(
        &self,
        user: UserId,
        which: Revoke,
        at: Timestamp,
    ) -> Result<Vec<DeviceId>> {
        todo!()
    }
    pub async fn touch_device(&self, device: DeviceId, at: Timestamp) -> Result<()> {
        todo!()
    }
    /// Latest `last_seen_at` over each user's devices.
    pub async fn last_seen(&self, users: &[UserId]) -> Result<Vec<(UserId, Timestamp)>> {
        todo!()
    }
    /// True exactly once per `jti` until it has expired; forgets expired ones as it goes.
    pub async fn spend_ticket(
        &self,
        jti: uuid::Uuid,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        todo!()
    }

    // ---- conversations.rs
    pub async fn create_conversation(&self, new: &NewConversation) -> Result<CreatedConversation> {
        todo!()
    }
    pub async fn change_conversation(
        &self,
        id: ConversationId,
        actor: UserId,
        change: &ConversationChange,
        at: Timestamp,
    ) -> Result<Written> {
        todo!()
    }
    /// Sets what is given; the settings after it, and whether they changed.
    pub async fn set_settings(
        &self,
        id: ConversationId,
        user: UserId,
        muted: Option<bool>,
        pinned: Option<bool>,
    ) -> Result<(Settings, bool)> {
        todo!()
    }

    // ---- views.rs: what a member sees
    /// Current interval; `None` when never a member.
    pub async fn membership(&self, id: ConversationId, user: UserId) -> Result<Option<Membership>> {
        todo!()
    }
    pub async fn user_states(&self, users: &[UserId]) -> Result<Vec<UserState>> {
        todo!()
    }
    /// Summaries of conversations `user` is a member of now, each consistent in itself.
    pub async fn summaries(&self, user: UserId, select: &Select) -> Result<Vec<Summary>> {
        todo!()
    }
    /// Counts, in the order asked; each at most `UNREAD_CAP`.
    pub async fn unread_counts(&self, queries: &[UnreadQuery]) -> Result<Vec<i64>> {
        todo!()
    }
    /// Members by `joined_seq`, then user id. Refuses with `NotFound` for who is not a member.
    pub async fn participants(
        &self,
        id: ConversationId,
        viewer: UserId,
        after: Option<(Seq, UserId)>,
        limit: i64,
    ) -> Result<Vec<Participant>> {
        todo!()
    }
    pub async fn history(
        &self,
        id: ConversationId,
        viewer: UserId,
        page: Around,
        limit: i64,
    ) -> Result<History> {
        todo!()
    }

    // ---- append.rs (postgres and sqlite arms side by side)
    /// One transaction for the whole batch, one outcome for each message in the
    /// order given. An `Err` outside means that the batch as a whole failed.
    pub async fn append(&self, batch: &[NewMessage]) -> Result<Vec<Result<Appended>>> {
        todo!()
    }

    // ---- changes.rs
    pub async fn edit_message(
        &self,
        id: ConversationId,
        actor: UserId,
        seq: Seq,
        body: &str,
        event_id: EventId,
        at: Timestamp,
    ) -> Result<Written> {
        todo!()
    }
    pub async fn delete_message(
        &self,
        id: ConversationId,
        actor: UserId,
        seq: Seq,
        event_id: EventId,
        at: Timestamp,
    ) -> Result<Written> {
        todo!()
    }

    // ---- marks.rs
    /// Never back, never beyond `last_seq`.
    pub async fn advance_read(
        &self,
        id: ConversationId,
        user: UserId,
        seq: Seq,
        at: Timestamp,
    ) -> Result<Advanced> {
        todo!()
    }

    // ---- log.rs
    /// One statement. `after` null event id: right before the reader's first entry
    /// (or the log's, seq 0), nothing to verify there.
    pub async fn log_range(
        &self,
        id: ConversationId,
        after: Cursor,
        reader: Option<Reader>,
        limit: i64,
    ) -> Result<LogRange> {
        todo!()
    }
    pub async fn heads(&self, ids: &[ConversationId]) -> Result<Vec<Head>> {
        todo!()
    }

    // ---- feed.rs
    pub async fn poll_feed(&self, from: Option<&FeedPosition>) -> Result<FeedPage> {
        todo!()
    }
    /// Deletes doorbells older than `keep`; how many.
    pub async fn prune_feed(&self, keep: std::time::Duration) -> Result<u64> {
        todo!()
    }
}

/// Migrations by version and name.
#[derive(Clone, Debug, Default)]
pub struct SchemaStatus {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
    /// Known to the database, not to this binary.
    pub ahead: Vec<String>,
}
