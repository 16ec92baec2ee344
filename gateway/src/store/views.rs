//! What a user's sessions hold true: memberships, devices, who else is there.

use std::collections::HashMap;

use super::{
    Membership, Refusal, Result, Store, UserState,
    sql::{Conn, Ids, Joined, Sql, fetch, sql},
};
use crate::model::*;

macro_rules! membership_columns {
    ($dialect:ident) => {
        "conversation_id, role, joined_seq, visible_from_seq, left_seq, last_read_seq,
        last_read_at, muted, pinned"
    };
}

const MEMBERSHIP: Sql = sql!("select " (use membership_columns) " from conversation_participants
    where conversation_id = $1 and user_id = $2");

const MEMBERSHIPS: Sql = sql!("select user_id, " (use membership_columns) "
    from conversation_participants where user_id" (any "$1"));

const STATES: Sql = sql!(
    "select id, username, display_name, created_at, token_epoch, disabled_at is not null
    from users where id" (any "$1") " order by id"
);

const LIVE_DEVICES: Sql =
    sql!("select user_id, id from devices where revoked_at is null and user_id" (any "$1"));

/// The viewer's row tells a page that is empty from one that they may not see.
const PARTICIPANTS: Sql = sql!(
    "select u.id, u.username, u.display_name, u.created_at, p.role, p.joined_seq,
        p.last_read_seq, p.last_read_at
    from conversation_participants me
    left join (
        select conversation_id, user_id, role, joined_seq, last_read_seq, last_read_at
        from conversation_participants
        where conversation_id = $1 and left_seq is null
            and ($3 is null or (joined_seq, user_id) > ($3, $4))
        order by joined_seq, user_id
        limit $5
    ) p on p.conversation_id = me.conversation_id
    left join users u on u.id = p.user_id
    where me.conversation_id = $1 and me.user_id = $2 and me.left_seq is null
    order by p.joined_seq, p.user_id"
);

#[derive(sqlx::FromRow)]
struct MembershipRow {
    conversation_id: ConversationId,
    role: Role,
    joined_seq: Seq,
    visible_from_seq: Seq,
    left_seq: Option<Seq>,
    last_read_seq: Seq,
    last_read_at: Option<Timestamp>,
    muted: bool,
    pinned: bool,
}

impl From<MembershipRow> for Membership {
    fn from(row: MembershipRow) -> Self {
        Membership {
            conversation_id: row.conversation_id,
            role: row.role,
            joined_seq: row.joined_seq,
            visible_from_seq: row.visible_from_seq,
            left_seq: row.left_seq,
            mark: ReadMark { last_read_seq: row.last_read_seq, last_read_at: row.last_read_at },
            muted: row.muted,
            pinned: row.pinned,
        }
    }
}

#[derive(sqlx::FromRow)]
struct UsersMembershipRow {
    user_id: UserId,
    #[sqlx(flatten)]
    membership: MembershipRow,
}

#[derive(sqlx::FromRow)]
struct ParticipantRow {
    id: UserId,
    username: String,
    display_name: String,
    created_at: Timestamp,
    role: Role,
    joined_seq: Seq,
    last_read_seq: Seq,
    last_read_at: Option<Timestamp>,
}

impl From<ParticipantRow> for Participant {
    fn from(row: ParticipantRow) -> Self {
        let ParticipantRow { id, username, display_name, created_at, .. } = row;
        Participant {
            user: User { id, username, display_name, created_at },
            role: row.role,
            joined_seq: row.joined_seq,
            last_read_seq: row.last_read_seq,
            last_read_at: row.last_read_at,
        }
    }
}

impl Store {
    /// Current interval, or the last one; `None` when never a member.
    pub async fn membership(&self, id: ConversationId, user: UserId) -> Result<Option<Membership>> {
        self.read(move |conn| {
            Box::pin(async move {
                let row: Option<MembershipRow> = fetch!(optional, conn, MEMBERSHIP, id, user)?;
                Ok(row.map(Membership::from))
            })
        })
        .await
    }

    /// Those of `users` that exist, by id.
    pub async fn user_states(&self, users: &[UserId]) -> Result<Vec<UserState>> {
        let users: Ids = users.iter().collect();
        self.read(|conn| Box::pin(async move { user_states(conn, &users).await })).await
    }

    /// Members by `joined_seq`, then user id. Refuses with `NotFound` for who is
    /// not a member.
    pub async fn participants(
        &self,
        id: ConversationId,
        viewer: UserId,
        after: Option<(Seq, UserId)>,
        limit: i64,
    ) -> Result<Vec<Participant>> {
        let (seq, user) = after.unzip();
        self.read(move |conn| {
            Box::pin(async move {
                let rows: Vec<Joined<ParticipantRow>> =
                    fetch!(all, conn, PARTICIPANTS, id, viewer, seq, user, limit)?;
                if rows.is_empty() {
                    return Err(Refusal::NotFound.into());
                }
                Ok(rows.into_iter().filter_map(|row| row.0).map(Participant::from).collect())
            })
        })
        .await
    }
}

/// Three reads, each after the commit that rang: what they show together is at
/// least as new as the doorbell.
async fn user_states(conn: &mut Conn, users: &Ids) -> Result<Vec<UserState>> {
    type Row = (UserId, String, String, Timestamp, i64, bool);
    let rows: Vec<Row> = fetch!(all, conn, STATES, users)?;
    let mut places = HashMap::new();
    let mut states = Vec::with_capacity(rows.len());
    for (id, username, display_name, created_at, token_epoch, disabled) in rows {
        places.insert(id, states.len());
        states.push(UserState {
            user: User { id, username, display_name, created_at },
            token_epoch,
            disabled,
            live_devices: Default::default(),
            memberships: Vec::new(),
        });
    }
    let devices: Vec<(UserId, DeviceId)> = fetch!(all, conn, LIVE_DEVICES, users)?;
    for (user, device) in devices {
        if let Some(place) = places.get(&user) {
            states[*place].live_devices.insert(device);
        }
    }
    let memberships: Vec<UsersMembershipRow> = fetch!(all, conn, MEMBERSHIPS, users)?;
    for row in memberships {
        if let Some(place) = places.get(&row.user_id) {
            states[*place].memberships.push(row.membership.into());
        }
    }
    Ok(states)
}
