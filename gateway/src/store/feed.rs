//! The feed: what was written by anyone, told to every replica that asks once a
//! second. *No committed write can be missed*, whatever happened to whoever
//! should have told us.

use std::{collections::HashSet, sync::atomic::Ordering, time::Duration};

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    FeedPage, FeedPosition, Result, Store, StoreError, Topic,
    error::broken,
    open::{self, PostgresPools, SqlitePools},
    sql::{Conn, On},
    work::{detached, too_slow},
};

const POLL_LIMIT: Duration = Duration::from_secs(5);

const PRUNE_LIMIT: Duration = Duration::from_secs(15);
/// The advisory lock of the replica that prunes.
const ELECTION: i64 = 0x7061_726c_6580;

const RING: &str = "insert into doorbells (topics) values ($1)";

/// In one statement, and so of one snapshot: the doorbells at or above the xmin
/// of the last poll (`$1`; null: there was none), and the xmin of this one.
/// Whoever is not in this snapshot commits at or above its xmin, and is in the
/// next page.
///
/// Beside it, what makes transaction ids comparable at all: it is the same
/// server in the same life (after a crash it may use an id again), on the same
/// timeline.
const POLL: &str = "select pg_snapshot_xmin(pg_current_snapshot())::text,
        concat_ws('/', pg_backend_pid(), pg_postmaster_start_time(),
            (select system_identifier from pg_control_system()),
            substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)),
        (select xid::text from doorbells_pruned),
        d.xid::text, d.topics
    from (select 1) one left join doorbells d
        on d.xid >= coalesce($1::text::xid8, pg_snapshot_xmin(pg_current_snapshot()))";

type PollRow = (String, String, String, Option<String>, Option<Vec<String>>);

/// Rows at or above the oldest running transaction may not have been seen by
/// everyone yet, however old they are.
const PRUNE: &str = "with gone as (
        delete from doorbells
        where created_at < clock_timestamp() - make_interval(secs => $1)
            and xid < pg_snapshot_xmin(pg_current_snapshot())
        returning xid
    ), newest as (
        select xid from gone order by xid desc limit 1
    ), noted as (
        update doorbells_pruned p set xid = newest.xid from newest where p.xid < newest.xid
    )
    select count(*) from gone";

/// Polling has its own connection: a position belongs to one.
pub struct FeedConnection {
    conn: PgConnection,
    /// Tells this connection from the next one, should that get its pid.
    name: Uuid,
    /// Holds the lock of the one who prunes; it ends with the connection.
    elected: bool,
}

impl FeedConnection {
    pub(super) async fn close(self) {
        // Nothing is lost with it: the server notices either way.
        let _ = tokio::time::timeout(POLL_LIMIT, self.conn.close()).await;
    }
}

/// Notes in the writing transaction what it touched.
pub(super) async fn ring(tx: &mut Conn, topics: &[Topic]) -> Result<()> {
    match tx {
        On::Postgres(c) => {
            let topics: Vec<String> = topics.iter().map(Topic::to_string).collect();
            sqlx::query(RING).bind(topics).execute(&mut **c).await?;
            Ok(())
        }
        // SQLite counts its commits itself.
        On::Sqlite(_) => Ok(()),
    }
}

impl Store {
    /// What was written since `from`; `topics` null: the position means nothing
    /// (any more), compare everything that is held.
    pub async fn poll_feed(&self, from: Option<&FeedPosition>) -> Result<FeedPage> {
        let (pools, from) = (self.pools.clone(), from.cloned());
        detached(async move {
            match &pools {
                On::Postgres(pools) => poll_postgres(pools, from).await,
                On::Sqlite(pools) => poll_sqlite(pools, from).await,
            }
        })
        .await
    }

    /// Deletes doorbells older than `keep`; how many. One of all replicas does
    /// it, for as long as it lives; for the others there is nothing to do. A
    /// replica that slept through them finds out at its next poll.
    pub async fn prune_feed(&self, keep: Duration) -> Result<u64> {
        let pools = self.pools.clone();
        detached(async move {
            match &pools {
                On::Postgres(pools) => prune_postgres(pools, keep).await,
                On::Sqlite(_) => Ok(0),
            }
        })
        .await
    }
}

async fn prune_postgres(pools: &PostgresPools, keep: Duration) -> Result<u64> {
    let mut slot = pools.feed.lock().await;
    let mut feed = take(&mut slot, pools).await?;
    let pruned = async {
        if !feed.elected {
            let elect = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(ELECTION);
            feed.elected = elect.fetch_one(&mut feed.conn).await?;
        }
        if !feed.elected {
            return Ok(0);
        }
        let prune = sqlx::query_scalar(PRUNE).bind(keep.as_secs_f64());
        let gone: i64 = prune.fetch_one(&mut feed.conn).await?;
        Ok::<_, StoreError>(gone.unsigned_abs())
    };
    let gone = tokio::time::timeout(PRUNE_LIMIT, pruned).await.map_err(|_| too_slow())??;
    *slot = Some(feed);
    Ok(gone)
}

/// The connection for polling, taken out: only one that answers goes back.
async fn take(slot: &mut Option<FeedConnection>, pools: &PostgresPools) -> Result<FeedConnection> {
    match slot.take() {
        Some(feed) => Ok(feed),
        None => Ok(FeedConnection {
            conn: open::connect(&pools.options, pools.connect_timeout).await?,
            name: Uuid::now_v7(),
            elected: false,
        }),
    }
}

async fn poll_postgres(pools: &PostgresPools, from: Option<FeedPosition>) -> Result<FeedPage> {
    let mut slot = pools.feed.lock().await;
    let mut feed = take(&mut slot, pools).await?;
    let xmin = from.as_ref().map(|position| position.xmin.to_string());
    let rows = sqlx::query_as(POLL).bind(xmin).fetch_all(&mut feed.conn);
    let rows: Vec<PollRow> =
        tokio::time::timeout(POLL_LIMIT, rows).await.map_err(|_| too_slow())??;
    let page = page(&rows, &feed.name, from)?;
    *slot = Some(feed);
    Ok(page)
}

fn page(rows: &[PollRow], connection: &Uuid, from: Option<FeedPosition>) -> Result<FeedPage> {
    let Some((xmin, server, pruned, ..)) = rows.first() else {
        return Err(broken("a poll without an answer"));
    };
    let (xmin, pruned) = (number(xmin)?, number(pruned)?);
    let server = format!("{connection}/{server}");
    let mut handled = HashSet::new();
    let mut topics = Vec::new();
    let mut told = HashSet::new();
    for (.., xid, rung) in rows {
        let (Some(xid), Some(rung)) = (xid, rung) else { continue };
        let xid = number(xid)?;
        if xid >= xmin {
            handled.insert(xid);
        }
        if from.as_ref().is_some_and(|from| from.handled.contains(&xid)) {
            continue;
        }
        for topic in rung {
            let topic: Topic = topic.parse().map_err(|_| broken(format!("topic {topic:?}")))?;
            if told.insert(topic) {
                topics.push(topic);
            }
        }
    }
    let continues = from.is_some_and(|from| from.server == server && pruned < from.xmin);
    Ok(FeedPage {
        topics: continues.then_some(topics),
        next: FeedPosition { xmin, handled, server },
    })
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| broken(format!("transaction id {text:?}")))
}

/// `data_version` changes with every commit of *other* connections. Asked on
/// the writer, the only connection here that writes, it tells what other
/// processes changed, such as the command line.
async fn poll_sqlite(pools: &SqlitePools, from: Option<FeedPosition>) -> Result<FeedPage> {
    let mut writer = pools.writer.acquire().await?;
    let version: i64 = sqlx::query_scalar("pragma data_version").fetch_one(&mut *writer).await?;
    let opened = pools.writers_opened.load(Ordering::Relaxed);
    let next = FeedPosition {
        xmin: version.unsigned_abs(),
        handled: HashSet::new(),
        server: format!("{}/{opened}", pools.name),
    };
    let unchanged = from.is_some_and(|from| from == next);
    Ok(FeedPage { topics: unchanged.then(Vec::new), next })
}
