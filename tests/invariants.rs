//! The invariants of the contract, one test each, by number and name: on one
//! replica with each database, and on two that share Redis. The sixth stands in
//! feed.rs, the eleventh in outage.rs, the thirteenth in replay.rs.

use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;
use parley::{model::*, store::Around};
use serde_json::json;

use crate::support::{
    client::{Device, Person},
    cluster::{Cluster, Database},
};

crate::on_every_deployment![
    i01_ack_means_committed,
    i02_the_seqs_of_a_conversation_are_dense,
    i03_who_sees_n_sees_everything_below,
    i04_a_send_is_idempotent_for_ever,
    i05_a_connection_sees_consecutive_seqs,
    i07_nothing_after_removal_nothing_before_joining,
    i08_read_marks_only_grow,
    i09_unread_equals_its_definition,
    i10_presence_converges,
    i12_ack_before_send_orders,
    i14_a_fork_is_noticed,
];

/// Two people in a direct conversation.
async fn pair(cluster: &Cluster) -> (Person, Person, ConversationId) {
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    (ada, bo, id)
}

async fn i01_ack_means_committed(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, _, id) = pair(&cluster).await;
    let mut device = ada.connect().await;
    for n in 0..20 {
        let ack = device.send(id, &format!("message {n}")).await;
        // Read on a connection of its own: only what is committed is visible.
        let page = cluster.store().history(id, ada.id(), Around::Around(ack.seq), 1).await.unwrap();
        assert_eq!(page.messages[0].id, ack.message_id);
    }
}

async fn i02_the_seqs_of_a_conversation_are_dense(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.group("Dense", &[&bo]).await.id;
    // Every kind of writer at once.
    let send = |person: Person, n: usize| async move {
        let message = person.say(id, &format!("{n}")).await;
        let path = format!("/conversations/{id}/messages/{}", message.seq);
        if n.is_multiple_of(3) {
            person.patch(&path, json!({ "body": format!("{n} edited") })).await;
        }
        if n.is_multiple_of(4) {
            person.delete(&path).await;
        }
    };
    let title = |n: usize| {
        let ada = ada.clone();
        async move {
            ada.patch(&format!("/conversations/{id}"), json!({ "title": format!("T{n}") })).await;
        }
    };
    let sends = (0..40).map(|n| send(if n % 2 == 0 { ada.clone() } else { bo.clone() }, n));
    tokio::join!(join_all(sends), join_all((0..10).map(title)));
    let log = cluster.log(id).await;
    let seqs: Vec<_> = log.iter().map(|entry| entry.seq).collect();
    let expected: Vec<_> = (1..=ada.conversation(id).await.last_seq).collect();
    assert_eq!(seqs, expected);
    assert_eq!(seqs.len(), 1 + 40 + 14 + 10 + 10);
    for two in log.windows(2) {
        assert_eq!(two[1].prev_event_id, Some(two[0].event_id));
    }
}

async fn i03_who_sees_n_sees_everything_below(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo, id) = pair(&cluster).await;
    let writing = async {
        let mut devices = [ada.connect().await, bo.connect().await];
        for n in 0..60 {
            devices[n % 2].send(id, &format!("{n}")).await;
        }
    };
    let reading = async {
        let mut highest = 0;
        while highest < 61 {
            let log = cluster.log(id).await;
            let seqs: Vec<_> = log.iter().map(|entry| entry.seq).collect();
            highest = seqs.last().copied().unwrap_or(0);
            assert_eq!(seqs, (1..=highest).collect::<Vec<_>>());
        }
    };
    tokio::join!(writing, reading);
}

async fn i04_a_send_is_idempotent_for_ever(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.group("Once", &[&bo]).await.id;
    let mut device = bo.connect().await;
    let key = ClientMessageId::new();
    let first = device.send_as(id, key, "hello").await.unwrap();
    assert!(!first.duplicate);
    let same = SendAck { duplicate: true, ..first.clone() };
    assert_eq!(device.send_as(id, key, "hello").await, Ok(same.clone()));

    // Over REST, concurrently, and after an edit.
    let path = format!("/conversations/{id}/messages");
    let body = json!({ "client_msg_id": key, "body": "hello" });
    let repeats = join_all((0..8).map(|_| bo.post(&path, body.clone()))).await;
    for repeat in repeats {
        assert_eq!(repeat.status.as_u16(), 200);
        assert_eq!(repeat.body["id"], json!(first.message_id));
    }
    let edit = json!({ "conversation_id": id, "seq": first.seq, "body": "hello!" });
    device.ask("message.edit", edit).await.unwrap();
    assert_eq!(device.send_as(id, key, "hello").await, Ok(same.clone()));

    // Another request under the same id is refused, the same after removal.
    let reused = device.send_as(id, key, "something else").await.unwrap_err();
    assert_eq!((reused.code.as_str(), reused.retryable), ("client_msg_id_reused", false));
    let gone = ada.delete(&format!("/conversations/{id}/participants/{}", bo.id())).await;
    assert_eq!(gone.status.as_u16(), 204);
    assert_eq!(device.send_as(id, key, "hello").await, Ok(same));
    let new = device.send_as(id, ClientMessageId::new(), "still here?").await.unwrap_err();
    assert_eq!(new.code, "not_found");
    let repeat = bo.post(&path, body).await;
    assert_eq!(repeat.status.as_u16(), 200);
    let mut fields: Vec<_> = repeat.body.as_object().unwrap().keys().cloned().collect();
    fields.sort();
    let ack = ["client_msg_id", "conversation_id", "created_at", "duplicate", "message_id", "seq"];
    assert_eq!(fields, ack);

    let texts = cluster.log(id).await;
    let texts = texts.iter().filter(|e| e.change.is_none() && e.message.kind == MessageKind::Text);
    assert_eq!(texts.count(), 1);
}

/// Seqs of a conversation as one socket carries them, up to `last`.
async fn seqs_up_to(device: &mut Device, id: ConversationId, last: Seq) -> Vec<Seq> {
    let mut seqs = Vec::new();
    while seqs.last() != Some(&last) {
        let seq = device
            .until(|frame| match frame {
                ServerFrame::MessageNew { conversation_id, seq, .. }
                | ServerFrame::MessageUpdated { conversation_id, seq, .. }
                | ServerFrame::LogSkip { conversation_id, seq, .. } => {
                    (*conversation_id == id).then_some(*seq)
                }
                _ => None,
            })
            .await;
        seqs.push(seq);
    }
    seqs
}

async fn i05_a_connection_sees_consecutive_seqs(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo, id) = pair(&cluster).await;
    let mut watcher = bo.connect().await;
    let start = watcher.snapshot[0].last_seq;
    let senders = (0..4).map(|s| {
        let ada = ada.clone();
        async move {
            let mut device = ada.connect().await;
            for n in 0..100 {
                device.send(id, &format!("{s}/{n}")).await;
            }
        }
    });
    let last = start + 400;
    let (_, seqs) = tokio::join!(join_all(senders), seqs_up_to(&mut watcher, id, last));
    assert_eq!(seqs, (start + 1..=last).collect::<Vec<_>>());

    // One that reads nothing for a while, and one that resumes from the middle.
    let middle = cluster.log(id).await[200].clone();
    let cursor = Cursor { seq: middle.seq, event_id: Some(middle.event_id) };
    let mut resumed = bo.resume(HashMap::from([(id, cursor)])).await;
    let missed: Vec<_> = resumed
        .missed
        .drain(..)
        .filter_map(|frame| match frame {
            ServerFrame::MessageNew { seq, .. } => Some(seq),
            _ => None,
        })
        .collect();
    assert_eq!(missed, (middle.seq + 1..=last).collect::<Vec<_>>());
}

async fn i07_nothing_after_removal_nothing_before_joining(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let (bo, cy) = (cluster.register("bo").await, cluster.register("cy").await);
    let id = ada.group("Members", &[&cy]).await.id;
    let early = ada.say(id, "before bo").await;
    let mut device = bo.connect().await;
    assert!(device.snapshot.is_empty());

    let people = format!("/conversations/{id}/participants");
    ada.post(&people, json!({ "user_ids": [bo.id()] })).await;
    let added = device
        .until(|frame| match frame {
            ServerFrame::ConversationAdded { payload, .. } => Some(payload.clone()),
            _ => None,
        })
        .await;
    assert_eq!((added.id, added.visible_from_seq), (id, added.joined_seq));
    let joined = device.message(id).await;
    assert_eq!(joined.seq, added.joined_seq);
    let page: History = bo.get(&format!("/conversations/{id}/messages")).await.ok();
    assert_eq!(page.messages.first().map(|m| m.seq), Some(added.joined_seq));

    // A change of what bo may not see moves the cursor and shows nothing.
    let path = format!("/conversations/{id}/messages/{}", early.seq);
    ada.patch(&path, json!({ "body": "changed" })).await;
    match device.next().await {
        ServerFrame::LogSkip { seq, .. } => assert_eq!(seq, joined.seq + 1),
        other => panic!("{other:?}"),
    }

    // Removed while messages fly.
    let talking = join_all((0..20).map(|n| {
        let ada = ada.clone();
        async move { ada.say(id, &format!("{n}")).await }
    }));
    let removing = async { ada.delete(&format!("{people}/{}", bo.id())).await };
    tokio::join!(talking, removing);
    let left = device
        .until(|frame| match frame {
            ServerFrame::ConversationRemoved { payload, .. } => Some(payload.left_seq),
            ServerFrame::MessageNew { payload, .. } if payload.system.is_some() => {
                panic!("the removal itself is told as conversation.removed")
            }
            _ => None,
        })
        .await;
    assert!(left.is_some());
    ada.say(id, "without bo").await;
    device.stays_quiet().await;
    assert_eq!(bo.get(&format!("/conversations/{id}")).await.refused(404), "not_found");
    assert_eq!(bo.get(&format!("/conversations/{id}/messages")).await.refused(404), "not_found");

    // Back again: only what comes now, and the old cursor is refused.
    let old = Cursor { seq: joined.seq, event_id: Some(joined.id) };
    ada.post(&people, json!({ "user_ids": [bo.id()] })).await;
    let resumed = bo.resume(HashMap::from([(id, old)])).await;
    let reset = resumed.missed.iter().find_map(|frame| match frame {
        ServerFrame::ConversationReset { payload, .. } => Some(payload.reason),
        _ => None,
    });
    assert_eq!(reset, Some(ResetReason::Rejoined));
    let sync = json!({ "cursors": { id.to_string(): old } });
    let sync: SyncResponse = bo.post("/sync", sync).await.ok();
    assert_eq!(sync.conversations[0].status, SyncStatus::Reset);
}

async fn i08_read_marks_only_grow(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo, id) = pair(&cluster).await;
    for n in 0..10 {
        ada.say(id, &format!("{n}")).await;
    }
    let last = bo.conversation(id).await.last_seq;
    let path = format!("/conversations/{id}/read");
    let marks = join_all((0..20).map(|n| bo.post(&path, json!({ "seq": n % 12 })))).await;
    let highest = marks.into_iter().map(|answer| answer.ok::<ReadAck>().last_read_seq).max();
    assert_eq!(highest, Some(last));
    let beyond: ReadAck = bo.post(&path, json!({ "seq": 1_000_000 })).await.ok();
    assert_eq!(beyond.last_read_seq, last);
    let back: ReadAck = bo.post(&path, json!({ "seq": 1 })).await.ok();
    assert_eq!((back.last_read_seq, back.last_read_at), (last, beyond.last_read_at));
    assert_eq!(bo.post(&path, json!({ "seq": -1 })).await.refused(422), "invalid_field");
}

async fn i09_unread_equals_its_definition(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo, id) = pair(&cluster).await;
    let mut seqs = Vec::new();
    for n in 0..6 {
        seqs.push(ada.say(id, &format!("{n}")).await.seq);
        bo.say(id, "mine do not count").await;
    }
    assert_eq!(bo.conversation(id).await.unread_count, 6);
    // A deletion of what is unread lowers it, of what is read does not.
    let read: ReadAck =
        bo.post(&format!("/conversations/{id}/read"), json!({ "seq": seqs[1] })).await.ok();
    assert_eq!(read.unread_count, 4);
    for seq in [seqs[0], seqs[5]] {
        ada.delete(&format!("/conversations/{id}/messages/{seq}")).await;
    }
    let view = bo.conversation(id).await;
    assert_eq!((view.unread_count, view.unread_as_of_seq), (3, view.last_seq));
    // Asked again it comes from the cache, and is the same.
    assert_eq!(bo.conversation(id).await.unread_count, 3);
    assert_eq!(bo.connect().await.snapshot[0].unread_count, 3);
    for n in 0..110 {
        ada.say(id, &format!("{n}")).await;
    }
    assert_eq!(bo.conversation(id).await.unread_count, limits::UNREAD_CAP);
}

async fn i10_presence_converges(database: Database) {
    let cluster = Cluster::configured(database, 1, |config| {
        config.presence_offline_after = Duration::from_millis(200);
    })
    .await;
    let (ada, bo, _) = pair(&cluster).await;
    let mut watcher = ada.connect().await;
    let mut status_of = async |wanted: PresenceStatus| {
        watcher
            .until(|frame| match frame {
                ServerFrame::PresenceUpdated { payload } => {
                    (payload.user_id == bo.id() && payload.status == wanted).then_some(())
                }
                _ => None,
            })
            .await;
    };
    let mut device = bo.connect().await;
    status_of(PresenceStatus::Online).await;
    device.ask("presence.set", json!({ "status": "away" })).await.unwrap();
    status_of(PresenceStatus::Away).await;
    device.close().await;
    // Who is not seen from here is offline only where nobody else serves, or
    // where all replicas share what they see.
    let gone = match database {
        Database::Sqlite | Database::PostgresAndRedis => PresenceStatus::Offline,
        Database::Postgres => PresenceStatus::Unknown,
    };
    status_of(gone).await;
}

async fn i12_ack_before_send_orders(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo, id) = pair(&cluster).await;
    let mut devices = [ada.connect().await, bo.connect().await];
    let mut last = 0;
    for n in 0..60 {
        let seq = match n % 3 {
            0 => devices[0].send(id, "a").await.seq,
            1 => devices[1].send(id, "b").await.seq,
            _ => ada.say(id, "c").await.seq,
        };
        assert!(seq > last);
        last = seq;
    }
}

/// A log that loses its end under a connected device, and goes on otherwise.
async fn i14_a_fork_is_noticed(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo, id) = pair(&cluster).await;
    ada.say(id, "kept").await;
    let kept = cluster.log(id).await.pop().unwrap();
    let lost = ada.say(id, "lost").await;
    let mut device = bo.connect().await;
    cluster.forget_entries_above(id, &kept).await;

    // Connected: the next message carries the news of another past.
    ada.say(id, "after the fork").await;
    let reset = device
        .until(|frame| match frame {
            ServerFrame::ConversationReset { payload, .. } => Some(payload.clone()),
            _ => None,
        })
        .await;
    assert_eq!(reset.reason, ResetReason::Fork);
    assert_ne!(reset.conversation.last_event_id, lost.id);

    // Away: the cursor is of the lost log.
    let cursor = Cursor { seq: lost.seq, event_id: Some(lost.id) };
    let resumed = bo.resume(HashMap::from([(id, cursor)])).await;
    let told = resumed.missed.iter().any(|frame| {
        matches!(frame, ServerFrame::ConversationReset { payload, .. }
            if payload.reason == ResetReason::Fork)
    });
    assert!(told, "{:?}", resumed.missed);
    let sync = json!({ "cursors": { id.to_string(): cursor } });
    let sync: SyncResponse = bo.post("/sync", sync).await.ok();
    assert_eq!(sync.conversations[0].status, SyncStatus::Reset);
    let on = ada.say(id, "and on").await;
    assert_eq!(device.message(id).await.id, on.id);
}
