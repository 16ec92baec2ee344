//! The logs as the database has them in the end.

use std::collections::HashMap;

use parley::model::*;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::super::history::{History, Rule};

/// An entry of a log: a message, or a change to one.
#[derive(Debug)]
pub struct Entry {
    pub id: EventId,
    /// None for changes.
    pub message: Option<Stored>,
}

/// A message as it is now.
#[derive(Debug)]
pub struct Stored {
    pub sender: UserId,
    pub key: Option<ClientMessageId>,
    pub body: Option<String>,
    pub deleted: bool,
    pub updated_seq: Seq,
}

/// One conversation's.
#[derive(Debug, Default)]
pub struct Log {
    /// Of seq 1, 2, 3 …
    pub entries: Vec<Entry>,
    pub last: (Seq, Option<EventId>),
    pub title: Option<String>,
    /// Who was in it from which entry to which, both inclusive; the end is open
    /// for members.
    pub stays: HashMap<UserId, Vec<(Seq, Option<Seq>)>>,
    /// Read marks of those who are or were in it.
    pub marks: HashMap<UserId, Seq>,
    /// Seqs that were there twice, or not at all.
    broken: Vec<Seq>,
}

pub struct Logs(pub HashMap<ConversationId, Log>);

const ENTRIES: &str = "select conversation_id, seq, id, sender_id, client_msg_id, body,
        deleted_at is not null as deleted, updated_seq, system, true as is_message
    from messages
    union all
    select conversation_id, seq, id, actor_id, null, null, false, seq, null, false
    from message_changes
    order by 1, 2";

impl Logs {
    pub async fn read(connection: &mut PgConnection) -> Self {
        let mut logs: HashMap<ConversationId, Log> = HashMap::new();
        let heads = "select id, last_seq, last_event_id, title from conversations";
        for row in sqlx::query(heads).fetch_all(&mut *connection).await.unwrap() {
            let log = logs.entry(ConversationId(row.get(0))).or_default();
            log.last = (row.get(1), Some(EventId(row.get(2))));
            log.title = row.get(3);
        }
        for row in sqlx::query(ENTRIES).fetch_all(&mut *connection).await.unwrap() {
            let log = logs.get_mut(&ConversationId(row.get("conversation_id"))).unwrap();
            let (seq, sender) = (row.get::<Seq, _>("seq"), UserId(row.get("sender_id")));
            if seq != log.entries.len() as Seq + 1 {
                log.broken.push(seq);
            }
            if let Some(system) = row.get::<Option<String>, _>("system") {
                log.note_stay(sender, seq, serde_json::from_str(&system).unwrap());
            }
            let message = row.get::<bool, _>("is_message").then(|| Stored {
                sender,
                key: row.get::<Option<Uuid>, _>("client_msg_id").map(ClientMessageId),
                body: row.get("body"),
                deleted: row.get("deleted"),
                updated_seq: row.get("updated_seq"),
            });
            log.entries.push(Entry { id: EventId(row.get("id")), message });
        }
        let people = "select conversation_id, user_id, last_read_seq, joined_seq
            from conversation_participants";
        for row in sqlx::query(people).fetch_all(&mut *connection).await.unwrap() {
            let log = logs.get_mut(&ConversationId(row.get(0))).unwrap();
            log.marks.insert(UserId(row.get(1)), row.get(2));
            // Those it began with are in no message.
            let stays = log.stays.entry(UserId(row.get(1))).or_default();
            if stays.first().is_none_or(|first| first.0 != 1) && row.get::<Seq, _>(3) == 1 {
                stays.insert(0, (1, None));
            }
        }
        Self(logs)
    }

    /// Dense, and its end is where the conversation says.
    pub fn check(&self, history: &History) {
        for (id, log) in &self.0 {
            if !log.broken.is_empty() {
                history.violation(Rule::Holes, format!("{id}: at {:?}", log.broken));
            }
            let last = (log.entries.len() as Seq, log.entries.last().map(|entry| entry.id));
            if last != log.last {
                history
                    .violation(Rule::Holes, format!("{id} ends at {last:?}, says {:?}", log.last));
            }
            for (user, mark) in &log.marks {
                if *mark > log.last.0 {
                    history.violation(Rule::Marks, format!("{id}: {user} has read to {mark}"));
                }
            }
        }
    }
}

impl Log {
    fn note_stay(&mut self, by: UserId, seq: Seq, event: SystemEvent) {
        match event {
            SystemEvent::Created => {
                self.stays.entry(by).or_default().push((seq, None));
            }
            SystemEvent::ParticipantAdded { user_ids } => {
                for user in user_ids {
                    self.stays.entry(user).or_default().push((seq, None));
                }
            }
            SystemEvent::ParticipantRemoved { user_id }
            | SystemEvent::ParticipantLeft { user_id } => {
                // Who was there from the start is in no message before this one.
                let stays = self.stays.entry(user_id).or_default();
                match stays.last_mut() {
                    Some(stay) => stay.1 = Some(seq),
                    None => stays.push((1, Some(seq))),
                }
            }
            SystemEvent::TitleChanged { .. } | SystemEvent::RoleChanged { .. } => {}
        }
    }

    pub fn entry(&self, seq: Seq) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq - 1).ok()?)
    }

    /// Whether somebody was in it when this entry was written.
    pub fn was_in(&self, user: UserId, seq: Seq) -> bool {
        let stays = self.stays.get(&user).into_iter().flatten();
        let mut stays = stays.filter(|(from, to)| *from <= seq && to.is_none_or(|to| seq <= to));
        stays.next().is_some()
    }

    pub fn is_in(&self, user: UserId) -> bool {
        self.stays.get(&user).and_then(|stays| stays.last()).is_some_and(|stay| stay.1.is_none())
    }
}
