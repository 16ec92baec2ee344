//! How work reaches the database: in tasks of its own, within time limits.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::SqlSafeStr;
use tokio::time::timeout;
use tracing::Instrument;

use super::{
    Result, Store, StoreError,
    error::committing,
    open::Pools,
    sql::{Conn, On, execute, sql},
};

/// Longer than the server's own limits: reached only when the link is dead.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const ROLLBACK_LIMIT: Duration = Duration::from_secs(2);

/// Runs `work` to its end even when the caller's future is dropped. A client
/// that disconnects must not cancel a query halfway: a cancelled `begin` or
/// `commit` leaves an open transaction on a connection of the pool, and what
/// later users of it "commit" is then invisible to everybody else.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(done) => done,
        Err(e) if e.is_panic() => Err(StoreError::Unexpected("a task panicked".into())),
        // The runtime is going down.
        Err(_) => Err(StoreError::OutcomeUnknown),
    }
}

pub(super) fn too_slow() -> StoreError {
    StoreError::Unavailable("no answer in time".into())
}

impl Store {
    /// Statements that only read, each seeing what was committed before it.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let pools = self.pools.clone();
        detached(async move {
            let mut lease = Lease::new(match &pools {
                On::Postgres(pools) => On::Postgres(pools.general.acquire().await?),
                On::Sqlite(pools) => On::Sqlite(pools.readers.acquire().await?),
            });
            lease.within(ANSWER_LIMIT, work).await?
        })
        .await
    }

    /// One transaction. Committed when `work` is content, else rolled back.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let pools = self.pools.clone();
        detached(async move { write_in(&pools, work).await }).await
    }
}

/// [`Store::write`] for who is in a task of the store already.
pub(super) async fn write_in<T>(
    pools: &Pools,
    work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>>,
) -> Result<T> {
    let mut tx = begin(pools).await?;
    match tx.within(ANSWER_LIMIT, work).await? {
        Ok(done) => tx.commit().await.map(|()| done),
        Err(refused) => {
            tx.rollback().await;
            Err(refused)
        }
    }
}

async fn begin(pools: &Pools) -> Result<Lease> {
    let mut lease = Lease::new(match pools {
        On::Postgres(pools) => On::Postgres(pools.general.acquire().await?),
        On::Sqlite(pools) => On::Sqlite(pools.writer.acquire().await?),
    });
    // SQLite: taking the write lock first means never failing to get it later.
    let begin = sql!((postgres "begin") (sqlite "begin immediate"));
    lease.within(ANSWER_LIMIT, |conn| async move { execute!(conn, begin) }).await??;
    Ok(lease)
}

/// A connection on loan. *A connection whose work did not come to its end does
/// not go back to the pool*: it is closed, and the server ends what was open.
pub(super) struct Lease {
    conn: Conn,
    sound: bool,
}

impl Lease {
    pub(super) fn new(conn: Conn) -> Self {
        Self { conn, sound: true }
    }

    /// The outer error: no answer in time, the connection is given up.
    pub(super) async fn within<'l, T, F: Future<Output = T>>(
        &'l mut self,
        limit: Duration,
        work: impl FnOnce(&'l mut Conn) -> F,
    ) -> Result<T> {
        let Self { conn, sound } = self;
        *sound = false;
        let done = timeout(limit, work(conn)).await.map_err(|_| too_slow())?;
        *sound = true;
        Ok(done)
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        self.sound = false;
        match timeout(ANSWER_LIMIT, end(&mut self.conn, "commit")).await {
            Ok(Ok(())) => {
                self.sound = true;
                Ok(())
            }
            Ok(Err(error)) => Err(committing(error)),
            Err(_) => Err(StoreError::OutcomeUnknown),
        }
    }

    pub(super) async fn rollback(mut self) {
        self.sound = false;
        let done = timeout(ROLLBACK_LIMIT, end(&mut self.conn, "rollback")).await;
        self.sound = matches!(done, Ok(Ok(())));
    }
}

async fn end(conn: &mut Conn, how: &'static str) -> sqlx::Result<()> {
    match conn {
        On::Postgres(c) => sqlx::raw_sql(how.into_sql_str()).execute(&mut **c).await.map(drop),
        On::Sqlite(c) => sqlx::raw_sql(how.into_sql_str()).execute(&mut **c).await.map(drop),
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.sound {
            match &mut self.conn {
                On::Postgres(c) => c.close_on_drop(),
                On::Sqlite(c) => c.close_on_drop(),
            }
        }
    }
}
