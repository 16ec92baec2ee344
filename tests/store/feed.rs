//! The feed, and what its promise rests on: transactions that end.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use parley::store::{FeedPage, FeedPosition, Revoke, Topic};
use sqlx::Connection;

use super::{
    schema::{execute, postgres_connection},
    *,
};
use crate::support::{eventually, postgres::Server};

store_contract![
    a_first_poll_knows_nothing,
    what_others_write_is_told,
    an_abandoned_call_leaves_nothing_open,
];

async fn poll(db: &Db, from: Option<&FeedPosition>) -> FeedPage {
    db.store.poll_feed(from).await.expect("a poll")
}

/// What a poll told, and the position after it.
async fn topics(db: &Db, from: &FeedPosition) -> (HashSet<Topic>, FeedPosition) {
    let page = poll(db, Some(from)).await;
    (page.topics.expect("a position that counts").into_iter().collect(), page.next)
}

async fn a_first_poll_knows_nothing(db: Db) {
    let first = poll(&db, None).await;
    assert!(first.topics.is_none());
    let second = poll(&db, Some(&first.next)).await;
    assert_eq!(second.topics, Some(vec![]));
    // A position of another replica, or of another life.
    let foreign = db.other().poll_feed(None).await.unwrap().next;
    assert!(poll(&db, Some(&foreign)).await.topics.is_none());
}

async fn what_others_write_is_told(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let start = poll(&db, None).await.next;
    append_one(&db.other(), &text(id, ada, "hello")).await.unwrap();
    let page = poll(&db, Some(&start)).await;
    match db.store.is_postgres() {
        true => assert_eq!(page.topics, Some(vec![Topic::Conversation(id)])),
        // Which it was, the file does not tell.
        false => assert_eq!(page.topics, None),
    }
    assert_eq!(poll(&db, Some(&page.next)).await.topics, Some(vec![]));
}

/// Callers go away at every moment; what they began ends all the same.
async fn an_abandoned_call_leaves_nothing_open(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    for n in 0..60 {
        let patience = Duration::from_micros(n * 50);
        let message = text(id, ada, &n.to_string());
        let title = ConversationChange::SetTitle { title: n.to_string() };
        let (store, name) = (&db.store, format!("Ada {n}"));
        let _ = tokio::time::timeout(patience, append_one(store, &message)).await;
        let _ = tokio::time::timeout(patience, db.change(id, ada, title)).await;
        let _ = tokio::time::timeout(patience, store.set_display_name(bob, &name)).await;
        let _ = tokio::time::timeout(patience, db.log(id)).await;
    }
    let other = db.other();
    eventually("the last writes are there for others", SOON, async || {
        let bob = other.users(&[bob]).await.unwrap().remove(0);
        let head = other.heads(&[id]).await.unwrap()[0];
        (bob.display_name == "Ada 59" && head.seq == 121).then_some(())
    })
    .await;
    assert_eq!(db.log(id).await.len(), 121);
    if db.store.is_postgres() {
        let open = "select count(*) from pg_stat_activity
            where datname = current_database() and state like 'idle in transaction%'";
        eventually("no transaction is left open", SOON, async || {
            let mut conn = postgres_connection(&db).await;
            let (open,): (i64,) = sqlx::query_as(open).fetch_one(&mut conn).await.unwrap();
            (open == 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn every_change_rings_for_whom_it_concerns() {
    let db = Db::postgres().await;
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let user = |user| Topic::User(user);
    let start = poll(&db, None).await.next;
    let id = db.group(ada, &[bob]).await;
    let conversation = Topic::Conversation(id);
    let (told, start) = topics(&db, &start).await;
    assert_eq!(told, HashSet::from([conversation, user(ada), user(bob)]));
    db.add(id, ada, eve).await;
    let (told, start) = topics(&db, &start).await;
    assert_eq!(told, HashSet::from([conversation, user(eve)]));
    db.remove(id, ada, ada).await;
    let (told, start) = topics(&db, &start).await;
    assert_eq!(told, HashSet::from([conversation, user(ada), user(bob)]), "bob inherits");

    let seq = db.send(id, bob, "x").await;
    let edit = db.store.edit_message(id, bob, seq, "y", EventId::new(), at(1));
    edit.await.unwrap();
    let (told, mut start) = topics(&db, &start).await;
    assert_eq!(told, HashSet::from([conversation]));

    let mut after = async |what: &str, expected: &[Topic]| {
        let (told, next) = topics(&db, &start).await;
        assert_eq!(told, expected.iter().copied().collect(), "{what}");
        start = next;
    };
    db.store.advance_read(id, eve, seq, at(1)).await.unwrap();
    after("a mark", &[user(eve)]).await;
    db.store.advance_read(id, eve, seq, at(1)).await.unwrap();
    after("no mark", &[]).await;
    db.store.set_settings(id, bob, Some(true), None).await.unwrap();
    after("settings", &[user(bob)]).await;
    db.store.set_settings(id, bob, Some(true), None).await.unwrap();
    after("no settings", &[]).await;
    db.store.set_display_name(eve, "E").await.unwrap();
    after("a name", &[user(eve)]).await;
    db.store.revoke_devices(bob, Revoke::All, at(1)).await.unwrap();
    after("devices", &[user(bob)]).await;
    db.store.set_password(ada, "x", at(1)).await.unwrap();
    after("a password", &[user(ada)]).await;
    db.store.set_disabled(ada, true, at(1)).await.unwrap();
    after("disabled", &[user(ada)]).await;
    db.store.erase_user(ada, at(1)).await.unwrap();
    after("erased", &[user(ada)]).await;
}

/// A transaction that was first to begin and last to commit lies below many
/// that were read long before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_committed_late_is_not_missed() {
    let db = Db::postgres().await;
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let mut position = poll(&db, None).await.next;
    let ring = |topic: Topic| {
        sqlx::AssertSqlSafe(format!("insert into doorbells (topics) values ('{{{topic}}}')"))
    };
    let mut told: Vec<Topic> = Vec::new();
    let mut late = HashSet::new();
    for round in 0..8 {
        let mut connections = [postgres_connection(&db).await, postgres_connection(&db).await];
        let [slow, slower] = &mut connections;
        let mut slow = slow.begin().await.unwrap();
        let mut slower = slower.begin().await.unwrap();
        for tx in [&mut slow, &mut slower] {
            let topic = Topic::User(UserId::new());
            late.insert(topic);
            sqlx::raw_sql(ring(topic)).execute(&mut **tx).await.unwrap();
        }
        for _ in 0..3 {
            db.send(id, ada, "x").await;
            let (some, next) = topics(&db, &position).await;
            assert_eq!(some.len(), 1, "each is told once, round {round}");
            assert!(some.contains(&Topic::Conversation(id)));
            position = next;
        }
        for tx in [slow, slower] {
            tx.commit().await.unwrap();
            let (some, next) = topics(&db, &position).await;
            told.extend(some);
            position = next;
        }
    }
    assert_eq!(told.len(), late.len());
    assert_eq!(told.into_iter().collect::<HashSet<_>>(), late);
}

/// Polling at random moments of a busy minute tells every topic that was rung.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_missed_under_load() {
    let db = Db::postgres().await;
    let position = poll(&db, None).await.next;
    let writers = (0..6).map(|n: u64| {
        let url = db.url.clone();
        async move {
            let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
            let mut rung = HashSet::new();
            for i in 0..40 {
                let mut tx = conn.begin().await.unwrap();
                let topic = Topic::User(UserId::new());
                sqlx::query("insert into doorbells (topics) values ($1)")
                    .bind(vec![topic.to_string()])
                    .execute(&mut *tx)
                    .await
                    .unwrap();
                linger((n * 7 + i * 3) % 11).await;
                match (n + i) % 5 {
                    0 => tx.rollback().await.unwrap(),
                    _ => {
                        tx.commit().await.unwrap();
                        rung.insert(topic);
                    }
                }
            }
            rung
        }
    });
    let poller = db.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let polling = tokio::spawn(async move {
        let (mut told, mut position) = (Vec::new(), position);
        loop {
            let last = stopped.try_recv().is_ok();
            let (some, next) = topics(&poller, &position).await;
            told.extend(some);
            position = next;
            if last {
                return told;
            }
        }
    });
    let rung: HashSet<Topic> = together(writers).await.into_iter().flatten().collect();
    stop.send(()).unwrap();
    let told = polling.await.unwrap();
    assert_eq!(told.len(), rung.len(), "each once");
    assert_eq!(told.into_iter().collect::<HashSet<_>>(), rung);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pruned_position_means_nothing() {
    let db = Db::postgres().await;
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let asleep = poll(&db, None).await.next;
    let id = db.group(ada, &[bob]).await;
    assert_eq!(db.store.prune_feed(Duration::from_secs(600)).await.unwrap(), 0);
    // Transactions of the whole server count, those of other tests too: until
    // they have ended, what is above them stays.
    let settled = async |mut position: FeedPosition| {
        eventually("a position above all that was told", SOON, async || {
            position = poll(&db, Some(&position)).await.next;
            position.handled.is_empty().then(|| position.clone())
        })
        .await
    };
    let pruned = async |count| {
        let mut gone = 0;
        eventually("pruned", SOON, async || {
            gone += db.store.prune_feed(Duration::ZERO).await.unwrap();
            (gone >= count).then_some(())
        })
        .await;
        assert_eq!(gone, count);
    };
    let awake = settled(asleep.clone()).await;

    // Nobody can have seen what is not committed, or was only just.
    let mut conn = postgres_connection(&db).await;
    let mut open = conn.begin().await.unwrap();
    let ring = "insert into doorbells (topics, created_at) values ('{}', 'epoch')";
    sqlx::query(ring).execute(&mut *open).await.unwrap();
    let mut other = postgres_connection(&db).await;
    sqlx::query(ring).execute(&mut other).await.unwrap();
    pruned(1).await;
    assert_eq!(db.store.prune_feed(Duration::ZERO).await.unwrap(), 0, "only the group's");
    open.commit().await.unwrap();

    assert!(poll(&db, Some(&asleep)).await.topics.is_none());
    assert!(poll(&db, Some(&awake)).await.topics.is_some());
    let awake = settled(awake).await;
    pruned(2).await;
    assert_eq!(poll(&db, Some(&awake)).await.topics, Some(vec![]));
    db.send(id, ada, "x").await;
    assert_eq!(poll(&db, Some(&awake)).await.topics, Some(vec![Topic::Conversation(id)]));
}

/// After a crash Postgres may give out a transaction id again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_begins_a_new_feed() {
    let server = Arc::new(tokio::task::spawn_blocking(Server::start).await.unwrap());
    let url = server.fresh_database().await;
    let db = Db { store: open(&url), url, _folder: None };
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let before = poll(&db, None).await.next;
    let restart = server.clone();
    tokio::task::spawn_blocking(move || restart.crash_and_restart()).await.unwrap();

    let page = eventually("a poll after the restart", SOON, async || {
        db.store.poll_feed(Some(&before)).await.ok()
    })
    .await;
    assert!(page.topics.is_none());
    assert_eq!(poll(&db, Some(&page.next)).await.topics, Some(vec![]));

    // A send in between is unknown or unavailable, and its repeat is definite.
    let message = text(id, ada, "through it all");
    let answer =
        eventually("an answer", SOON, async || match append_one(&db.store, &message).await {
            Ok(answer) => Some(answer),
            Err(StoreError::OutcomeUnknown | StoreError::Unavailable(_)) => None,
            other => panic!("{other:?}"),
        })
        .await;
    assert!(matches!(answer, Appended::New { seq: 2, .. } | Appended::Repeat { seq: 2, .. }));
    // A pooled connection that the restart cut may cost one retryable answer.
    let recovered = async || db.store.membership(id, bob).await.ok();
    eventually("the general pool recovers", SOON, recovered).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_begins_a_new_feed() {
    let db = Db::postgres().await;
    let start = poll(&db, None).await.next;
    execute(
        &db,
        "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()",
    )
    .await;
    let page =
        eventually("a poll", SOON, async || db.store.poll_feed(Some(&start)).await.ok()).await;
    assert!(page.topics.is_none());
}

/// A frozen replica holds one conversation; the others go on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stuck_conversation_does_not_stop_the_others() {
    let db = Db::postgres().await;
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let [stuck, free] = [db.group(ada, &[bob]).await, db.group(ada, &[bob]).await];
    let mut conn = postgres_connection(&db).await;
    let mut holder = conn.begin().await.unwrap();
    sqlx::query("select 1 from conversations where id = $1 for update")
        .bind(stuck.0)
        .execute(&mut *holder)
        .await
        .unwrap();
    let began = Instant::now();
    let batch = [text(stuck, ada, "a"), text(free, ada, "b"), text(stuck, bob, "c")];
    let outcomes = db.store.append(&batch).await.unwrap();
    assert!(matches!(outcomes[0], Err(StoreError::Unavailable(_))));
    assert!(matches!(outcomes[1], Ok(Appended::New { seq: 2, .. })));
    assert!(matches!(outcomes[2], Err(StoreError::Unavailable(_))));
    assert!(began.elapsed() < SOON);

    let store = db.store.clone();
    let patient = tokio::spawn(async move { store.append(&batch).await.unwrap() });
    let waiting = "select count(*) > 0 from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let mut watcher = postgres_connection(&db).await;
    eventually("the batch waits for the lock", SOON, async || {
        let waits: bool = sqlx::query_scalar(waiting).fetch_one(&mut watcher).await.unwrap();
        waits.then_some(())
    })
    .await;
    holder.rollback().await.unwrap();
    let outcomes = patient.await.unwrap();
    assert!(matches!(outcomes[0], Ok(Appended::New { seq: 2, .. })));
    assert!(matches!(outcomes[1], Ok(Appended::Repeat { seq: 2, .. })));
    assert!(matches!(outcomes[2], Ok(Appended::New { seq: 3, .. })));
}
