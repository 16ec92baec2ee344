//! Beginning a conversation.

use aws_lc_rs::digest::{SHA256, digest};

use super::{
    CreatedConversation, NewConversation, Refusal, Result, Store, StoreError, Topic,
    accounts::all_active,
    error::too_many,
    feed::ring,
    members::room_for_one_more,
    rules,
    sql::{Conn, Ids, Sql, execute, fetch, sql},
};
use crate::model::*;

const BY_DIRECT_KEY: Sql = sql!("select id, request_hash from conversations where direct_key = $1");

const BY_CLIENT_ID: Sql =
    sql!("select id, request_hash from conversations where created_by = $1 and client_id = $2");

/// Of several that are made at the same time one gets in; the others wait for
/// its commit here and then find it.
const INSERT: Sql = sql!(
    "insert into conversations (id, kind, title, share_history, created_by, created_at, last_seq,
        last_event_id, direct_key, client_id, request_hash)
    values ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10)
    on conflict do nothing"
);

const INSERT_PARTICIPANTS: Sql = sql!(
    "insert into conversation_participants (conversation_id, user_id, role, joined_seq,
        visible_from_seq, last_read_seq)
    select $1, u.id, case when u.id = $3 then $4 else 'member' end, 1, 1, 1
    from " (each "$2") " u"
);

const INSERT_CREATED: Sql = sql!(
    "insert into messages (conversation_id, seq, id, sender_id, kind, system, created_at,
        updated_seq)
    values ($1, 1, $2, $3, 'system', $4, $5, 1)"
);

impl Store {
    /// A direct conversation is the same one for ever, whoever begins it; a
    /// group is the same one for its creator's `client_id`. Refuses with
    /// `Conflict` (not exactly one other person), `UnknownUser`,
    /// `ClientIdReused` or `TooMany`.
    pub async fn create_conversation(&self, new: &NewConversation) -> Result<CreatedConversation> {
        let new = new.clone();
        self.write(|tx| Box::pin(async move { create(tx, &new).await })).await
    }
}

async fn create(tx: &mut Conn, new: &NewConversation) -> Result<CreatedConversation> {
    let direct_key = direct_key(new)?;
    let hash = request_hash(new);
    if let Some(made) = existing(tx, new, &direct_key, &hash).await? {
        return Ok(made);
    }
    if new.others.len() > limits::ADDED_AT_ONCE {
        return too_many("participants at once", limits::ADDED_AT_ONCE as i64);
    }
    let everyone: Vec<UserId> = new.others.iter().copied().chain([new.creator]).collect();
    all_active(tx, &everyone).await?;
    let ids: Ids = everyone.iter().collect();
    room_for_one_more(tx, &ids).await?;

    let inserted = execute!(
        tx,
        INSERT,
        new.id,
        new.kind,
        &new.title,
        new.share_history,
        new.creator,
        new.created_at,
        new.event_id,
        &direct_key,
        new.client_id,
        &hash
    )?;
    if inserted == 0 {
        let made = existing(tx, new, &direct_key, &hash).await?;
        return made.ok_or_else(|| StoreError::Unexpected("the conversation id is taken".into()));
    }
    let creators_role = match new.kind {
        ConversationKind::Direct => Role::Member,
        ConversationKind::Group => Role::Owner,
    };
    execute!(tx, INSERT_PARTICIPANTS, new.id, &ids, new.creator, creators_role)?;
    let event = SystemEvent::Created;
    execute!(tx, INSERT_CREATED, new.id, new.event_id, new.creator, event, new.created_at)?;

    let users = everyone.into_iter().map(Topic::User);
    let topics: Vec<Topic> = users.chain([Topic::Conversation(new.id)]).collect();
    ring(tx, &topics).await?;
    Ok(CreatedConversation { id: new.id, created: true })
}

fn direct_key(new: &NewConversation) -> Result<Option<String>> {
    match (new.kind, new.others.as_slice()) {
        (ConversationKind::Group, _) => Ok(None),
        (ConversationKind::Direct, [other]) => rules::direct_key(new.creator, *other).map(Some),
        (ConversationKind::Direct, _) => {
            Err(Refusal::Conflict("a direct conversation has exactly two participants").into())
        }
    }
}

/// The conversation that this request has made before, if it has.
async fn existing(
    tx: &mut Conn,
    new: &NewConversation,
    direct_key: &Option<String>,
    hash: &[u8],
) -> Result<Option<CreatedConversation>> {
    let found: Option<(ConversationId, Option<Vec<u8>>)> = match (direct_key, new.client_id) {
        (Some(key), _) => fetch!(optional, tx, BY_DIRECT_KEY, key)?,
        (None, Some(client_id)) => fetch!(optional, tx, BY_CLIENT_ID, new.creator, client_id)?,
        (None, None) => None,
    };
    match found {
        None => Ok(None),
        Some((_, was)) if direct_key.is_none() && was.as_deref() != Some(hash) => {
            Err(Refusal::ClientIdReused.into())
        }
        Some((id, _)) => Ok(Some(CreatedConversation { id, created: false })),
    }
}

/// Over everything that a repeat must have in common with the first request;
/// the order of the participants is not part of it.
fn request_hash(new: &NewConversation) -> Vec<u8> {
    let mut others = new.others.clone();
    others.sort_unstable();
    let request = format!("{:?}", (new.kind, &new.title, new.share_history, others));
    digest(&SHA256, request.as_bytes()).as_ref().to_vec()
}
