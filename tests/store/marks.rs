//! Read marks, settings, unread counts.

use parley::store::UnreadQuery;

use super::*;

store_contract![
    marks_are_cut_to_the_log_and_never_go_back,
    concurrent_marks_end_at_the_highest,
    settings_are_my_own,
    unread_is_what_others_said_since,
    unread_is_counted_as_of_a_seq,
    unread_stops_at_the_cap,
];

async fn marks_are_cut_to_the_log_and_never_go_back(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    for body in ["a", "b", "c"] {
        db.send(id, ada, body).await;
    }
    let read = async |seq, time| db.store.advance_read(id, bob, seq, time).await.unwrap();
    let answer = read(3, at(10)).await;
    assert!(answer.moved);
    let mark = |seq, time| ReadMark { last_read_seq: seq, last_read_at: Some(time) };
    assert_eq!(answer.mark, mark(3, at(10)));
    assert_eq!((answer.last_seq, answer.visible_from_seq), (4, 1));
    assert_eq!((answer.participant_count, answer.last_event_id), (2, db.head(id).await.event_id));
    for lower in [3, 2, 0, -5] {
        let answer = read(lower, at(11)).await;
        assert_eq!((answer.moved, answer.mark), (false, mark(3, at(10))));
    }
    // Beyond the log; by a clock that runs behind.
    let answer = read(Seq::MAX, at(5)).await;
    assert_eq!((answer.moved, answer.mark), (true, mark(4, at(10))));
    assert!(!read(Seq::MAX, at(20)).await.moved);
    let stored = db.store.membership(id, bob).await.unwrap().unwrap().mark;
    assert_eq!(stored, mark(4, at(10)));
    // Sending moves no mark.
    db.send(id, bob, "d").await;
    assert_eq!(db.store.membership(id, bob).await.unwrap().unwrap().mark, stored);
}

async fn concurrent_marks_end_at_the_highest(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let stores = [db.store.clone(), db.other()];
    let readers = (0..8).map(|n: usize| {
        let store = stores[n % 2].clone();
        async move {
            for seq in (0..30).map(|i| (i * 7 + n as Seq * 3) % 31) {
                let answer = store.advance_read(id, bob, seq, at(seq)).await.unwrap();
                assert!(answer.mark.last_read_seq <= answer.last_seq);
            }
        }
    });
    let writer = db.clone();
    let writing = tokio::spawn(async move {
        for n in 0..29 {
            writer.send(id, ada, &n.to_string()).await;
        }
    });
    together(readers).await;
    writing.await.unwrap();
    let answer = db.store.advance_read(id, bob, 30, at(30)).await.unwrap();
    assert_eq!(answer.mark.last_read_seq, 30);
}

async fn settings_are_my_own(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let set = async |muted, pinned| db.store.set_settings(id, ada, muted, pinned).await.unwrap();
    let settings = |muted, pinned| Settings { muted, pinned };
    assert_eq!(set(None, None).await, (settings(false, false), false));
    assert_eq!(set(Some(true), None).await, (settings(true, false), true));
    assert_eq!(set(None, Some(true)).await, (settings(true, true), true));
    assert_eq!(set(Some(true), Some(true)).await, (settings(true, true), false));
    let theirs = db.store.membership(id, bob).await.unwrap().unwrap();
    assert!(!theirs.muted && !theirs.pinned);
}

async fn unread(db: &Db, id: ConversationId, user: UserId, as_of: Seq) -> i64 {
    let member = db.store.membership(id, user).await.unwrap().unwrap();
    let query = UnreadQuery {
        conversation_id: id,
        user_id: user,
        last_read_seq: member.mark.last_read_seq,
        visible_from_seq: member.visible_from_seq,
        as_of_seq: as_of,
    };
    db.store.unread_counts(&[query]).await.unwrap()[0]
}

async fn unread_is_what_others_said_since(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[bob]).await;
    assert_eq!(unread(&db, id, bob, Seq::MAX).await, 0);
    db.send(id, ada, "one").await;
    db.send(id, bob, "mine").await;
    let two = db.send(id, ada, "two").await;
    db.add(id, ada, eve).await;
    assert_eq!(unread(&db, id, bob, Seq::MAX).await, 2, "no system messages, not my own");
    assert_eq!(unread(&db, id, ada, Seq::MAX).await, 1);
    assert_eq!(unread(&db, id, eve, Seq::MAX).await, 0, "nothing from before");
    db.store.edit_message(id, ada, two, "too", EventId::new(), at(1)).await.unwrap();
    assert_eq!(unread(&db, id, bob, Seq::MAX).await, 2, "an edit is not another");
    db.store.delete_message(id, ada, two, EventId::new(), at(1)).await.unwrap();
    assert_eq!(unread(&db, id, bob, Seq::MAX).await, 1);
    db.store.advance_read(id, bob, Seq::MAX, at(2)).await.unwrap();
    assert_eq!(unread(&db, id, bob, Seq::MAX).await, 0);
    db.send(id, eve, "three").await;
    assert_eq!(unread(&db, id, bob, Seq::MAX).await, 1);
    db.remove(id, ada, bob).await;
    db.send(id, eve, "while away").await;
    db.add(id, ada, bob).await;
    assert_eq!(unread(&db, id, bob, Seq::MAX).await, 0, "coming back reads the past");
    assert!(db.store.unread_counts(&[]).await.unwrap().is_empty());
}

async fn unread_is_counted_as_of_a_seq(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let one = db.send(id, ada, "one").await;
    let two = db.send(id, ada, "two").await;
    assert_eq!(unread(&db, id, bob, one).await, 1);
    assert_eq!(unread(&db, id, bob, two).await, 2);
    db.store.edit_message(id, ada, one, "edited", EventId::new(), at(1)).await.unwrap();
    db.store.delete_message(id, ada, one, EventId::new(), at(1)).await.unwrap();
    assert_eq!(unread(&db, id, bob, two).await, 2, "deleted later");
    assert_eq!(unread(&db, id, bob, two + 1).await, 2);
    assert_eq!(unread(&db, id, bob, two + 2).await, 1);
}

async fn unread_stops_at_the_cap(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let [busy, quiet] = [db.group(ada, &[bob]).await, db.group(ada, &[bob]).await];
    let batch: Vec<NewMessage> = (0..120).map(|n| text(busy, ada, &n.to_string())).collect();
    db.store.append(&batch).await.unwrap();
    db.send(quiet, ada, "one").await;
    let query = |id, last_read_seq| UnreadQuery {
        conversation_id: id,
        user_id: bob,
        last_read_seq,
        visible_from_seq: 1,
        as_of_seq: 1_000,
    };
    let queries = [query(busy, 1), query(quiet, 1), query(busy, 111), query(quiet, 2)];
    let counts = db.store.unread_counts(&queries).await.unwrap();
    assert_eq!(counts, [limits::UNREAD_CAP, 1, 10, 0], "in the order asked");
}
