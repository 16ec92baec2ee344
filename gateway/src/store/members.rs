//! Changes of membership, role and title: each is told by a system message, so
//! that they are in the same order as everything else.

use super::{
    ConversationChange, Refusal, Result, Store, Written,
    accounts::all_active,
    error::too_many,
    locked::{Locked, Standing},
    rules,
    sql::{Conn, Ids, Sql, execute, fetch, sql},
};
use crate::model::*;

const MEMBERS: Sql = sql!(
    "select user_id, role from conversation_participants
    where conversation_id = $1 and left_seq is null
    order by joined_seq, user_id"
);

/// Who comes back begins a new interval in the same row, with everything up to
/// the joining entry read. Read marks never go back.
const JOIN: Sql = sql!(
    "insert into conversation_participants (conversation_id, user_id, role, joined_seq,
        visible_from_seq, last_read_seq)
    select $1, u.id, 'member', $3, $4, $3 from " (each "$2") " u where true
    on conflict (conversation_id, user_id) do update
    set role = excluded.role, joined_seq = excluded.joined_seq,
        visible_from_seq = excluded.visible_from_seq, left_seq = null,
        last_read_seq = excluded.last_read_seq, last_read_at = $5"
);

const LEAVE: Sql = sql!(
    "update conversation_participants set left_seq = $3
    where conversation_id = $1 and user_id = $2"
);

const SET_ROLE: Sql = sql!(
    "update conversation_participants set role = $3
    where conversation_id = $1 and user_id = $2"
);

const SET_TITLE: Sql = sql!("update conversations set title = $2 where id = $1");

const FULL: Sql = sql!(
    "select user_id from conversation_participants
    where user_id" (any "$1") " and left_seq is null
    group by user_id having count(*) >= $2 limit 1"
);

impl Store {
    /// Refuses with `NotFound` (not a member; nor is the one it is about),
    /// `Forbidden`, `Conflict`, `UnknownUser` or `TooMany`.
    pub async fn change_conversation(
        &self,
        id: ConversationId,
        actor: UserId,
        change: &ConversationChange,
        at: Timestamp,
    ) -> Result<Written> {
        let change = change.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let log = Locked::lock(tx, id).await?;
                let Standing { role, .. } = log.standing(tx, actor).await?;
                rules::only_groups(log.kind)?;
                let actor = Actor { id: actor, role, at };
                match change {
                    ConversationChange::Add { users } => add(tx, log, actor, users).await,
                    ConversationChange::Remove { user } => remove(tx, log, actor, user).await,
                    ConversationChange::SetRole { user, role } => {
                        set_role(tx, log, actor, user, role).await
                    }
                    ConversationChange::SetTitle { title } => {
                        set_title(tx, log, actor, title).await
                    }
                }
            })
        })
        .await
    }
}

#[derive(Clone, Copy)]
struct Actor {
    id: UserId,
    role: Role,
    at: Timestamp,
}

async fn add(
    tx: &mut Conn,
    mut log: Locked,
    actor: Actor,
    mut users: Vec<UserId>,
) -> Result<Written> {
    rules::may_manage(actor.role)?;
    users.sort_unstable();
    users.dedup();
    if users.len() > limits::ADDED_AT_ONCE {
        return too_many("participants at once", limits::ADDED_AT_ONCE as i64);
    }
    all_active(tx, &users).await?;
    let members = members(tx, log.id).await?;
    users.retain(|user| !members.iter().any(|(member, _)| member == user));
    if users.is_empty() {
        return Ok(Written::default());
    }
    if members.len() + users.len() > limits::PARTICIPANTS as usize {
        return too_many("participants", limits::PARTICIPANTS);
    }
    let ids: Ids = users.iter().collect();
    room_for_one_more(tx, &ids).await?;

    let joined = log.next_seq();
    let visible_from = if log.share_history { 1 } else { joined };
    execute!(tx, JOIN, log.id, &ids, joined, visible_from, actor.at)?;
    users.iter().for_each(|user| log.touch(*user));
    let event = SystemEvent::ParticipantAdded { user_ids: users };
    log.tell(tx, actor.id, event, actor.at).await?;
    log.finish(tx).await
}

async fn remove(tx: &mut Conn, mut log: Locked, actor: Actor, user: UserId) -> Result<Written> {
    let leaving = user == actor.id;
    let mut members = members(tx, log.id).await?;
    let role = role_of(user, &members)?;
    rules::may_remove(actor.role, role, leaving)?;

    execute!(tx, LEAVE, log.id, user, log.next_seq())?;
    log.touch(user);
    let event = match leaving {
        true => SystemEvent::ParticipantLeft { user_id: user },
        false => SystemEvent::ParticipantRemoved { user_id: user },
    };
    log.tell(tx, actor.id, event, actor.at).await?;

    members.retain(|(member, _)| *member != user);
    if let Some(heir) = rules::successor(&members) {
        give_role(tx, &mut log, actor, heir, Role::Owner).await?;
    }
    log.finish(tx).await
}

async fn set_role(
    tx: &mut Conn,
    mut log: Locked,
    actor: Actor,
    user: UserId,
    role: Role,
) -> Result<Written> {
    let members = members(tx, log.id).await?;
    let from = role_of(user, &members)?;
    let owners = members.iter().filter(|(_, role)| *role == Role::Owner).count();
    rules::may_set_role(actor.role, from, role, owners as i64)?;
    if from != role {
        give_role(tx, &mut log, actor, user, role).await?;
    }
    log.finish(tx).await
}

async fn set_title(tx: &mut Conn, mut log: Locked, actor: Actor, title: String) -> Result<Written> {
    rules::may_manage(actor.role)?;
    if log.title.as_ref() != Some(&title) {
        execute!(tx, SET_TITLE, log.id, &title)?;
        let event = SystemEvent::TitleChanged { title };
        log.tell(tx, actor.id, event, actor.at).await?;
    }
    log.finish(tx).await
}

async fn give_role(
    tx: &mut Conn,
    log: &mut Locked,
    actor: Actor,
    user: UserId,
    role: Role,
) -> Result<()> {
    execute!(tx, SET_ROLE, log.id, user, role)?;
    log.touch(user);
    let event = SystemEvent::RoleChanged { user_id: user, role };
    log.tell(tx, actor.id, event, actor.at).await
}

/// Oldest first.
async fn members(tx: &mut Conn, id: ConversationId) -> Result<Vec<(UserId, Role)>> {
    fetch!(all, tx, MEMBERS, id)
}

fn role_of(user: UserId, members: &[(UserId, Role)]) -> Result<Role> {
    let found = members.iter().find(|(member, _)| *member == user);
    found.map(|(_, role)| *role).ok_or_else(|| Refusal::NotFound.into())
}

/// Refuses with `TooMany` when one of them is in as many conversations as one
/// can be in.
pub(super) async fn room_for_one_more(tx: &mut Conn, users: &Ids) -> Result<()> {
    let full: Option<(UserId,)> = fetch!(optional, tx, FULL, users, limits::CONVERSATIONS)?;
    match full {
        Some(_) => too_many("conversations of one user", limits::CONVERSATIONS),
        None => Ok(()),
    }
}
