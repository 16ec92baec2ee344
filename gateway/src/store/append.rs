//! Adding text messages to their logs, many in one commit.
//!
//! What a batch means is the same on both databases: its messages are judged in
//! the order given, each as if it came alone.
//!
//! 1. A known `client_msg_id` is answered first: even an ex-member gets the
//!    answer to what they had committed.
//! 2. Else the sender must be a member,
//! 3. and what they reply to must be a text that they can see, from before this
//!    batch.
//! 4. It gets the next seq of its conversation.

use futures_util::future::join_all;

use super::{
    Appended, NewMessage, Refusal, Result, Store, StoreError, append_postgres, append_sqlite,
    open::Pools, sql::On, work::detached,
};
use crate::model::*;

/// What became of one message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Done(Appended),
    Reused,
    NotFound,
    BadReply,
}

impl From<Outcome> for Result<Appended> {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(appended) => Ok(appended),
            Outcome::Reused => Err(Refusal::ClientMessageIdReused.into()),
            Outcome::NotFound => Err(Refusal::NotFound.into()),
            Outcome::BadReply => Err(Refusal::BadReply.into()),
        }
    }
}

/// Why a batch was not committed.
#[derive(Debug)]
pub(super) enum BatchError {
    /// Somebody held one of its conversations for too long.
    Blocked,
    /// No retry of a part of it would fare better.
    Whole(StoreError),
    /// One of its rows, it may be, is to blame.
    Poisoned(StoreError),
}

/// How long a batch waits for its conversations.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    /// Several conversations: one that is stuck must not stop the others.
    Short,
    /// One conversation.
    Long,
}

impl Store {
    /// One transaction for the whole batch, one outcome for each message in the
    /// order given. An `Err` outside means that the batch as a whole failed.
    ///
    /// When one of its conversations is held by somebody else for too long, or
    /// one of its rows makes the database fail, the batch is tried again in
    /// parts, and only what is to blame fails.
    pub async fn append(&self, batch: &[NewMessage]) -> Result<Vec<Result<Appended>>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (pools, batch) = (self.pools.clone(), batch.to_vec());
        detached(async move {
            let everything: Vec<&NewMessage> = batch.iter().collect();
            match commit(&pools, &everything, Patience::Short).await {
                Ok(outcomes) => Ok(outcomes.into_iter().map(Result::from).collect()),
                Err(BatchError::Whole(error)) => Err(error),
                Err(BatchError::Blocked) => Ok(by_conversation(&pools, &batch).await),
                Err(BatchError::Poisoned(error)) => {
                    tracing::warn!(%error, rows = batch.len(), "appending row by row");
                    Ok(one_by_one(&pools, &everything).await)
                }
            }
        })
        .await
    }
}

async fn commit(
    pools: &Pools,
    batch: &[&NewMessage],
    patience: Patience,
) -> Result<Vec<Outcome>, BatchError> {
    let outcomes = match pools {
        On::Postgres(pools) => append_postgres::commit(pools, batch, patience).await?,
        On::Sqlite(pools) => append_sqlite::commit(pools, batch).await?,
    };
    match outcomes.len() == batch.len() {
        true => Ok(outcomes),
        false => {
            let what = format!("{} outcomes for {} messages", outcomes.len(), batch.len());
            Err(BatchError::Whole(StoreError::Unexpected(what)))
        }
    }
}

/// The conversations side by side, each in its own transaction.
async fn by_conversation(pools: &Pools, batch: &[NewMessage]) -> Vec<Result<Appended>> {
    let mut parts: Vec<(ConversationId, Vec<usize>)> = Vec::new();
    for (place, message) in batch.iter().enumerate() {
        let id = message.conversation_id;
        match parts.iter_mut().find(|(known, _)| *known == id) {
            Some((_, places)) => places.push(place),
            None => parts.push((id, vec![place])),
        }
    }
    let answers = join_all(parts.iter().map(|(_, places)| async move {
        let part: Vec<&NewMessage> = places.iter().map(|place| &batch[*place]).collect();
        match commit(pools, &part, Patience::Long).await {
            Ok(outcomes) => outcomes.into_iter().map(Result::from).collect(),
            Err(BatchError::Poisoned(_)) => one_by_one(pools, &part).await,
            Err(error) => part.iter().map(|_| Err(error.for_one())).collect(),
        }
    }))
    .await;

    let placed = parts.iter().zip(answers);
    let mut answers: Vec<(usize, Result<Appended>)> =
        placed.flat_map(|((_, places), some)| places.iter().copied().zip(some)).collect();
    answers.sort_unstable_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn one_by_one(pools: &Pools, batch: &[&NewMessage]) -> Vec<Result<Appended>> {
    let mut answers = Vec::with_capacity(batch.len());
    for message in batch {
        answers.push(match commit(pools, &[*message], Patience::Long).await {
            Ok(outcomes) => outcomes.into_iter().map(Result::from).collect::<Result<Vec<_>>>(),
            Err(error) => Err(error.for_one()),
        });
    }
    let single = |answer: Result<Vec<Appended>>| {
        answer?.pop().ok_or_else(|| StoreError::Unexpected("no outcome".into()))
    };
    answers.into_iter().map(single).collect()
}

impl BatchError {
    /// The same failure, told to one message of the batch.
    fn for_one(&self) -> StoreError {
        match self {
            Self::Blocked => StoreError::Unavailable("the conversation is held up".into()),
            Self::Whole(error) | Self::Poisoned(error) => match error {
                StoreError::OutcomeUnknown => StoreError::OutcomeUnknown,
                StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
                other => StoreError::Unexpected(other.to_string()),
            },
        }
    }
}
