//! Coming back: what was missed, in order, or a reset; over the socket and
//! over `POST /sync`.

use std::collections::HashMap;

use futures_util::future::join_all;
use parley::model::*;
use serde_json::json;

use crate::support::{
    client::{Device, Person},
    cluster::{Cluster, Database},
    eventually,
    limits::SOON,
};

crate::on_both_databases![
    what_was_missed_comes_in_order_and_then_live,
    a_cursor_too_far_back_is_reset,
    a_cursor_of_a_conversation_that_is_none_of_mine_is_removed,
    the_place_before_the_first_entry_is_a_cursor,
    a_cursor_that_the_log_contradicts_is_reset,
    sync_tells_every_status,
    sync_comes_in_pages_of_a_thousand_events,
    sync_answers_first_what_was_asked,
    sync_answers_at_most_a_mebibyte_of_events,
    devices_that_come_back_together_read_once,
];

/// Frames sent before their answers are read.
const AT_ONCE: usize = 50;

/// Says `count` things, as fast as one socket goes.
async fn fill(person: &Person, id: ConversationId, count: usize) {
    fill_with(person, id, count, "").await;
}

/// Likewise, with this before the number of each.
async fn fill_with(person: &Person, id: ConversationId, count: usize, what: &str) {
    let mut device = person.connect().await;
    let mut left = count;
    while left > 0 {
        let now = left.min(AT_ONCE);
        let mut last = 0;
        for n in 0..now {
            let (key, body) = (ClientMessageId::new(), format!("{what}{n}"));
            let payload = json!({ "conversation_id": id, "client_msg_id": key, "body": body });
            last = device.post("message.send", payload).await;
        }
        device.answer(last).await.expect("an ack");
        left -= now;
    }
    device.close().await;
}

fn seq_of(frame: &ServerFrame) -> Option<Seq> {
    match frame {
        ServerFrame::MessageNew { seq, .. }
        | ServerFrame::MessageUpdated { seq, .. }
        | ServerFrame::LogSkip { seq, .. } => Some(*seq),
        _ => None,
    }
}

fn events_of(answer: &SyncConversation) -> Vec<ServerFrame> {
    let events = answer.events.iter();
    events.map(|event| serde_json::from_str(event.get()).expect("a frame")).collect()
}

async fn sync(person: &Person, cursors: &Cursors) -> SyncResponse {
    person.post("/sync", json!({ "cursors": cursors })).await.ok()
}

fn reset_of(device: &Device) -> Option<(ResetReason, Seq)> {
    device.missed.iter().find_map(|frame| match frame {
        ServerFrame::ConversationReset { payload, .. } => {
            Some((payload.reason, payload.conversation.last_seq))
        }
        _ => None,
    })
}

async fn what_was_missed_comes_in_order_and_then_live(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let ids = [ada.direct(&bo).await.id, ada.group("Group", &[&bo]).await.id];
    let device = bo.connect().await;
    let cursors: Cursors = device
        .snapshot
        .iter()
        .map(|c| (c.id, Cursor { seq: c.last_seq, event_id: Some(c.last_event_id) }))
        .collect();
    device.close().await;
    for id in ids {
        let said = [ada.say(id, "one").await, bo.say(id, "two").await, ada.say(id, "three").await];
        let path = format!("/conversations/{id}/messages");
        ada.patch(&format!("{path}/{}", said[0].seq), json!({ "body": "ONE" }))
            .await
            .ok::<ChangeAck>();
        bo.delete(&format!("{path}/{}", said[1].seq)).await.ok::<ChangeAck>();
    }
    ada.patch(&format!("/conversations/{}", ids[1]), json!({ "title": "Renamed" })).await;
    let mut back = bo.resume(cursors.clone()).await;
    let answer = sync(&bo, &cursors).await;
    assert!(answer.complete);
    for (id, entries) in [(ids[0], 5), (ids[1], 6)] {
        let of = |frame: &&ServerFrame| {
            serde_json::to_value(frame).unwrap()["conversation_id"] == json!(id)
        };
        let missed: Vec<_> = back.missed.iter().filter(of).cloned().collect();
        let seqs: Vec<_> = missed.iter().filter_map(seq_of).collect();
        let start = cursors[&id].seq;
        assert_eq!(seqs, (start + 1..=start + entries).collect::<Vec<_>>());
        // An edited message is told as it is now, wherever it stands.
        let ServerFrame::MessageNew { payload, .. } = &missed[0] else { panic!("{missed:?}") };
        assert_eq!(payload.body.as_deref(), Some("ONE"));
        let synced = answer.conversations.iter().find(|c| c.id == id).unwrap();
        assert_eq!((synced.status, events_of(synced)), (SyncStatus::Ok, missed));
    }
    // And after `live`, what comes now.
    let said = ada.say(ids[0], "now").await;
    assert_eq!(back.message(ids[0]).await.id, said.id);
}

async fn a_cursor_too_far_back_is_reset(database: Database) {
    const FAR: usize = limits::RESUME_ENTRIES as usize;
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    fill(&ada, id, FAR + 5).await;
    let log = cluster.log(id).await;
    let last = log.last().unwrap().seq;
    let back = |entries: i64| {
        let entry = &log[(last - entries - 1) as usize];
        HashMap::from([(id, Cursor { seq: entry.seq, event_id: Some(entry.event_id) })])
    };
    let far = bo.resume(back(limits::RESUME_ENTRIES + 1)).await;
    assert_eq!(reset_of(&far), Some((ResetReason::Behind, last)));
    assert_eq!(far.missed.iter().filter_map(seq_of).count(), 0);
    let answer = sync(&bo, &back(limits::RESUME_ENTRIES + 1)).await;
    assert_eq!(answer.conversations[0].status, SyncStatus::Reset);
    // One entry nearer, all of it comes.
    let near = bo.resume(back(limits::RESUME_ENTRIES)).await;
    let seqs: Vec<_> = near.missed.iter().filter_map(seq_of).collect();
    assert_eq!(
        (reset_of(&near), seqs),
        (None, (last - limits::RESUME_ENTRIES + 1..=last).collect())
    );
    // Without a cursor so much is not told again: the snapshot is the start.
    let new = sync(&bo, &Cursors::new()).await;
    assert_eq!((new.conversations[0].status, new.complete), (SyncStatus::New, true));
    assert!(new.conversations[0].events.is_empty());
}

async fn a_cursor_of_a_conversation_that_is_none_of_mine_is_removed(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let theirs = ada.group("Theirs", &[]).await;
    let cursor = Cursor { seq: theirs.last_seq, event_id: Some(theirs.last_event_id) };
    let random = ConversationId::new();
    let device = bo.resume(HashMap::from([(theirs.id, cursor), (random, cursor)])).await;
    let mut removed: Vec<_> = device
        .missed
        .iter()
        .map(|frame| match frame {
            ServerFrame::ConversationRemoved { conversation_id, payload } => {
                (*conversation_id, payload.left_seq)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    removed.sort();
    let mut expected = vec![(theirs.id, None), (random, None)];
    expected.sort();
    assert_eq!(removed, expected);
}

async fn the_place_before_the_first_entry_is_a_cursor(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.group("Late", &[]).await.id;
    ada.say(id, "before").await;
    let people = format!("/conversations/{id}/participants");
    ada.post(&people, json!({ "user_ids": [bo.id()] })).await.ok::<Conversation>();
    ada.say(id, "after").await;
    for (person, joined, last) in [(&ada, 1, 4), (&bo, 3, 4)] {
        assert_eq!(person.conversation(id).await.joined_seq, joined);
        let before = HashMap::from([(id, Cursor { seq: joined - 1, event_id: None })]);
        let device = person.resume(before.clone()).await;
        let seqs: Vec<_> = device.missed.iter().filter_map(seq_of).collect();
        assert_eq!((reset_of(&device), seqs), (None, (joined..=last).collect()));
        let answer = sync(person, &before).await;
        assert_eq!(answer.conversations[0].status, SyncStatus::Ok);
        assert_eq!(events_of(&answer.conversations[0]), device.missed);
    }
}

async fn a_cursor_that_the_log_contradicts_is_reset(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    for n in 0..5 {
        ada.say(id, &format!("{n}")).await;
    }
    let log = cluster.log(id).await;
    let last = log.last().unwrap();
    for cursor in [
        Cursor { seq: last.seq, event_id: Some(EventId::new()) },
        Cursor { seq: last.seq, event_id: None },
        Cursor { seq: last.seq + 1, event_id: Some(EventId::new()) },
        Cursor { seq: 3, event_id: Some(EventId::new()) },
        Cursor { seq: 3, event_id: Some(log[1].event_id) },
        Cursor { seq: 3, event_id: None },
        Cursor { seq: 0, event_id: Some(log[0].event_id) },
    ] {
        let cursors = HashMap::from([(id, cursor)]);
        let device = bo.resume(cursors.clone()).await;
        assert_eq!(reset_of(&device), Some((ResetReason::Fork, last.seq)), "{cursor:?}");
        let answer = sync(&bo, &cursors).await;
        assert_eq!(answer.conversations[0].status, SyncStatus::Reset, "{cursor:?}");
        assert_eq!(
            answer.conversations[0].conversation.as_ref().map(|c| c.last_seq),
            Some(last.seq)
        );
    }
}

async fn sync_tells_every_status(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let ok = ada.group("Ok", &[&bo]).await;
    let same = ada.group("Same", &[&bo]).await;
    let new = ada.group("New", &[&bo]).await;
    let gone = ada.group("Gone", &[&bo]).await;
    let reset = ada.group("Reset", &[&bo]).await;
    let cursor = |c: &Conversation| Cursor { seq: c.last_seq, event_id: Some(c.last_event_id) };
    let mut cursors: Cursors = [&ok, &same, &gone].map(|c| (c.id, cursor(c))).into();
    cursors.insert(reset.id, Cursor { seq: 1, event_id: Some(EventId::new()) });
    ada.say(ok.id, "more").await;
    ada.say(new.id, "more").await;
    let path = format!("/conversations/{}/participants/{}", gone.id, bo.id());
    assert_eq!(ada.delete(&path).await.status.as_u16(), 204);
    let answer = sync(&bo, &cursors).await;
    assert!(answer.complete);
    let of = |id: ConversationId| {
        let mut found = answer.conversations.iter().filter(|c| c.id == id);
        let (first, second) = (found.next().unwrap(), found.next());
        assert!(second.is_none() && first.complete);
        let seqs: Vec<_> = events_of(first).iter().filter_map(seq_of).collect();
        (first.status, first.conversation.as_ref().map(|c| c.last_seq), seqs)
    };
    assert_eq!(of(ok.id), (SyncStatus::Ok, Some(2), vec![2]));
    assert_eq!(of(same.id), (SyncStatus::Ok, Some(1), vec![]));
    assert_eq!(of(new.id), (SyncStatus::New, Some(2), vec![1, 2]));
    assert_eq!(of(gone.id), (SyncStatus::Gone, None, vec![]));
    assert_eq!(of(reset.id), (SyncStatus::Reset, Some(1), vec![]));
    assert_eq!(answer.conversations.len(), 5);
}

async fn sync_comes_in_pages_of_a_thousand_events(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let ids = [ada.group("One", &[&bo]).await.id, ada.group("Two", &[&bo]).await.id];
    for id in ids {
        fill(&ada, id, 599).await;
    }
    let mut cursors: Cursors = ids.map(|id| (id, Cursor { seq: 0, event_id: None })).into();
    let mut told: HashMap<ConversationId, Vec<Seq>> = HashMap::new();
    for (events, complete) in [(limits::SYNC_EVENTS, false), (200, true), (0, true)] {
        let answer = sync(&bo, &cursors).await;
        let mut count = 0;
        for conversation in &answer.conversations {
            assert_eq!(conversation.status, SyncStatus::Ok);
            for frame in events_of(conversation) {
                let ServerFrame::MessageNew { seq, event_id, .. } = frame else {
                    panic!("{frame:?}")
                };
                told.entry(conversation.id).or_default().push(seq);
                cursors.insert(conversation.id, Cursor { seq, event_id: Some(event_id) });
                count += 1;
            }
        }
        assert_eq!((count, answer.complete), (events, complete));
    }
    for id in ids {
        assert_eq!(told[&id], (1..=600).collect::<Vec<_>>());
    }
}

async fn sync_answers_first_what_was_asked(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let asked = ada.group("Asked", &[&bo]).await.id;
    ada.say(asked, "missed").await;
    // Newer, and more than one answer holds.
    for title in ["One", "Two"] {
        fill(&ada, ada.group(title, &[&bo]).await.id, 599).await;
    }
    let cursors: Cursors = [(asked, Cursor { seq: 0, event_id: None })].into();
    let answer = sync(&bo, &cursors).await;
    assert!(!answer.complete);
    let asked = answer.conversations.iter().find(|c| c.id == asked).unwrap();
    assert_eq!((asked.status, asked.complete, asked.events.len()), (SyncStatus::Ok, true, 2));
}

async fn sync_answers_at_most_a_mebibyte_of_events(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let ids = [ada.group("One", &[&bo]).await.id, ada.group("Two", &[&bo]).await.id];
    let large = "\u{1}".repeat(3_900); // six bytes each in JSON
    for id in ids {
        fill_with(&ada, id, 40, &large).await;
    }
    let mut cursors: Cursors = ids.map(|id| (id, Cursor { seq: 0, event_id: None })).into();
    let mut pages = 0;
    loop {
        let answer = sync(&bo, &cursors).await;
        pages += 1;
        let mut bytes = 0;
        for conversation in &answer.conversations {
            bytes += conversation.events.iter().map(|event| event.get().len()).sum::<usize>();
            for frame in events_of(conversation) {
                let ServerFrame::MessageNew { seq, event_id, .. } = frame else {
                    panic!("{frame:?}")
                };
                assert_eq!(seq, cursors[&conversation.id].seq + 1);
                cursors.insert(conversation.id, Cursor { seq, event_id: Some(event_id) });
            }
        }
        assert!(bytes < limits::SYNC_BYTES + 32 * 1024, "{bytes} in one answer");
        if answer.complete {
            break;
        }
    }
    assert_eq!(pages, 2, "1.9 MB in all");
    assert!(ids.iter().all(|id| cursors[id].seq == 41));
}

async fn devices_that_come_back_together_read_once(database: Database) {
    const DEVICES: usize = 40;
    let cluster = Cluster::start(database, 1).await;
    let replica = &cluster.replicas[0];
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let ids = [ada.group("One", &[&bo]).await.id, ada.group("Two", &[&bo]).await.id];
    let cursors: Cursors = [&ada.conversation(ids[0]).await, &ada.conversation(ids[1]).await]
        .map(|c| (c.id, Cursor { seq: c.last_seq, event_id: Some(c.last_event_id) }))
        .into();
    // Nobody is here, so no ring holds it.
    for id in ids {
        fill(&ada, id, 20).await;
    }
    let nobody_left = async || (replica.counted("parley_connections ") == 0.0).then_some(());
    eventually("who wrote has left", SOON, nobody_left).await;
    let before = replica.counted("parley_gaps_filled_total{source=\"store\"}");
    let statements = replica.counted("parley_log_reads_total");
    let devices = join_all((0..DEVICES).map(|_| bo.resume(cursors.clone()))).await;
    for device in &devices {
        for id in ids {
            let of = |frame: &&ServerFrame| {
                serde_json::to_value(frame).unwrap()["conversation_id"] == json!(id)
            };
            let seqs: Vec<_> = device.missed.iter().filter(of).filter_map(seq_of).collect();
            assert_eq!(seqs, (2..=21).collect::<Vec<_>>());
        }
    }
    let ranges = replica.counted("parley_gaps_filled_total{source=\"store\"}") - before;
    let statements = replica.counted("parley_log_reads_total") - statements;
    println!("{DEVICES} devices, 2 conversations: {ranges} ranges in {statements} statements");
    assert_eq!(ranges, 2.0, "each range once, whoever asks");
    assert!(statements <= 2.0, "{statements}");
}
