//! Ranges of the log, and forks.

use parley::store::{Head, LogRange, Reader};

use super::*;

store_contract![
    a_range_continues_a_position,
    a_position_that_is_not_in_the_log_is_a_fork,
    a_reader_reads_within_their_interval,
    heads_are_the_tops,
    a_hole_is_never_passed_over,
];

fn entries(range: LogRange) -> (Vec<LogEntry>, Head) {
    match range {
        LogRange::Entries { entries, head } => (entries, head),
        other => panic!("{other:?}"),
    }
}

async fn a_range_continues_a_position(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    for body in ["two", "three", "four"] {
        db.send(id, ada, body).await;
    }
    db.store.edit_message(id, ada, 2, "deux", EventId::new(), at(1)).await.unwrap();
    db.store.delete_message(id, ada, 2, EventId::new(), at(2)).await.unwrap();
    let all = db.log(id).await;
    assert_eq!(all.len(), 6);
    assert_eq!(all[4].change.map(|change| change.kind), Some(Change::Edited));
    assert_eq!(all[4].message.body, None, "a change carries the current state");
    assert_eq!((all[4].subject_seq(), all[4].message.updated_seq), (2, 6));

    let range = async |seq: Seq, limit| {
        let event_id = seq.checked_sub(1).and_then(|i| all.get(i as usize)).map(|e| e.event_id);
        entries(db.store.log_range(id, Cursor { seq, event_id }, None, limit).await.unwrap())
    };
    for seq in 0..=6 {
        let (rest, head) = range(seq, 100).await;
        assert_eq!(rest, all[seq as usize..]);
        assert_eq!((head.seq, head.event_id), (6, all[5].event_id));
    }
    let (some, head) = range(1, 2).await;
    assert_eq!((some.as_slice(), head.seq), (&all[1..3], 6));
    assert_eq!(range(3, 0).await.0, []);
    // Right before a newcomer's first entry there is nothing to verify.
    let start = Cursor { seq: 4, event_id: None };
    assert_eq!(entries(db.store.log_range(id, start, None, 9).await.unwrap()).0, all[4..]);
}

async fn a_position_that_is_not_in_the_log_is_a_fork(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    db.send(id, ada, "two").await;
    let known = db.head(id).await;
    for (seq, event_id) in [
        (2, Some(EventId::new())),
        (1, Some(known.event_id)),
        (3, Some(known.event_id)),
        (3, None),
        (0, Some(known.event_id)),
        (-1, None),
        (Seq::MAX, None),
        (Seq::MAX, Some(known.event_id)),
    ] {
        let range = db.store.log_range(id, Cursor { seq, event_id }, None, 10).await.unwrap();
        let LogRange::Fork { head } = range else { panic!("{seq} {event_id:?}: {range:?}") };
        assert_eq!(head, known);
    }
}

async fn a_reader_reads_within_their_interval(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[]).await;
    db.add(id, ada, bob).await;
    let read = async |user_id, joined_seq| {
        let start = Cursor { seq: 1, event_id: None };
        let reader = Some(Reader { user_id, joined_seq });
        db.store.log_range(id, start, reader, 10).await.unwrap()
    };
    assert_eq!(entries(read(bob, 2).await).0.len(), 1);
    assert!(matches!(read(bob, 1).await, LogRange::Gone { left_seq: None }));
    assert!(matches!(read(eve, 2).await, LogRange::Gone { left_seq: None }));
    db.remove(id, ada, bob).await;
    assert!(matches!(read(bob, 2).await, LogRange::Gone { left_seq: Some(3) }));
    db.add(id, ada, bob).await;
    assert!(matches!(read(bob, 2).await, LogRange::Gone { left_seq: None }));
    assert_eq!(entries(read(bob, 4).await).0.len(), 3);
}

async fn heads_are_the_tops(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let [one, two] = [db.group(ada, &[bob]).await, db.group(ada, &[bob]).await];
    let message = text(two, ada, "x");
    append_one(&db.store, &message).await.unwrap();
    let mut heads = db.store.heads(&[two, ConversationId::new(), one]).await.unwrap();
    heads.sort_by_key(|head| head.seq);
    assert_eq!((heads.len(), heads[0].conversation_id), (2, one));
    assert_eq!((heads[1].conversation_id, heads[1].event_id), (two, message.event_id));
}

/// Nobody but a defect or a damaged disk makes one; it must not look healthy.
async fn a_hole_is_never_passed_over(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    for body in ["two", "three", "four"] {
        db.send(id, ada, body).await;
    }
    super::schema::execute(&db, "delete from messages where seq = 3").await;
    let start = Cursor { seq: 0, event_id: None };
    let range = db.store.log_range(id, start, None, 10).await;
    assert!(matches!(range, Err(StoreError::Unexpected(_))), "{range:?}");
}
