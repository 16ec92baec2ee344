//! Migrations, embedded in the binary. They only add and are never edited; both
//! databases have the same versions and names.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, PgConnection,
    migrate::{MigrateError, Migrator},
};

use super::{
    Result, SchemaStatus, Store, StoreError,
    error::is_busy,
    open::{self, PostgresPools, SqlitePools},
    sql::{Conn, On, fetch, sql},
    work::detached,
};

/// Any number will do, as long as every version of the gateway uses the same.
const ADVISORY_LOCK: i64 = 0x7061_726c_6579;
const LOCK_POLL: Duration = Duration::from_millis(100);
/// How long another process may take with its migrations.
const LOCK_LIMIT: Duration = Duration::from_secs(600);

fn postgres() -> Migrator {
    ours(sqlx::migrate!("../migrations/postgres"))
}

fn sqlite() -> Migrator {
    ours(sqlx::migrate!("../migrations/sqlite"))
}

/// The lock is our own (and `run_direct` what `run` calls, whose future cannot be
/// spawned). Versions beyond ours are another, newer gateway's: they
/// are reported, not a reason to fail during a rolling upgrade.
fn ours(mut migrator: Migrator) -> Migrator {
    migrator.set_locking(false);
    migrator.set_ignore_missing(true);
    migrator
}

impl Store {
    /// Applies what is missing, and tells what that was; safe to run from
    /// several processes at once.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        let pools = self.pools.clone();
        detached(async move {
            match &pools {
                On::Postgres(pools) => migrate_postgres(pools).await,
                On::Sqlite(pools) => migrate_sqlite(pools).await,
            }
        })
        .await
    }

    /// Versions that are missing here, and versions the database has beyond ours.
    pub async fn schema_status(&self) -> Result<SchemaStatus> {
        self.read(|conn| Box::pin(status(conn))).await
    }
}

/// A blocking `pg_advisory_lock` would hold a snapshot while it waits, which
/// `create index concurrently` of the one who holds it waits for: a deadlock.
/// So the lock is polled for.
async fn migrate_postgres(pools: &PostgresPools) -> Result<Vec<String>> {
    let mut conn = open::unhurried(pools).await?;
    let locked = async {
        while !try_lock(&mut conn).await? {
            tokio::time::sleep(LOCK_POLL).await;
        }
        Ok::<_, StoreError>(())
    };
    tokio::time::timeout(LOCK_LIMIT, locked).await.map_err(|_| {
        StoreError::Unavailable("another process holds the lock for migrations".into())
    })??;
    let before = applied_postgres(&mut conn).await?;
    postgres().run_direct(None, &mut conn, false).await.map_err(failed)?;
    // Closing the session also releases the lock.
    conn.close().await?;
    Ok(missing_in(&before, &postgres()))
}

async fn try_lock(conn: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar("select pg_try_advisory_lock($1)")
        .bind(ADVISORY_LOCK)
        .fetch_one(conn)
        .await?)
}

async fn applied_postgres(conn: &mut PgConnection) -> Result<BTreeMap<i64, String>> {
    let exists: bool = sqlx::query_scalar(POSTGRES_HAS_TABLE).fetch_one(&mut *conn).await?;
    if !exists {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, String)> = sqlx::query_as(APPLIED.postgres).fetch_all(conn).await?;
    Ok(rows.into_iter().collect())
}

/// A second process waits for the first and then finds nothing left to do.
///
/// SQLite's own wait is not enough: where two connections make a new file a
/// WAL one at the same time, it refuses one of them at once, whatever its busy
/// timeout.
async fn migrate_sqlite(pools: &SqlitePools) -> Result<Vec<String>> {
    let begun = Instant::now();
    loop {
        match migrate_sqlite_once(pools).await {
            Err(MigrateError::Execute(busy)) if is_busy(&busy) && begun.elapsed() < LOCK_LIMIT => {
                tokio::time::sleep(LOCK_POLL).await;
            }
            done => return done.map_err(failed),
        }
    }
}

/// All in one transaction that takes the write lock first.
async fn migrate_sqlite_once(pools: &SqlitePools) -> Result<Vec<String>, MigrateError> {
    let mut conn = pools.writer.acquire().await?;
    let mut tx = conn.begin_with("begin immediate").await?;
    let exists: bool = sqlx::query_scalar(SQLITE_HAS_TABLE).fetch_one(&mut *tx).await?;
    let before: Vec<(i64, String)> = match exists {
        true => sqlx::query_as(APPLIED.sqlite).fetch_all(&mut *tx).await?,
        false => Vec::new(),
    };
    sqlite().run_direct(None, &mut *tx, false).await?;
    tx.commit().await?;
    Ok(missing_in(&before.into_iter().collect(), &sqlite()))
}

const POSTGRES_HAS_TABLE: &str = "select to_regclass('_sqlx_migrations') is not null";
const SQLITE_HAS_TABLE: &str =
    "select exists (select 1 from sqlite_master where name = '_sqlx_migrations')";
const APPLIED: super::sql::Sql =
    sql!("select version, description from _sqlx_migrations where success order by version");

async fn status(conn: &mut Conn) -> Result<SchemaStatus> {
    let ours = match conn {
        On::Postgres(_) => postgres(),
        On::Sqlite(_) => sqlite(),
    };
    let has_table = super::sql::Sql { postgres: POSTGRES_HAS_TABLE, sqlite: SQLITE_HAS_TABLE };
    let (exists,): (bool,) = fetch!(one, conn, has_table)?;
    let applied: BTreeMap<i64, String> = match exists {
        true => fetch!(all, conn, APPLIED)?.into_iter().collect(),
        false => BTreeMap::new(),
    };
    let of = |known: bool| {
        let those = applied.iter().filter(|(version, _)| ours.version_exists(**version) == known);
        those.map(|(version, name)| label(*version, name)).collect()
    };
    Ok(SchemaStatus { applied: of(true), pending: missing_in(&applied, &ours), ahead: of(false) })
}

fn missing_in(applied: &BTreeMap<i64, String>, ours: &Migrator) -> Vec<String> {
    let missing = ours.iter().filter(|m| !applied.contains_key(&m.version));
    missing.map(|m| label(m.version, &m.description)).collect()
}

fn label(version: i64, name: &str) -> String {
    format!("{version:04} {name}")
}

fn failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Unexpected(other.to_string()),
    }
}
