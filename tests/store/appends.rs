//! Sending: idempotent, dense, and only by members.

use std::collections::HashMap;

use parley::store::Refusal;

use super::*;

store_contract![
    a_message_gets_the_next_place,
    a_repeat_is_answered_with_the_original,
    a_reused_id_is_refused,
    copies_within_a_batch_are_one_message,
    each_message_of_a_batch_has_its_own_outcome,
    a_repeat_after_an_edit_or_a_deletion_is_still_one,
    an_ex_member_learns_only_of_what_they_sent,
    ids_belong_to_sender_and_conversation,
    replies_need_a_visible_text,
    sequences_are_dense,
    no_message_after_a_removal,
    concurrent_repeats_make_one_row,
    an_unacceptable_row_does_not_stop_its_batch,
    a_full_batch_is_taken,
];

async fn a_message_gets_the_next_place(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let new = new_group(ada, &[bob]);
    let id = db.create(&new).await;
    let first = text(id, bob, "hello");
    let answer = append_one(&db.store, &first).await.unwrap();
    assert_eq!(answer, Appended::New { seq: 2, prev_event_id: Some(new.event_id) });
    let second = append_one(&db.store, &text(id, ada, "hi")).await.unwrap();
    assert_eq!(second, Appended::New { seq: 3, prev_event_id: Some(first.event_id) });
    let entry = &db.log(id).await[1];
    assert_eq!(entry.message.client_msg_id, Some(first.client_msg_id));
    assert_eq!(entry.message.body.as_deref(), Some("hello"));
    assert_eq!(entry.message.created_at, first.created_at);
    assert_eq!((entry.message.updated_seq, entry.message.sender_id), (2, bob));
    assert!(db.store.append(&[]).await.unwrap().is_empty());
}

fn repeat_of(message: &NewMessage, seq: Seq) -> Appended {
    Appended::Repeat { seq, message_id: message.event_id, created_at: message.created_at }
}

async fn a_repeat_is_answered_with_the_original(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let message = text(id, bob, "once");
    append_one(&db.store, &message).await.unwrap();
    for store in [db.store.clone(), db.other()] {
        let answer = append_one(&store, &again(&message)).await.unwrap();
        assert_eq!(answer, repeat_of(&message, 2));
    }
    assert_eq!(db.head(id).await.seq, 2);
}

async fn a_reused_id_is_refused(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let message = text(id, bob, "one thing");
    append_one(&db.store, &message).await.unwrap();
    let mut other = again(&message);
    other.request_hash = vec![1];
    refuses!(append_one(&db.store, &other).await, Refusal::ClientMessageIdReused);
    assert_eq!(db.head(id).await.seq, 2);
}

async fn copies_within_a_batch_are_one_message(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let message = text(id, ada, "once");
    let mut differs = again(&message);
    differs.request_hash = vec![1];
    let batch = [message.clone(), text(id, bob, "x"), again(&message), differs, again(&message)];
    let outcomes = db.store.append(&batch).await.unwrap();
    assert!(matches!(outcomes[0], Ok(Appended::New { seq: 2, .. })));
    assert!(matches!(outcomes[1], Ok(Appended::New { seq: 3, .. })));
    assert_eq!(*outcomes[2].as_ref().unwrap(), repeat_of(&message, 2));
    refuses!(&outcomes[3], Refusal::ClientMessageIdReused);
    assert_eq!(*outcomes[4].as_ref().unwrap(), repeat_of(&message, 2));
    assert_eq!(db.log(id).await.len(), 3);

    // The first copy was refused for its reply; the next one is a message then.
    let good = text(id, ada, "good");
    let mut bad = again(&good);
    (bad.reply_to_seq, bad.request_hash) = (Some(77), vec![1]);
    let outcomes = db.store.append(&[bad.clone(), good.clone(), bad]).await.unwrap();
    refuses!(&outcomes[0], Refusal::BadReply);
    assert!(matches!(outcomes[1], Ok(Appended::New { seq: 4, .. })));
    refuses!(&outcomes[2], Refusal::ClientMessageIdReused);
}

async fn each_message_of_a_batch_has_its_own_outcome(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let one = db.group(ada, &[bob]).await;
    let two = db.group(bob, &[eve]).await;
    let old = text(one, ada, "old");
    append_one(&db.store, &old).await.unwrap();
    let nowhere = ConversationId::new();
    let batch = [
        text(two, eve, "a"),
        text(one, eve, "not a member"),
        text(one, ada, "b"),
        again(&old),
        text(nowhere, ada, "no such conversation"),
        text(two, bob, "c"),
        text(one, bob, "d"),
    ];
    let outcomes = db.store.append(&batch).await.unwrap();
    let new = |place: usize| match outcomes[place] {
        Ok(Appended::New { seq, prev_event_id }) => (seq, prev_event_id),
        ref other => panic!("{place}: {other:?}"),
    };
    assert_eq!(new(0).0, 2);
    refuses!(&outcomes[1], Refusal::NotFound);
    assert_eq!(new(2), (3, Some(old.event_id)));
    assert_eq!(*outcomes[3].as_ref().unwrap(), repeat_of(&old, 2));
    refuses!(&outcomes[4], Refusal::NotFound);
    assert_eq!(new(5), (3, Some(batch[0].event_id)));
    assert_eq!(new(6), (4, Some(batch[2].event_id)));
    assert_eq!(db.head(one).await.event_id, batch[6].event_id);
    assert_eq!(db.head(two).await.event_id, batch[5].event_id);
    db.log(one).await;
    db.log(two).await;
}

async fn a_repeat_after_an_edit_or_a_deletion_is_still_one(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let message = text(id, bob, "first words");
    append_one(&db.store, &message).await.unwrap();
    let edit = db.store.edit_message(id, bob, 2, "other words", EventId::new(), at(200));
    edit.await.unwrap();
    let answer = append_one(&db.store, &again(&message)).await.unwrap();
    assert_eq!(answer, repeat_of(&message, 2));
    db.store.delete_message(id, ada, 2, EventId::new(), at(201)).await.unwrap();
    let answer = append_one(&db.store, &again(&message)).await.unwrap();
    assert_eq!(answer, repeat_of(&message, 2));
}

async fn an_ex_member_learns_only_of_what_they_sent(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let message = text(id, bob, "before");
    append_one(&db.store, &message).await.unwrap();
    db.remove(id, ada, bob).await;
    let answer = append_one(&db.store, &again(&message)).await.unwrap();
    assert_eq!(answer, repeat_of(&message, 2));
    refuses!(append_one(&db.store, &text(id, bob, "after")).await, Refusal::NotFound);
    assert_eq!(db.head(id).await.seq, 3);
}

async fn ids_belong_to_sender_and_conversation(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let one = db.group(ada, &[bob]).await;
    let two = db.group(ada, &[bob]).await;
    let message = text(one, ada, "same id");
    let by_bob = NewMessage { sender_id: bob, ..again(&message) };
    let elsewhere = NewMessage { conversation_id: two, ..again(&message) };
    for outcome in db.store.append(&[message, by_bob, elsewhere]).await.unwrap() {
        assert!(matches!(outcome, Ok(Appended::New { .. })));
    }
}

async fn replies_need_a_visible_text(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[]).await;
    let early = db.send(id, ada, "early").await;
    db.add(id, ada, bob).await;
    let late = db.send(id, ada, "late").await;
    let reply = async |sender, to| {
        let message = NewMessage { reply_to_seq: Some(to), ..text(id, sender, "re") };
        append_one(&db.store, &message).await
    };
    assert!(reply(ada, early).await.is_ok());
    assert!(reply(bob, late).await.is_ok());
    refuses!(reply(bob, early).await, Refusal::BadReply);
    refuses!(reply(ada, 1).await, Refusal::BadReply);
    refuses!(reply(ada, 999).await, Refusal::BadReply);
    refuses!(reply(ada, 0).await, Refusal::BadReply);
    let same_batch = [text(id, ada, "x"), text(id, ada, "y")];
    let next = db.head(id).await.seq + 1;
    let [first, mut second] = same_batch;
    second.reply_to_seq = Some(next);
    let outcomes = db.store.append(&[first, second]).await.unwrap();
    refuses!(&outcomes[1], Refusal::BadReply);
}

/// Many senders on two replicas while members come, go and rename.
async fn sequences_are_dense(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let groups = [db.group(ada, &[bob, eve]).await, db.group(bob, &[ada, eve]).await];
    let stores = [db.store.clone(), db.other()];
    let senders = (0..12).map(|n: usize| {
        let (store, groups) = (stores[n % 2].clone(), groups);
        async move {
            let mut acks = Vec::new();
            for round in 0..8 {
                let body = format!("{n}.{round}");
                let batch: Vec<NewMessage> =
                    (0..4).map(|i| text(groups[(n + i) % 2], [ada, bob][n % 2], &body)).collect();
                for (message, outcome) in batch.iter().zip(store.append(&batch).await.unwrap()) {
                    match outcome.unwrap() {
                        Appended::New { seq, prev_event_id } => acks.push((
                            message.conversation_id,
                            seq,
                            message.event_id,
                            prev_event_id,
                        )),
                        other => panic!("{other:?}"),
                    }
                }
            }
            acks
        }
    });
    let changers = (0..2).map(|n: usize| {
        let (store, id, owner) = (stores[n].clone(), groups[n], [ada, bob][n]);
        async move {
            for round in 0..6 {
                let title = ConversationChange::SetTitle { title: format!("title {round}") };
                for change in [
                    ConversationChange::Remove { user: eve },
                    ConversationChange::Add { users: vec![eve] },
                    title,
                ] {
                    store.change_conversation(id, owner, &change, at(round)).await.unwrap();
                }
            }
        }
    });
    let (acks, _) = tokio::join!(together(senders), together(changers));

    let mut logs = HashMap::new();
    for id in groups {
        let log = db.log(id).await;
        let mut below = None;
        for (entry, seq) in log.iter().zip(1..) {
            assert_eq!((entry.seq, entry.prev_event_id), (seq, below));
            below = Some(entry.event_id);
        }
        assert_eq!(log.len(), 1 + 12 * 8 * 2 + 6 * 3);
        assert_eq!(db.head(id).await.event_id, log[log.len() - 1].event_id);
        logs.insert(id, log);
    }
    for (id, seq, event_id, prev_event_id) in acks.into_iter().flatten() {
        let entry = &logs[&id][seq as usize - 1];
        assert_eq!((entry.event_id, entry.prev_event_id), (event_id, prev_event_id));
    }
}

/// What was acknowledged lies below the removal, and nothing of theirs above.
async fn no_message_after_a_removal(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    for round in 0..5 {
        let id = db.group(ada, &[bob]).await;
        let stores = [db.store.clone(), db.other()];
        let senders = (0..6).map(|n: usize| {
            let store = stores[n % 2].clone();
            async move {
                let mut acked = Vec::new();
                for i in 0.. {
                    match append_one(&store, &text(id, bob, &format!("{n}.{i}"))).await {
                        Ok(Appended::New { seq, .. }) => acked.push(seq),
                        Err(StoreError::Refused(Refusal::NotFound)) => return acked,
                        other => panic!("{other:?}"),
                    }
                }
                acked
            }
        });
        let remover = db.clone();
        let removal = async move {
            linger(5 * round).await;
            remover.remove(id, ada, bob).await.entries[0].seq
        };
        let (acked, left_seq) = tokio::join!(together(senders), tokio::spawn(removal));
        let left_seq = left_seq.unwrap();
        let mut acked: Vec<Seq> = acked.into_iter().flatten().collect();
        acked.sort_unstable();
        assert_eq!(acked, (2..left_seq).collect::<Vec<_>>());
        assert_eq!(db.head(id).await.seq, left_seq);
        let membership = db.store.membership(id, bob).await.unwrap().unwrap();
        assert_eq!(membership.left_seq, Some(left_seq));
    }
}

async fn concurrent_repeats_make_one_row(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let message = text(id, ada, "all at once");
    let attempts = (0..16).map(|n| {
        let (store, attempt) =
            (if n % 2 == 0 { db.store.clone() } else { db.other() }, again(&message));
        async move { (attempt.event_id, append_one(&store, &attempt).await.unwrap()) }
    });
    let answers = together(attempts).await;
    let winner = answers.iter().find(|(_, answer)| matches!(answer, Appended::New { .. }));
    let (winner, _) = winner.expect("one is new");
    for (event_id, answer) in &answers {
        match answer {
            Appended::New { seq, .. } => assert_eq!((*seq, event_id), (2, winner)),
            Appended::Repeat { seq, message_id, .. } => {
                assert_eq!((*seq, message_id), (2, winner));
            }
        }
    }
    assert_eq!(db.head(id).await.seq, 2);
}

/// Postgres cannot hold U+0000. The gateway rejects it earlier; were it not to,
/// the row would fail alone.
async fn an_unacceptable_row_does_not_stop_its_batch(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let batch = [text(id, ada, "a"), text(id, ada, "nul \0"), text(id, bob, "b")];
    let outcomes = db.store.append(&batch).await.unwrap();
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    let expected = if db.store.is_postgres() { 2 } else { 3 };
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), expected);
    db.log(id).await;
}

async fn a_full_batch_is_taken(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let mut groups = Vec::new();
    for _ in 0..16 {
        groups.push(db.group(ada, &[bob]).await);
    }
    let batch: Vec<NewMessage> =
        (0..256).map(|n| text(groups[n % 16], ada, &"x".repeat(n))).collect();
    let outcomes = db.store.append(&batch).await.unwrap();
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let expected = 2 + n as Seq / 16;
        assert!(matches!(outcome, Ok(Appended::New { seq, .. }) if seq == expected), "{n}");
    }
}
