//! A member's conversations, each in one consistent picture: the state of the
//! log, the start position and the membership come from one statement, so that
//! a later removal always lies above the start.

use serde::Deserialize;
use uuid::Uuid;

use super::{
    Result, Select, Store, StoreError, Summary,
    error::broken,
    message::MessageRow,
    sql::{Conn, Ids, Joined, Sql, fetch, sql, text},
};
use crate::model::*;

/// The memberships of user `$1`, and where the newest message stands that they
/// may see.
macro_rules! mine {
    ($dialect:ident) => {
        "with mine as (
            select p.conversation_id, p.role, p.joined_seq, p.visible_from_seq, p.last_read_seq,
                p.last_read_at, p.muted, p.pinned, c.kind, c.title, c.share_history,
                c.created_by, c.created_at, c.last_seq, c.last_event_id,
                (select max(m.seq) from messages m
                    where m.conversation_id = p.conversation_id
                        and m.seq >= p.visible_from_seq) as newest_seq
            from conversation_participants p
            join conversations c on c.id = p.conversation_id
            where p.user_id = $1 and p.left_seq is null"
    };
}

macro_rules! page {
    ($dialect:ident) => {
        "), page as (
            select mine.*, coalesce(m.created_at, mine.created_at) as active_at
            from mine left join messages m
                on m.conversation_id = mine.conversation_id and m.seq = mine.newest_seq"
    };
}

/// The rows of `page` completed. The other participants come as JSON, so that
/// they are of the same statement without repeating its rows.
macro_rules! details {
    ($dialect:ident) => {
        text!($dialect: ")
        select page.conversation_id as about_id, page.kind as about_kind, page.title,
            page.share_history, page.created_by, page.created_at as begun_at, page.last_seq,
            page.last_event_id, page.role, page.joined_seq, page.visible_from_seq,
            page.last_read_seq, page.last_read_at, page.muted, page.pinned, page.active_at,
            m.id, m.conversation_id, m.seq, m.kind, m.sender_id, m.client_msg_id,
            substr(m.body, 1, 200) as body, m.reply_to_seq, m.created_at, m.edited_at,
            m.deleted_at, m.updated_seq, m.system,
            me.username as my_username, me.display_name as my_name, me.created_at as my_birth,
            (select count(*) from conversation_participants p
                where p.conversation_id = page.conversation_id and p.left_seq is null
            ) as participant_count,
            (select " (list "o.line") " from (
                select " (object) "(
                    'id', " (id "u.id") ", 'username', u.username,
                    'display_name', u.display_name, 'created_at', " (millis "u.created_at") ",
                    'role', p.role, 'joined_seq', p.joined_seq,
                    'last_read_seq', p.last_read_seq,
                    'last_read_at', " (millis "p.last_read_at") ") as line
                from conversation_participants p join users u on u.id = p.user_id
                where p.conversation_id = page.conversation_id and p.left_seq is null
                    and p.user_id <> $1
                order by p.joined_seq, p.user_id limit 7) o
            ) as others
        from page
        join users me on me.id = $1
        left join messages m
            on m.conversation_id = page.conversation_id and m.seq = page.newest_seq
        order by page.active_at desc, page.conversation_id desc")
    };
}

/// Above the position of the page before; `$2` null: from the top.
const NEWEST: Sql = sql!(
    (use mine) (use page) "
        where $2 is null
            or (coalesce(m.created_at, mine.created_at), mine.conversation_id) < ($2, $3)
        order by active_at desc, mine.conversation_id desc limit $4"
    (use details)
);

const THESE: Sql = sql!((use mine) " and p.conversation_id" (any "$2") (use page) (use details));

#[derive(sqlx::FromRow)]
struct SummaryRow {
    about_id: ConversationId,
    about_kind: ConversationKind,
    title: Option<String>,
    share_history: bool,
    created_by: Option<UserId>,
    begun_at: Timestamp,
    last_seq: Seq,
    last_event_id: EventId,
    role: Role,
    joined_seq: Seq,
    visible_from_seq: Seq,
    last_read_seq: Seq,
    last_read_at: Option<Timestamp>,
    muted: bool,
    pinned: bool,
    active_at: Timestamp,
    #[sqlx(flatten)]
    newest: Joined<MessageRow>,
    my_username: String,
    my_name: String,
    my_birth: Timestamp,
    participant_count: i64,
    others: String,
}

/// A participant as both databases put it into JSON: ids with hyphens or
/// without, times in milliseconds.
#[derive(Deserialize)]
struct Other {
    id: Uuid,
    username: String,
    display_name: String,
    created_at: i64,
    role: Role,
    joined_seq: Seq,
    last_read_seq: Seq,
    last_read_at: Option<i64>,
}

impl Store {
    /// Summaries of conversations `user` is a member of now, each consistent in
    /// itself, newest activity first, then by id, downwards.
    pub async fn summaries(&self, user: UserId, select: &Select) -> Result<Vec<Summary>> {
        let select = select.clone();
        self.read(move |conn| Box::pin(async move { summaries(conn, user, select).await })).await
    }
}

async fn summaries(conn: &mut Conn, user: UserId, select: Select) -> Result<Vec<Summary>> {
    let rows: Vec<SummaryRow> = match select {
        Select::Newest { after, limit } => {
            let (at, id) = after.unzip();
            fetch!(all, conn, NEWEST, user, at, id, limit)?
        }
        Select::These(ids) => {
            let ids: Ids = ids.iter().collect();
            fetch!(all, conn, THESE, user, &ids)?
        }
    };
    rows.into_iter().map(|row| row.complete(user)).collect()
}

impl SummaryRow {
    fn complete(self, user: UserId) -> Result<Summary> {
        let me = Participant {
            user: User {
                id: user,
                username: self.my_username,
                display_name: self.my_name,
                created_at: self.my_birth,
            },
            role: self.role,
            joined_seq: self.joined_seq,
            last_read_seq: self.last_read_seq,
            last_read_at: self.last_read_at,
        };
        let others: Vec<Other> = serde_json::from_str(&self.others)
            .map_err(|e| broken(format!("participants of {}: {e}", self.about_id)))?;
        let mut participants = vec![me];
        for other in others {
            participants.push(other.try_into()?);
        }
        participants.sort_by_key(|p| (p.joined_seq, p.user.id));
        let conversation = Conversation {
            id: self.about_id,
            kind: self.about_kind,
            title: self.title,
            share_history: self.share_history,
            created_by: self.created_by,
            created_at: self.begun_at,
            last_seq: self.last_seq,
            last_event_id: self.last_event_id,
            last_message: self.newest.0.map(Message::from),
            participants,
            participant_count: self.participant_count,
            role: self.role,
            joined_seq: self.joined_seq,
            visible_from_seq: self.visible_from_seq,
            last_read_seq: self.last_read_seq,
            last_read_at: self.last_read_at,
            unread_count: 0,
            unread_as_of_seq: self.last_seq,
            muted: self.muted,
            pinned: self.pinned,
        };
        Ok(Summary { conversation, last_activity_at: self.active_at })
    }
}

impl TryFrom<Other> for Participant {
    type Error = StoreError;
    fn try_from(other: Other) -> Result<Self> {
        let time = |millis| {
            Timestamp::from_millis(millis).ok_or_else(|| broken(format!("{millis} ms is no date")))
        };
        Ok(Participant {
            user: User {
                id: UserId(other.id),
                username: other.username,
                display_name: other.display_name,
                created_at: time(other.created_at)?,
            },
            role: other.role,
            joined_seq: other.joined_seq,
            last_read_seq: other.last_read_seq,
            last_read_at: other.last_read_at.map(time).transpose()?,
        })
    }
}
