//! A conversation under its lock: what is true of it, and the entries that are
//! being added to its log.

use super::{
    Refusal, Result, Topic, Written,
    feed::ring,
    sql::{Conn, Sql, execute, fetch, sql},
};
use crate::model::*;

/// *Every writer of a log takes this lock first and reads in later statements*:
/// a snapshot from before the wait would not show a removal that was committed
/// during it.
const LOCK: Sql =
    sql!("select kind, title, share_history, last_seq, last_event_id from conversations
    where id = $1"(lock));

const ROLE: Sql = sql!(
    "select role, visible_from_seq from conversation_participants
    where conversation_id = $1 and user_id = $2 and left_seq is null"
);

const INSERT_SYSTEM: Sql = sql!(
    "insert into messages (conversation_id, seq, id, sender_id, kind, system, created_at,
        updated_seq)
    values ($1, $2, $3, $4, 'system', $5, $6, $2)"
);

const INSERT_CHANGE: Sql = sql!(
    "insert into message_changes (conversation_id, seq, id, target_seq, kind, actor_id, created_at)
    values ($1, $2, $3, $4, $5, $6, $7)"
);

const BUMP: Sql = sql!("update conversations set last_seq = $2, last_event_id = $3 where id = $1");

/// The actor's part in a locked conversation.
#[derive(Clone, Copy, sqlx::FromRow)]
pub(super) struct Standing {
    pub role: Role,
    pub visible_from_seq: Seq,
}

#[derive(sqlx::FromRow)]
struct LockedRow {
    kind: ConversationKind,
    title: Option<String>,
    share_history: bool,
    last_seq: Seq,
    last_event_id: EventId,
}

pub(super) struct Locked {
    pub id: ConversationId,
    pub kind: ConversationKind,
    pub title: Option<String>,
    pub share_history: bool,
    last_seq: Seq,
    last_event_id: EventId,
    written: Written,
}

impl Locked {
    /// Refuses with `NotFound`.
    pub(super) async fn lock(tx: &mut Conn, id: ConversationId) -> Result<Self> {
        let row: Option<LockedRow> = fetch!(optional, tx, LOCK, id)?;
        let row = row.ok_or(Refusal::NotFound)?;
        Ok(Self {
            id,
            kind: row.kind,
            title: row.title,
            share_history: row.share_history,
            last_seq: row.last_seq,
            last_event_id: row.last_event_id,
            written: Written::default(),
        })
    }

    /// Refuses with `NotFound` who is not a member now.
    pub(super) async fn standing(&self, tx: &mut Conn, user: UserId) -> Result<Standing> {
        let standing = fetch!(optional, tx, ROLE, self.id, user)?;
        standing.ok_or_else(|| Refusal::NotFound.into())
    }

    /// The seq that the next entry gets.
    pub(super) fn next_seq(&self) -> Seq {
        self.last_seq + 1
    }

    /// Remembers a user whose membership or role this changes.
    pub(super) fn touch(&mut self, user: UserId) {
        self.written.users.push(user);
    }

    pub(super) async fn tell(
        &mut self,
        tx: &mut Conn,
        actor: UserId,
        event: SystemEvent,
        at: Timestamp,
    ) -> Result<()> {
        let (id, seq) = (EventId::new(), self.next_seq());
        execute!(tx, INSERT_SYSTEM, self.id, seq, id, actor, &event, at)?;
        let message = Message {
            id,
            conversation_id: self.id,
            seq,
            kind: MessageKind::System,
            sender_id: actor,
            client_msg_id: None,
            body: None,
            reply_to_seq: None,
            created_at: at,
            edited_at: None,
            deleted_at: None,
            updated_seq: seq,
            system: Some(event),
        };
        self.push(id, message, None);
        Ok(())
    }

    /// `message` is in its new state, whose `updated_seq` is the next seq.
    pub(super) async fn note_change(
        &mut self,
        tx: &mut Conn,
        id: EventId,
        message: Message,
        change: LogChange,
        at: Timestamp,
    ) -> Result<()> {
        let (seq, kind, actor) = (self.next_seq(), change.kind, change.actor);
        execute!(tx, INSERT_CHANGE, self.id, seq, id, message.seq, kind, actor, at)?;
        self.push(id, message, Some(change));
        Ok(())
    }

    fn push(&mut self, event_id: EventId, message: Message, change: Option<LogChange>) {
        let seq = self.next_seq();
        let prev_event_id = Some(self.last_event_id);
        self.written.entries.push(LogEntry { seq, event_id, prev_event_id, message, change });
        self.last_seq = seq;
        self.last_event_id = event_id;
    }

    /// Moves the counter and rings; the caller commits.
    pub(super) async fn finish(self, tx: &mut Conn) -> Result<Written> {
        if self.written.entries.is_empty() {
            return Ok(Written::default());
        }
        execute!(tx, BUMP, self.id, self.last_seq, self.last_event_id)?;
        let users = self.written.users.iter().map(|user| Topic::User(*user));
        let topics: Vec<Topic> = users.chain([Topic::Conversation(self.id)]).collect();
        ring(tx, &topics).await?;
        Ok(self.written)
    }
}
