//! What one device does and the others are told.

use std::time::Instant;

use parley::model::*;
use serde_json::json;

use crate::support::{
    client::Person,
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    typing_is_told_to_the_other_only,
    typing_is_told_twice_a_second,
    reading_is_told_to_others_at_most_once_a_second,
    presence_is_told_to_who_watches,
    what_one_may_not_see_moves_the_cursor,
    edits_and_deletions_carry_the_current_state,
    a_new_conversation_comes_with_its_events,
];

async fn typing_is_told_to_the_other_only(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let cy = cluster.register("cy").await;
    let id = ada.direct(&bo).await.id;
    let (mut own, mut own_other) = (ada.connect().await, ada.connect().await);
    let (mut partner, mut stranger) = (bo.connect().await, cy.connect().await);
    for typing in [true, false] {
        let payload = json!({ "conversation_id": id, "typing": typing });
        own.write(&json!({ "type": "user.typing", "payload": payload })).await;
        let told = partner.until(|frame| match frame {
            ServerFrame::UserTyping { conversation_id, payload } => {
                Some((*conversation_id, payload.clone()))
            }
            _ => None,
        });
        let (conversation, told) = told.await;
        assert_eq!((conversation, told.user_id, told.typing), (id, ada.id(), typing));
        assert!(told.expires_in_ms > 0);
    }
    for device in [&mut own, &mut own_other, &mut stranger] {
        device.stays_quiet().await;
    }
}

async fn typing_is_told_twice_a_second(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    let (mut own, mut partner) = (ada.connect().await, bo.connect().await);
    let began = Instant::now();
    for n in 0..100 {
        let payload = json!({ "conversation_id": id, "typing": n % 2 == 0 });
        own.write(&json!({ "type": "user.typing", "payload": payload })).await;
    }
    own.send(id, "typed").await;
    let mut told = Vec::new();
    loop {
        match partner.next().await {
            ServerFrame::UserTyping { payload, .. } => told.push(payload.typing),
            ServerFrame::MessageNew { .. } => break,
            _ => {}
        }
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(told.starts_with(&[true, false, true, false]), "{told:?}");
    assert!(told.len() <= 4 * (seconds + 1), "{} in {seconds} s", told.len());
}

async fn reading_is_told_to_others_at_most_once_a_second(database: Database) {
    const MARKS: Seq = 20;
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    for n in 1..=MARKS {
        ada.say(id, &format!("{n}")).await;
    }
    let phone = Person::login(cluster.url(), "bo").await;
    let (mut sender, mut reader) = (ada.connect().await, bo.connect().await);
    let mut phone = phone.connect().await;
    let began = Instant::now();
    let last = MARKS + 1;
    for seq in 2..=last {
        let ack =
            reader.ask("conversation.read", json!({ "conversation_id": id, "seq": seq })).await;
        match ack {
            Ok(Ack::Read(ack)) => {
                assert_eq!((ack.last_read_seq, ack.unread_count), (seq, last - seq));
            }
            other => panic!("{other:?}"),
        }
    }
    let mark = |frame: &ServerFrame| match frame {
        ServerFrame::ConversationRead { payload, .. } => Some(payload.clone()),
        _ => None,
    };
    // The reader's other device: with the count, up to the last one.
    let mut seen = 0;
    while seen < last {
        let told = phone.until(mark).await;
        assert!(told.last_read_seq > seen, "marks only grow");
        seen = told.last_read_seq;
        assert_eq!((told.unread_count, told.unread_as_of_seq), (Some(last - seen), Some(last)));
    }
    // The other person: without it, seldom, and in the end the last one.
    let (mut seen, mut notices) = (0, 0);
    while seen < last {
        let told = sender.until(mark).await;
        assert!(told.last_read_seq > seen && told.user_id == bo.id());
        assert_eq!((told.unread_count, told.unread_as_of_seq), (None, None));
        (seen, notices) = (told.last_read_seq, notices + 1);
    }
    let seconds = began.elapsed().as_secs();
    assert!(notices <= seconds + 2, "{notices} notices in {seconds} s");
    // Reading again what was read moves nothing and is not told.
    reader.ask("conversation.read", json!({ "conversation_id": id, "seq": 1 })).await.unwrap();
    sender.stays_quiet().await;
}

async fn presence_is_told_to_who_watches(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let mut watcher = ada.connect().await;
    let presence = |frame: &ServerFrame| match frame {
        ServerFrame::PresenceUpdated { payload } => Some(payload.clone()),
        _ => None,
    };
    watcher.post("presence.watch", json!({ "user_ids": [bo.id()] })).await;
    // Told at once, whatever it is; without Redis nobody knows about replicas
    // elsewhere.
    let away = match database {
        Database::Sqlite | Database::PostgresAndRedis => PresenceStatus::Offline,
        Database::Postgres => PresenceStatus::Unknown,
    };
    let first = watcher.until(presence).await;
    assert_eq!((first.user_id, first.status), (bo.id(), away));
    let mut device = bo.connect().await;
    assert_eq!(watcher.until(presence).await.status, PresenceStatus::Online);
    for (status, expected) in [("away", PresenceStatus::Away), ("online", PresenceStatus::Online)] {
        device.ask("presence.set", json!({ "status": status })).await.unwrap();
        assert_eq!(watcher.until(presence).await.status, expected);
    }
    // The list replaces the earlier one.
    watcher.ask("presence.watch", json!({ "user_ids": [] })).await.unwrap();
    device.ask("presence.set", json!({ "status": "away" })).await.unwrap();
    let nothing = tokio::time::timeout(crate::support::limits::QUIET, watcher.next_or_end()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

async fn what_one_may_not_see_moves_the_cursor(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.group("Late", &[]).await.id;
    let early = ada.say(id, "before bo").await.seq;
    let people = format!("/conversations/{id}/participants");
    ada.post(&people, json!({ "user_ids": [bo.id()] })).await.ok::<Conversation>();
    let mut device = bo.connect().await;
    let start = &device.snapshot[0];
    let cursor = Cursor { seq: start.last_seq, event_id: Some(start.last_event_id) };
    ada.patch(&format!("/conversations/{id}/messages/{early}"), json!({ "body": "secret" })).await;
    ada.say(id, "for all").await;
    let skipped = device.next().await;
    assert!(
        matches!(skipped, ServerFrame::LogSkip { seq, .. } if seq == cursor.seq + 1),
        "{skipped:?}"
    );
    let said = device.next().await;
    // The same to who comes back, and over REST.
    let resumed = bo.resume(Cursors::from([(id, cursor)])).await;
    assert_eq!(resumed.missed, [skipped, said]);
    let sync = json!({ "cursors": { id.to_string(): cursor } });
    let sync: SyncResponse = bo.post("/sync", sync).await.ok();
    let frames: Vec<ServerFrame> = sync.conversations[0]
        .events
        .iter()
        .map(|event| serde_json::from_str(event.get()).unwrap())
        .collect();
    assert_eq!(frames, resumed.missed);
    assert!(!serde_json::to_string(&sync).unwrap().contains("secret"));
}

async fn edits_and_deletions_carry_the_current_state(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    let (mut writer, mut reader) = (ada.connect().await, bo.connect().await);
    let sent = writer.send(id, "first").await;
    assert_eq!(reader.message(id).await.id, sent.message_id);
    let updated = |frame: &ServerFrame| match frame {
        ServerFrame::MessageUpdated { seq, payload, .. } => Some((*seq, payload.clone())),
        _ => None,
    };
    let at = json!({ "conversation_id": id, "seq": sent.seq });
    let mut edit = at.clone();
    edit["body"] = json!("second");
    let expected = ChangeAck { conversation_id: id, seq: sent.seq, duplicate: false };
    assert_eq!(writer.ask("message.edit", edit).await, Ok(Ack::Changed(expected.clone())));
    let (seq, told) = reader.until(updated).await;
    assert_eq!((seq, told.change), (sent.seq + 1, Change::Edited));
    assert_eq!((told.message.seq, told.message.updated_seq), (sent.seq, seq));
    assert_eq!(told.message.body.as_deref(), Some("second"));
    assert_eq!(writer.ask("message.delete", at).await, Ok(Ack::Changed(expected)));
    let (seq, told) = reader.until(updated).await;
    assert_eq!((seq, told.change), (sent.seq + 2, Change::Deleted));
    assert_eq!((told.message.body, told.message.updated_seq), (None, seq));
}

async fn a_new_conversation_comes_with_its_events(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let mut device = bo.connect().await;
    let made = ada.group("New", &[&bo]).await;
    let added = device.until(|frame| match frame {
        ServerFrame::ConversationAdded { payload, .. } => Some(payload.clone()),
        _ => None,
    });
    let added = added.await;
    assert_eq!((added.id, added.role, added.joined_seq), (made.id, Role::Member, 1));
    assert_eq!(device.message(made.id).await.system, Some(SystemEvent::Created));
    let said = ada.say(made.id, "welcome").await;
    assert_eq!(device.message(made.id).await.id, said.id);
    // Leaving is told too, to all my devices.
    let mut other = bo.connect().await;
    let path = format!("/conversations/{}/participants/{}", made.id, bo.id());
    assert_eq!(bo.delete(&path).await.status.as_u16(), 204);
    for device in [&mut device, &mut other] {
        let left = device.until(|frame| match frame {
            ServerFrame::ConversationRemoved { conversation_id, payload } => {
                Some((*conversation_id, payload.left_seq))
            }
            _ => None,
        });
        assert_eq!(left.await, (made.id, Some(said.seq + 1)));
    }
}
