//! Who is not a member learns nothing: not even whether there is something.

use parley::model::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    client::Person,
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    strangers_former_members_and_random_ids_get_the_same_404,
    nothing_leaks_through_lists_presence_or_typing,
    an_old_cursor_of_a_former_member_shows_nothing,
];

/// A group that ada owns, which bo has left and cy was never in.
async fn group(cluster: &Cluster) -> (Person, Person, Person, ConversationId) {
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let cy = cluster.register("cy").await;
    let id = ada.group("Closed", &[&bo]).await.id;
    bo.say(id, "I was here").await;
    let path = format!("/conversations/{id}/participants/{}", bo.id());
    assert_eq!(ada.delete(&path).await.status.as_u16(), 204);
    (ada, bo, cy, id)
}

async fn strangers_former_members_and_random_ids_get_the_same_404(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo, cy, id) = group(&cluster).await;
    let send = || json!({ "client_msg_id": ClientMessageId::new(), "body": "hello?" });
    let (owner, own) = (ada.id().to_string(), "{me}".to_owned());
    let routes = [
        (Method::GET, String::new(), Value::Null),
        (Method::PATCH, String::new(), json!({ "title": "Mine" })),
        (Method::PATCH, "/me".into(), json!({ "muted": true })),
        (Method::GET, "/participants".into(), Value::Null),
        (Method::GET, "/participants?limit=1".into(), Value::Null),
        (Method::POST, "/participants".into(), json!({ "user_ids": [cy.id()] })),
        (Method::DELETE, format!("/participants/{owner}"), Value::Null),
        (Method::DELETE, format!("/participants/{own}"), Value::Null),
        (Method::PATCH, format!("/participants/{owner}"), json!({ "role": "member" })),
        (Method::PATCH, format!("/participants/{own}"), json!({ "role": "owner" })),
        (Method::GET, "/messages".into(), Value::Null),
        (Method::GET, "/messages?before=2".into(), Value::Null),
        (Method::GET, "/messages?after=0".into(), Value::Null),
        (Method::GET, "/messages?around=2&limit=1".into(), Value::Null),
        (Method::POST, "/messages".into(), send()),
        (Method::PATCH, "/messages/2".into(), json!({ "body": "changed" })),
        (Method::DELETE, "/messages/2".into(), Value::Null),
        (Method::DELETE, "/messages/999".into(), Value::Null),
        (Method::POST, "/read".into(), json!({ "seq": 1 })),
    ];
    for (method, rest, body) in routes {
        let ask = async |person: &Person, id: ConversationId| {
            let rest = rest.replace("{me}", &person.id().to_string());
            let request = person.request(method.clone(), &format!("/conversations/{id}{rest}"));
            let request = if body.is_null() { request } else { request.json(&body) };
            person.run(request).await
        };
        let stranger = ask(&cy, id).await;
        assert_eq!(stranger.refused(404), "not_found", "{method} {rest}");
        for (person, id) in [(&bo, id), (&bo, ConversationId::new()), (&cy, ConversationId::new())]
        {
            let answer = ask(person, id).await;
            assert_eq!(
                (answer.status, &answer.body),
                (stranger.status, &stranger.body),
                "{method} {rest}"
            );
        }
    }
    // The socket says the same.
    let frames = [
        ("message.send", json!({ "client_msg_id": ClientMessageId::new(), "body": "hello?" })),
        ("message.edit", json!({ "seq": 2, "body": "changed" })),
        ("message.delete", json!({ "seq": 2 })),
        ("conversation.read", json!({ "seq": 1 })),
        ("user.typing", json!({ "typing": true })),
    ];
    let mut devices = [bo.connect().await, cy.connect().await];
    for (kind, mut payload) in frames {
        let mut answers = Vec::new();
        for device in &mut devices {
            for id in [id, ConversationId::new()] {
                payload["conversation_id"] = json!(id);
                answers.push(device.ask(kind, payload.clone()).await.unwrap_err());
            }
        }
        assert_eq!(answers[0].code, "not_found", "{kind}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    let before = ada.conversation(id).await;
    assert_eq!((before.title.as_deref(), before.participant_count), (Some("Closed"), 1));
}

async fn nothing_leaks_through_lists_presence_or_typing(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo, cy, id) = group(&cluster).await;
    for person in [&bo, &cy] {
        let list: Page<Conversation> = person.get("/conversations").await.ok();
        assert!(list.items.is_empty());
    }
    let (mut former, mut stranger) = (bo.connect().await, cy.connect().await);
    assert!(former.snapshot.is_empty() && stranger.snapshot.is_empty());
    let mut device = ada.connect().await;
    let typing = json!({ "conversation_id": id, "typing": true });
    device.write(&json!({ "type": "user.typing", "payload": typing })).await;
    let last = device.send(id, "among us").await.seq;
    device
        .ask("message.edit", json!({ "conversation_id": id, "seq": last, "body": "!" }))
        .await
        .unwrap();
    ada.post(&format!("/conversations/{id}/read"), json!({ "seq": last })).await;
    ada.patch(&format!("/conversations/{id}"), json!({ "title": "Secret" })).await;
    former.stays_quiet().await;
    stranger.stays_quiet().await;
    // Somebody else's device is nobody's business.
    let path = format!("/devices/{}", ada.device);
    assert_eq!(cy.delete(&path).await.refused(404), "not_found");
    let random = cy.delete(&format!("/devices/{}", DeviceId::new())).await;
    assert_eq!(cy.delete(&path).await.body, random.body);
}

async fn an_old_cursor_of_a_former_member_shows_nothing(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo, cy, id) = group(&cluster).await;
    let log = cluster.log(id).await;
    ada.say(id, "after they left").await;
    for entry in [&log[0], &log[1]] {
        let cursor = Cursor { seq: entry.seq, event_id: Some(entry.event_id) };
        let cursors = json!({ "cursors": { id.to_string(): cursor } });
        let mut answers = Vec::new();
        for person in [&bo, &cy] {
            let sync: SyncResponse = person.post("/sync", cursors.clone()).await.ok();
            assert_eq!(sync.conversations[0].status, SyncStatus::Gone);
            assert!(sync.conversations[0].events.is_empty());
            answers.push(serde_json::to_value(&sync).unwrap());
            let device = person.resume(Cursors::from([(id, cursor)])).await;
            let told: Vec<_> = device
                .missed
                .iter()
                .map(|frame| match frame {
                    ServerFrame::ConversationRemoved { conversation_id, .. } => *conversation_id,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(told, [id]);
        }
        assert_eq!(answers[0], answers[1]);
    }
}
