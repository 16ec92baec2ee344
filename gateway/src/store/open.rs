//! Pools and the settings of their connections.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, PgPool, SqlitePool,
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;

use super::{
    Result, Store, StoreError, StoreOptions,
    feed::FeedConnection,
    sql::{On, execute, sql},
};

/// Appending batches: a writer or two, and room for the conversations of a
/// batch that is retried one by one.
const APPEND_CONNECTIONS: u32 = 4;
const SQLITE_READERS: u32 = 4;

/// A connection that was idle for longer is asked whether it still lives
/// before it is used; a busier one is not worth the round trip.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
const PING_LIMIT: Duration = Duration::from_secs(2);
/// How long SQLite's writer waits for one of another process.
const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// What every session on Postgres is bound by. A replica that froze while it
/// held a conversation's row is thrown out after five seconds, so that the
/// others can go on.
const SESSION: [(&str, &str); 4] = [
    ("lock_timeout", "2s"),
    ("statement_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "5s"),
    // Each statement after a lock must see what was committed during the wait.
    ("default_transaction_isolation", "read committed"),
];

#[derive(Clone)]
pub struct PostgresPools {
    pub general: PgPool,
    pub appends: PgPool,
    pub options: PgConnectOptions,
    pub connect_timeout: Duration,
    pub feed: Arc<Mutex<Option<FeedConnection>>>,
}

#[derive(Clone)]
pub struct SqlitePools {
    /// One connection: SQLite has one writer, and waiting in line here is
    /// fairer than its busy loop.
    pub writer: SqlitePool,
    pub readers: SqlitePool,
    /// How often the writer was opened: its `data_version` means nothing to
    /// the next one.
    pub writers_opened: Arc<AtomicU64>,
}

pub type Pools = On<PostgresPools, SqlitePools>;

impl Store {
    /// Connects lazily: building a store does not need the server to be up.
    /// Must be called within a tokio runtime, whose tasks keep the pools.
    pub fn open(options: &StoreOptions) -> Result<Self> {
        let invalid = |e: sqlx::Error| StoreError::Unexpected(format!("database url: {e}"));
        let pools = match options.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => On::Sqlite(sqlite(options, options.url.parse().map_err(invalid)?)),
            Some("postgres" | "postgresql") => {
                let connect = PgConnectOptions::from_str(&options.url).map_err(invalid)?;
                On::Postgres(postgres(options, connect))
            }
            _ => {
                let what = "database url: must start with sqlite:// or postgres://";
                return Err(StoreError::Unexpected(what.into()));
            }
        };
        Ok(Self { pools })
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.pools, On::Postgres(_))
    }

    /// One round trip.
    pub async fn ping(&self) -> Result<()> {
        self.read(|conn| Box::pin(async move { execute!(conn, sql!("select 1")).map(drop) })).await
    }

    /// Waits for what is running, then disconnects.
    pub async fn close(&self) {
        match &self.pools {
            On::Postgres(pools) => {
                if let Some(feed) = pools.feed.lock().await.take() {
                    feed.close().await;
                }
                pools.appends.close().await;
                pools.general.close().await;
            }
            On::Sqlite(pools) => {
                pools.readers.close().await;
                pools.writer.close().await;
            }
        }
    }
}

fn postgres(options: &StoreOptions, connect: PgConnectOptions) -> PostgresPools {
    let connect = connect.application_name("parley").options(SESSION);
    let pool = |size| -> PgPool {
        let pool: PgPoolOptions = PoolOptions::new();
        pool.max_connections(size)
            .acquire_timeout(options.connect_timeout)
            .test_before_acquire(false)
            .before_acquire(|conn, meta| {
                Box::pin(async move {
                    if meta.idle_for < TRUSTED_IDLE {
                        return Ok(true);
                    }
                    let answer = tokio::time::timeout(PING_LIMIT, conn.ping()).await;
                    Ok(matches!(answer, Ok(Ok(()))))
                })
            })
            .connect_lazy_with(connect.clone())
    };
    PostgresPools {
        general: pool(options.max_connections),
        appends: pool(APPEND_CONNECTIONS),
        feed: Arc::default(),
        connect_timeout: options.connect_timeout,
        options: connect,
    }
}

fn sqlite(options: &StoreOptions, connect: SqliteConnectOptions) -> SqlitePools {
    let connect = connect
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY)
        .foreign_keys(true);
    // A file does not go away like a server does: nothing to test or to renew.
    let pool = |size| -> SqlitePoolOptions {
        PoolOptions::new()
            .max_connections(size)
            .acquire_timeout(options.connect_timeout)
            .test_before_acquire(false)
            .max_lifetime(None)
            .idle_timeout(None)
    };
    let writers_opened = Arc::new(AtomicU64::new(0));
    let opened = writers_opened.clone();
    SqlitePools {
        writer: pool(1)
            .after_connect(move |_, _| {
                opened.fetch_add(1, Ordering::Relaxed);
                Box::pin(async { Ok(()) })
            })
            .connect_lazy_with(connect.clone()),
        readers: pool(SQLITE_READERS).connect_lazy_with(connect.clone().pragma("query_only", "on")),
        writers_opened,
    }
}

/// A connection outside the pools, for what takes long: migrations.
pub(super) async fn unhurried(pools: &PostgresPools) -> Result<sqlx::PgConnection> {
    let options = pools.options.clone().options([("statement_timeout", "0")]);
    connect(&options, pools.connect_timeout).await
}

pub(super) async fn connect(
    options: &PgConnectOptions,
    limit: Duration,
) -> Result<sqlx::PgConnection> {
    match tokio::time::timeout(limit, options.connect()).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(StoreError::Unavailable("no connection in time".into())),
    }
}
