//! Appending on Postgres: one call of the function `append_messages`, one round
//! trip, one commit.

use super::{
    Appended, NewMessage, Result, StoreError,
    append::{BatchError, Outcome, Patience},
    error::{broken, committing, is_blocked},
    open::PostgresPools,
    sql::On,
    work::{ANSWER_LIMIT, Lease},
};
use crate::{
    model::*,
    planted::{self, Bug},
};

const APPEND: &str = "select outcome, seq, prev_event_id, message_id, created_at
    from append_messages($1, $2, $3, $4, $5, $6, $7, $8, $9) order by place";

type Row = (String, Option<Seq>, Option<EventId>, Option<EventId>, Option<Timestamp>);

impl Patience {
    fn millis(self) -> i32 {
        match self {
            Patience::Short => 250,
            Patience::Long => 2_000,
        }
    }
}

/// The statement commits by itself: its answer comes after the commit. What
/// goes wrong on the way may have gone wrong after it.
pub(super) async fn commit(
    pools: &PostgresPools,
    batch: &[&NewMessage],
    patience: Patience,
) -> Result<Vec<Outcome>, BatchError> {
    let conn = pools.appends.acquire().await.map_err(|e| BatchError::Whole(e.into()))?;
    let mut lease = Lease::new(On::Postgres(conn));
    let rows = lease
        .within(ANSWER_LIMIT, |conn| async move {
            match conn {
                On::Postgres(c) => call(c, batch, patience).await,
                On::Sqlite(_) => Ok(Vec::new()),
            }
        })
        .await;
    match rows {
        Ok(Ok(rows)) => {
            if planted::has(Bug::AckBeforeCommit) {
                tokio::spawn(async move {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    lease.commit().await
                });
            }
            let outcomes = rows.into_iter().map(outcome).collect::<Result<_>>();
            outcomes.map_err(BatchError::Whole)
        }
        Ok(Err(error)) => {
            if planted::has(Bug::AckBeforeCommit) {
                lease.rollback().await;
            }
            Err(failed(error))
        }
        Err(_) => Err(BatchError::Whole(StoreError::OutcomeUnknown)),
    }
}

async fn call(
    conn: &mut sqlx::PgConnection,
    batch: &[&NewMessage],
    patience: Patience,
) -> sqlx::Result<Vec<Row>> {
    macro_rules! column {
        ($m:ident => $value:expr) => {
            batch.iter().map(|$m| $value).collect::<Vec<_>>()
        };
    }
    if planted::has(Bug::AckBeforeCommit) {
        sqlx::raw_sql("begin").execute(&mut *conn).await?;
    }
    sqlx::query_as(APPEND)
        .bind(column!(m => m.event_id))
        .bind(column!(m => m.conversation_id))
        .bind(column!(m => m.sender_id))
        .bind(column!(m => m.client_msg_id))
        .bind(column!(m => m.request_hash.as_slice()))
        .bind(column!(m => m.body.as_str()))
        .bind(column!(m => m.reply_to_seq))
        .bind(column!(m => m.created_at))
        .bind(patience.millis())
        .fetch_all(conn)
        .await
}

fn outcome((verdict, seq, below, id, at): Row) -> Result<Outcome> {
    Ok(match (verdict.as_str(), seq, id, at) {
        ("new", Some(seq), ..) => Outcome::Done(Appended::New { seq, prev_event_id: below }),
        ("repeat", Some(seq), Some(message_id), Some(created_at)) => {
            Outcome::Done(Appended::Repeat { seq, message_id, created_at })
        }
        ("reused", ..) => Outcome::Reused,
        ("not_found", ..) => Outcome::NotFound,
        ("bad_reply", ..) => Outcome::BadReply,
        (other, ..) => return Err(broken(format!("outcome {other:?} of append_messages"))),
    })
}

fn failed(error: sqlx::Error) -> BatchError {
    if is_blocked(&error) {
        return BatchError::Blocked;
    }
    match committing(error) {
        error @ StoreError::Unexpected(_) => BatchError::Poisoned(error),
        error => BatchError::Whole(error),
    }
}
