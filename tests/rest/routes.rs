//! Every route once, on its happy path.

use parley::model::*;
use serde_json::{Value, json};

use crate::support::cluster::{Cluster, Database};

crate::on_both_databases![
    people_and_accounts,
    a_group_from_its_making_to_its_end,
    what_is_said_and_read,
    my_settings_reach_my_other_devices,
    a_changed_name_reaches_who_watches,
    a_group_may_share_its_history,
];

async fn people_and_accounts(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let me: User = ada.get("/users/me").await.ok();
    assert_eq!((me.id, me.username.as_str(), me.display_name.as_str()), (ada.id(), "ada", "ada"));
    let renamed: User =
        ada.patch("/users/me", json!({ "display_name": "  Ada Löve  " })).await.ok();
    assert_eq!(renamed.display_name, "Ada Löve");
    let seen: User = bo.get(&format!("/users/{}", ada.id())).await.ok();
    assert_eq!(seen, renamed);
    for query in ["ad", "ADA", "Löv", "ada%20l"] {
        let found: Page<User> = bo.get(&format!("/users?query={query}")).await.ok();
        assert_eq!(found.items, std::slice::from_ref(&renamed), "{query}");
    }
    let none: Page<User> = bo.get("/users?query=zzz").await.ok();
    assert_eq!((none.items.len(), none.next), (0, None));
    assert_eq!(bo.get(&format!("/users/{}", UserId::new())).await.refused(404), "not_found");
}

async fn a_group_from_its_making_to_its_end(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let cy = cluster.register("cy").await;
    let body = json!({ "kind": "group", "title": " Tea ", "participant_ids": [bo.id(), bo.id()] });
    let answer = ada.post("/conversations", body).await;
    assert_eq!(answer.status.as_u16(), 201);
    let made: Conversation = answer.ok();
    assert_eq!((made.kind, made.title.as_deref()), (ConversationKind::Group, Some("Tea")));
    assert_eq!(
        (made.role, made.participant_count, made.created_by),
        (Role::Owner, 2, Some(ada.id()))
    );
    assert_eq!((made.unread_count, made.muted, made.pinned), (0, false, false));
    let path = format!("/conversations/{}", made.id);
    assert_eq!(ada.get(&path).await.ok::<Conversation>(), made);
    let list: Page<Conversation> = bo.get("/conversations").await.ok();
    assert_eq!(
        (list.items.len(), list.items[0].id, list.items[0].role),
        (1, made.id, Role::Member)
    );

    let renamed: Conversation = ada.patch(&path, json!({ "title": "Coffee" })).await.ok();
    assert_eq!(renamed.title.as_deref(), Some("Coffee"));
    let people = format!("{path}/participants");
    let grown: Conversation =
        ada.post(&people, json!({ "user_ids": [cy.id(), bo.id()] })).await.ok();
    assert_eq!(grown.participant_count, 3);
    let role = ada.patch(&format!("{people}/{}", cy.id()), json!({ "role": "admin" })).await;
    assert_eq!(role.status.as_u16(), 204, "{}", role.body);
    let listed: Page<Participant> = ada.get(&people).await.ok();
    let roles: Vec<_> = listed.items.iter().map(|p| (p.user.id, p.role)).collect();
    assert_eq!(roles.len(), 3);
    for pair in [(ada.id(), Role::Owner), (bo.id(), Role::Member), (cy.id(), Role::Admin)] {
        assert!(roles.contains(&pair), "{roles:?}");
    }
    assert_eq!(cy.delete(&format!("{people}/{}", bo.id())).await.status.as_u16(), 204);
    assert_eq!(cy.delete(&format!("{people}/{}", cy.id())).await.status.as_u16(), 204);

    let history: History = ada.get(&format!("{path}/messages")).await.ok();
    let told: Vec<_> = history.messages.iter().map(|m| (m.sender_id, m.system.clone())).collect();
    let expected = [
        (&ada, SystemEvent::Created),
        (&ada, SystemEvent::TitleChanged { title: "Coffee".into() }),
        (&ada, SystemEvent::ParticipantAdded { user_ids: vec![cy.id()] }),
        (&ada, SystemEvent::RoleChanged { user_id: cy.id(), role: Role::Admin }),
        (&cy, SystemEvent::ParticipantRemoved { user_id: bo.id() }),
        (&cy, SystemEvent::ParticipantLeft { user_id: cy.id() }),
    ];
    assert_eq!(told, expected.map(|(who, event)| (who.id(), Some(event))));
}

async fn what_is_said_and_read(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    let path = format!("/conversations/{id}/messages");
    let key = ClientMessageId::new();
    let body = json!({ "client_msg_id": key, "body": "hello" });
    let answer = ada.post(&path, body.clone()).await;
    assert_eq!(answer.status.as_u16(), 201);
    let said: Message = answer.ok();
    assert_eq!(
        (said.conversation_id, said.sender_id, said.client_msg_id),
        (id, ada.id(), Some(key))
    );
    assert_eq!((said.kind, said.updated_seq, said.system), (MessageKind::Text, said.seq, None));
    let repeated = ada.post(&path, body).await;
    assert_eq!((repeated.status.as_u16(), repeated.ok::<Message>().id), (200, said.id));
    let differs = json!({ "client_msg_id": key, "body": "hello", "reply_to_seq": said.seq });
    assert_eq!(ada.post(&path, differs).await.refused(409), "client_msg_id_reused");

    let reply = json!({
        "client_msg_id": ClientMessageId::new(), "body": "hi", "reply_to_seq": said.seq,
    });
    let reply: Message = bo.post(&path, reply).await.ok();
    assert_eq!(reply.reply_to_seq, Some(said.seq));
    let edit = ada.patch(&format!("{path}/{}", said.seq), json!({ "body": "hello!" })).await;
    assert_eq!(
        edit.ok::<ChangeAck>(),
        ChangeAck { conversation_id: id, seq: said.seq, duplicate: false }
    );
    let gone: ChangeAck = bo.delete(&format!("{path}/{}", reply.seq)).await.ok();
    assert!(!gone.duplicate);
    let page: History = bo.get(&path).await.ok();
    let states: Vec<_> = page.messages.iter().map(|m| (m.seq, m.body.as_deref())).collect();
    assert_eq!(states, [(1, None), (said.seq, Some("hello!")), (reply.seq, None)]);
    assert!(page.messages[1].edited_at.is_some() && page.messages[2].deleted_at.is_some());
    assert_eq!((page.range.from_seq, page.range.to_seq), (1, 5));

    let read: ReadAck =
        bo.post(&format!("/conversations/{id}/read"), json!({ "seq": 5 })).await.ok();
    assert_eq!((read.last_read_seq, read.unread_count, read.unread_as_of_seq), (5, 0, 5));
    assert!(read.last_read_at.is_some());
    let people: Page<Participant> =
        ada.get(&format!("/conversations/{id}/participants")).await.ok();
    let theirs = people.items.iter().find(|p| p.user.id == bo.id()).unwrap();
    assert_eq!((theirs.last_read_seq, theirs.last_read_at), (5, read.last_read_at));
    let synced: Value = bo.post("/sync", json!({ "cursors": {} })).await.ok();
    assert_eq!(synced["conversations"][0]["status"], "new");
}

async fn my_settings_reach_my_other_devices(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    let phone = crate::support::client::Person::login(cluster.url(), "ada").await;
    let (mut phone, mut partner) = (phone.connect().await, bo.connect().await);
    let path = format!("/conversations/{id}/me");
    for (body, muted, pinned) in [
        (json!({ "muted": true }), true, false),
        (json!({ "pinned": true }), true, true),
        (json!({ "muted": false, "pinned": true }), false, true),
    ] {
        let expected = Settings { muted, pinned };
        assert_eq!(ada.patch(&path, body).await.ok::<Settings>(), expected);
        let told = phone.until(|frame| match frame {
            ServerFrame::ConversationSettings { payload, .. } => Some(*payload),
            _ => None,
        });
        assert_eq!(told.await, expected);
    }
    let unchanged: Settings = ada.patch(&path, json!({})).await.ok();
    assert_eq!(unchanged, Settings { muted: false, pinned: true });
    phone.stays_quiet().await;
    partner.stays_quiet().await;
    assert!(ada.conversation(id).await.pinned && !bo.conversation(id).await.pinned);
}

async fn a_changed_name_reaches_who_watches(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let cy = cluster.register("cy").await;
    ada.direct(&bo).await;
    let (mut own, mut partner) = (ada.connect().await, bo.connect().await);
    let mut stranger = cy.connect().await;
    let renamed: User = ada.patch("/users/me", json!({ "display_name": "Countess" })).await.ok();
    for device in [&mut own, &mut partner] {
        let told = device.until(|frame| match frame {
            ServerFrame::UserUpdated { payload } => Some(payload.clone()),
            _ => None,
        });
        assert_eq!(told.await, renamed);
    }
    stranger.stays_quiet().await;
}

async fn a_group_may_share_its_history(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    for (share, first) in [(true, 1), (false, 3)] {
        let body = json!({
            "kind": "group", "title": "G", "participant_ids": [], "share_history": share,
        });
        let id = ada.post("/conversations", body).await.ok::<Conversation>().id;
        ada.say(id, "before").await;
        let people = format!("/conversations/{id}/participants");
        ada.post(&people, json!({ "user_ids": [bo.id()] })).await.ok::<Conversation>();
        let view = bo.conversation(id).await;
        assert_eq!((view.joined_seq, view.visible_from_seq), (3, first));
        // What was said before is there to read, and was not addressed to them.
        let page: History = bo.get(&format!("/conversations/{id}/messages")).await.ok();
        assert_eq!(page.messages.first().map(|m| m.seq), Some(first));
        assert_eq!((page.range.from_seq, page.has_more_before), (first, false));
    }
}
