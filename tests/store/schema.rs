//! Migrations, and what they leave behind.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

use super::*;
use crate::support::eventually;

store_contract![
    migrations_run_once_from_several_processes,
    a_status_tells_what_is_missing_and_what_is_beyond,
    a_store_opens_without_its_database,
];

/// Statements past the store, as a person with a shell would run them.
pub async fn execute(db: &Db, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    match db.store.is_postgres() {
        true => drop(postgres_connection(db).await.execute(sql).await.expect("executed")),
        false => drop(sqlite_connection(db).await.execute(sql).await.expect("executed")),
    }
}

pub async fn postgres_connection(db: &Db) -> PgConnection {
    PgConnection::connect(&db.url).await.expect("a connection")
}

async fn sqlite_connection(db: &Db) -> SqliteConnection {
    SqliteConnection::connect(&db.url).await.expect("a connection")
}

/// The same kind of database without any table.
async fn empty(db: &Db) -> Db {
    match db.store.is_postgres() {
        true => {
            let url = postgres::empty_database().await;
            Db { store: open(&url), url, _folder: None }
        }
        false => {
            let url = db.url.replace("parley.db", "empty.db");
            Db { store: open(&url), url, _folder: db._folder.clone() }
        }
    }
}

async fn migrations_run_once_from_several_processes(db: Db) {
    let empty = empty(&db).await;
    let runs = together((0..4).map(|_| {
        let store = empty.other();
        async move { store.migrate().await.expect("migrations") }
    }));
    let applied: Vec<String> = runs.await.into_iter().flatten().collect();
    let status = empty.store.schema_status().await.unwrap();
    assert_eq!(applied, status.applied, "each by exactly one of them");
    assert_eq!(applied[0], "0001 accounts");
    assert!(empty.store.migrate().await.unwrap().is_empty());
    empty.user("ada").await;
}

/// SQLite refuses one of two that make the same new file a WAL one, without
/// waiting; this made a migration fail now and then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_is_migrated_by_whoever_comes() {
    for _ in 0..16 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}/parley.db", folder.path().display());
        let runs = together((0..4).map(|_| {
            let store = open(&url);
            async move { store.migrate().await.expect("migrations").len() }
        }));
        let applied = runs.await;
        assert_eq!(applied.iter().filter(|count| **count > 0).count(), 1, "{applied:?}");
    }
}

async fn a_status_tells_what_is_missing_and_what_is_beyond(db: Db) {
    let status = db.store.schema_status().await.unwrap();
    assert!(status.pending.is_empty() && status.ahead.is_empty());
    let fresh = empty(&db).await.store.schema_status().await.unwrap();
    assert_eq!((fresh.pending, fresh.applied), (status.applied, vec![]));

    // A newer gateway was here: no reason to stop, but to be told.
    execute(
        &db,
        "insert into _sqlx_migrations
            (version, description, installed_on, success, checksum, execution_time)
        select 9999, 'from the future', installed_on, success, checksum, execution_time
        from _sqlx_migrations where version = 1",
    )
    .await;
    let status = db.store.schema_status().await.unwrap();
    assert_eq!(status.ahead, ["9999 from the future"]);
    assert!(db.store.migrate().await.unwrap().is_empty());
}

async fn a_store_opens_without_its_database(db: Db) {
    db.store.ping().await.unwrap();
    let nowhere = match db.store.is_postgres() {
        true => "postgres://nobody@127.0.0.1:1/nothing".to_owned(),
        false => db.url.replace("parley.db", "no/such/folder.db"),
    };
    let options = StoreOptions {
        url: nowhere,
        max_connections: 1,
        connect_timeout: std::time::Duration::from_millis(200),
    };
    let store = Store::open(&options).unwrap();
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    let send = append_one(&store, &text(ConversationId::new(), UserId::new(), "x")).await;
    assert!(matches!(send, Err(StoreError::Unavailable(_))), "{send:?}");
    assert!(matches!(store.poll_feed(None).await, Err(StoreError::Unavailable(_))));
    let odd = StoreOptions { url: "mysql://x".into(), ..options };
    assert!(Store::open(&odd).is_err());
    db.store.close().await;
    assert!(matches!(db.store.ping().await, Err(StoreError::Unavailable(_))));
}

/// Table and column → whether it may be null.
type Columns = BTreeMap<(String, String), bool>;

#[tokio::test]
async fn both_databases_have_the_same_columns() {
    let (ours, theirs) = (Db::postgres().await, Db::sqlite().await);
    let postgres: Vec<(String, String, bool)> = sqlx::query_as(
        "select table_name::text, column_name::text, is_nullable = 'YES'
        from information_schema.columns where table_schema = 'public'",
    )
    .fetch_all(&mut postgres_connection(&ours).await)
    .await
    .unwrap();
    let sqlite: Vec<(String, String, bool)> = sqlx::query_as(
        "select t.name, c.name, c.\"notnull\" = 0
        from sqlite_master t join pragma_table_info(t.name) c where t.type = 'table'",
    )
    .fetch_all(&mut sqlite_connection(&theirs).await)
    .await
    .unwrap();
    let columns = |rows: Vec<(String, String, bool)>| -> Columns {
        let shared = rows.into_iter().filter(|(table, ..)| {
            !table.starts_with("doorbells")
                && !table.starts_with('_')
                && !table.starts_with("sqlite")
        });
        shared.map(|(table, column, null)| ((table, column), null)).collect()
    };
    let (postgres, sqlite) = (columns(postgres), columns(sqlite));
    assert!(postgres.len() > 40);
    assert_eq!(postgres, sqlite);
    assert_eq!(
        ours.store.schema_status().await.unwrap().applied,
        theirs.store.schema_status().await.unwrap().applied
    );
}

#[tokio::test]
async fn sqlite_tables_are_strict() {
    let db = Db::sqlite().await;
    let lax: Vec<(String,)> = sqlx::query_as(
        "select name from pragma_table_list
        where schema = 'main' and type = 'table' and not strict and name not like 'sqlite%'
            and name not like '\\_sqlx%' escape '\\'",
    )
    .fetch_all(&mut sqlite_connection(&db).await)
    .await
    .unwrap();
    assert_eq!(lax, []);
}

/// Whatever is indexed there would be written again with every message.
#[tokio::test]
async fn what_changes_per_message_is_not_indexed() {
    let db = Db::postgres().await;
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    for n in 0..50 {
        let seq = db.send(id, ada, &n.to_string()).await;
        db.store.advance_read(id, bob, seq, at(n)).await.unwrap();
    }
    let mut conn = postgres_connection(&db).await;
    let hot = "select coalesce(sum(n_tup_upd), 0)::bigint, coalesce(sum(n_tup_hot_upd), 0)::bigint
        from pg_stat_user_tables
        where relname in ('conversations', 'conversation_participants')";
    // Backends report their statistics about once a second.
    let (updates, in_place) = eventually("statistics", SOON, async || {
        let counted: (i64, i64) = sqlx::query_as(hot).fetch_one(&mut conn).await.unwrap();
        (counted.0 >= 100).then_some(counted)
    })
    .await;
    assert_eq!(updates, in_place);
}
