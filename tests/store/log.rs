//! Ranges of the log, and forks.

use parley::store::{Head, LogRange, RangeQuery, Reader};

use super::*;

store_contract![
    a_range_continues_a_position,
    a_position_that_is_not_in_the_log_is_a_fork,
    a_reader_reads_within_their_interval,
    ranges_come_together_each_by_its_own_rules,
    a_range_ends_where_it_is_heavy_enough,
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

async fn ranges_come_together_each_by_its_own_rules(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let [one, two, broken] =
        [db.group(ada, &[bob]).await, db.group(ada, &[bob]).await, db.group(ada, &[]).await];
    for id in [one, two, broken] {
        for body in ["two", "three"] {
            db.send(id, ada, body).await;
        }
    }
    db.store.edit_message(one, ada, 2, "deux", EventId::new(), at(1)).await.unwrap();
    let (log_one, log_two) = (db.log(one).await, db.log(two).await);
    super::schema::execute(&db, "delete from messages where seq = 2 and body = 'two'").await;
    // The last statement made a hole in two of them; only there it is told.
    let query = |conversation_id, entry: Option<&LogEntry>, reader, limit| RangeQuery {
        conversation_id,
        after: Cursor {
            seq: entry.map_or(0, |entry| entry.seq),
            event_id: entry.map(|entry| entry.event_id),
        },
        reader,
        limit,
        weight: 1_000_000,
    };
    let reader = |user_id, joined_seq| Some(Reader { user_id, joined_seq });
    let queries = [
        query(one, Some(&log_one[0]), None, 10),
        query(broken, None, None, 10),
        query(one, Some(&log_one[0]), reader(bob, 1), 0),
        query(one, Some(&log_one[0]), reader(bob, 2), 0),
        query(ConversationId::new(), None, None, 10),
        query(two, Some(&log_two[1]), reader(ada, 1), 10),
        query(two, Some(&log_one[1]), reader(ada, 1), 10),
        query(one, Some(&log_one[0]), None, 10),
    ];
    let ranges = db.store.log_ranges(&queries).await.unwrap();
    assert_eq!(ranges.len(), queries.len());
    let mut ranges = ranges.into_iter();
    let mut next = || ranges.next().unwrap();
    assert_eq!(entries(next().unwrap()).0, log_one[1..]);
    assert!(matches!(next(), Err(StoreError::Unexpected(_))), "a hole");
    assert_eq!(entries(next().unwrap()).0, [], "a right without entries");
    assert!(matches!(next(), Ok(LogRange::Gone { left_seq: None })), "another interval");
    assert!(matches!(next(), Ok(LogRange::Gone { left_seq: None })), "no such conversation");
    // Its position is an entry that is gone.
    assert!(matches!(next(), Ok(LogRange::Fork { .. })));
    assert!(matches!(next(), Ok(LogRange::Fork { .. })));
    assert_eq!(entries(next().unwrap()).0, log_one[1..], "the same again");
    assert!(db.store.log_ranges(&[]).await.unwrap().is_empty());
}

async fn a_range_ends_where_it_is_heavy_enough(db: Db) {
    let [ada] = db.users(["ada"]).await;
    let id = db.group(ada, &[]).await;
    for _ in 0..4 {
        // Weighed in bytes, not in characters.
        db.send(id, ada, &"é".repeat(500)).await;
    }
    let all = db.log(id).await;
    assert_eq!(all[1].weight(), LogEntry::BASE_WEIGHT + 1_000);
    for (weight, count) in [(0, 0), (1, 1), (512, 1), (513, 2), (2_024, 2), (2_025, 3), (9_999, 5)]
    {
        let after = Cursor { seq: 0, event_id: None };
        let query = RangeQuery { conversation_id: id, after, reader: None, limit: 10, weight };
        let range = db.store.log_ranges(&[query]).await.unwrap().remove(0).unwrap();
        assert_eq!(entries(range).0, all[..count], "{weight}");
    }
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
