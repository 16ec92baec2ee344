//! Real frames of a scripted device against the AsyncAPI document.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use parley::model::*;
use serde_json::{Value, json};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message as Raw};

use super::conforms;
use crate::support::{
    client::{Api, Person, open_with},
    cluster::{Cluster, Database},
    limits,
};

crate::on_both_databases![what_goes_over_the_socket_is_what_the_document_says];

/// The contract's tables.
const SENT: [&str; 11] = [
    "authenticate",
    "auth.renew",
    "hello",
    "message.send",
    "message.edit",
    "message.delete",
    "conversation.read",
    "user.typing",
    "presence.set",
    "presence.watch",
    "ping",
];
const RECEIVED: [&str; 19] = [
    "ack",
    "error",
    "ready",
    "conversations",
    "live",
    "message.new",
    "message.updated",
    "log.skip",
    "conversation.read",
    "conversation.added",
    "conversation.removed",
    "conversation.settings",
    "conversation.reset",
    "user.updated",
    "user.typing",
    "presence.updated",
    "heartbeat",
    "pong",
    "reconnect",
];

/// A device that holds every frame, in either direction, against the document.
struct Auditor {
    document: Value,
    socket: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
    sent: BTreeSet<String>,
    received: BTreeSet<String>,
}

impl Auditor {
    async fn open(cluster: &Cluster) -> Self {
        let document: Value = Api::new(cluster.url()).get("/asyncapi.json").await.ok();
        let socket = open_with(cluster.url(), "", HashMap::new()).await.unwrap();
        Self { document, socket, sent: BTreeSet::new(), received: BTreeSet::new() }
    }

    fn check(&self, direction: &str, frame: &Value) -> String {
        let kind = frame["type"].as_str().expect("a type").to_owned();
        let messages = &self.document["channels"]["socket"]["messages"];
        let schema = &messages[format!("{direction}.{kind}")]["payload"];
        assert!(schema.is_object(), "{direction}.{kind} is not in the document");
        conforms(&self.document, schema, frame, &kind);
        kind
    }

    async fn send(&mut self, kind: &str, id: Value, payload: Value) {
        let frame = json!({ "type": kind, "id": id, "payload": payload });
        self.sent.insert(self.check("client", &frame));
        self.write(frame).await;
    }

    async fn write(&mut self, frame: Value) {
        self.socket.send(Raw::text(frame.to_string())).await.unwrap();
    }

    /// Reads on until a frame of this type.
    async fn until(&mut self, kind: &str) -> Value {
        let found = tokio::time::timeout(limits::SOON, async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Raw::Text(text))) => {
                        let frame: Value = serde_json::from_str(&text).unwrap();
                        let came = self.check("server", &frame);
                        self.received.insert(came.clone());
                        if came == kind {
                            return frame;
                        }
                    }
                    Some(Ok(Raw::Ping(_) | Raw::Pong(_))) => {}
                    other => panic!("{other:?} instead of {kind}"),
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("no {kind} in time"))
    }

    async fn sign_in(&mut self, person: &Person) {
        let token = json!({ "access_token": person.token });
        self.send("authenticate", json!("a"), token).await;
        self.until("ack").await;
        self.until("ready").await;
    }

    async fn hello(&mut self, cursors: Cursors) {
        self.send("hello", json!(1), json!({ "cursors": cursors, "client": "test/1" })).await;
        self.until("conversations").await;
    }
}

async fn what_goes_over_the_socket_is_what_the_document_says(database: Database) {
    let cluster = Cluster::configured(database, 1, |config| {
        config.heartbeat_interval = Duration::from_millis(200);
    })
    .await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let direct = ada.direct(&bo).await.id;
    let left = ada.group("Left", &[&bo]).await;
    let late = ada.group("Late", &[]).await;
    let early = ada.say(late.id, "before bo").await.seq;
    let add = async |id: ConversationId| {
        let body = json!({ "user_ids": [bo.id()] });
        let path = format!("/conversations/{id}/participants");
        ada.post(&path, body).await.ok::<Conversation>()
    };

    // Comes back with a cursor that the log contradicts.
    let mut device = Auditor::open(&cluster).await;
    device.sign_in(&bo).await;
    let forked = Cursor { seq: 1, event_id: Some(EventId::new()) };
    let start = Cursor { seq: 0, event_id: None };
    device.hello([(direct, forked), (left.id, start), (ConversationId::new(), start)].into()).await;
    device.until("live").await;

    // What it asks for.
    let key = ClientMessageId::new();
    let send = json!({ "conversation_id": direct, "client_msg_id": key, "body": "hello" });
    device.send("message.send", json!(2), send).await;
    let seq = device.until("message.new").await["seq"].clone();
    let mut reply = json!({ "conversation_id": direct, "client_msg_id": ClientMessageId::new(), "body": "again" });
    reply["reply_to_seq"] = seq.clone();
    device.send("message.send", json!("r"), reply).await;
    device.until("message.new").await;
    let at = json!({ "conversation_id": direct, "seq": seq });
    let mut edit = at.clone();
    edit["body"] = json!("hello!");
    device.send("message.edit", json!(3), edit).await;
    device.until("message.updated").await;
    device.send("message.delete", json!(4), at.clone()).await;
    device.until("message.updated").await;
    ada.say(direct, "read me").await;
    device.until("message.new").await;
    let read = json!({ "conversation_id": direct, "seq": 1_000 });
    device.send("conversation.read", json!(5), read.clone()).await;
    device.until("conversation.read").await;
    let typing = json!({ "conversation_id": direct, "typing": true });
    device.send("user.typing", json!("t"), typing.clone()).await;
    device.send("presence.set", json!(6), json!({ "status": "away" })).await;
    device.send("presence.watch", json!(7), json!({ "user_ids": [ada.id()] })).await;
    device.until("presence.updated").await;
    device.send("auth.renew", json!(8), json!({ "access_token": bo.token })).await;
    device.until("ack").await;
    device.send("ping", json!(9), json!({})).await;
    device.until("pong").await;
    device
        .write(json!({ "type": "presence.set", "id": 10, "payload": { "status": "gone" } }))
        .await;
    device.until("error").await;

    // What others do.
    let mut partner = ada.connect().await;
    partner.ask("conversation.read", read).await.unwrap();
    device.until("conversation.read").await;
    partner.write(&json!({ "type": "user.typing", "payload": typing })).await;
    device.until("user.typing").await;
    ada.patch("/users/me", json!({ "display_name": "Ada" })).await;
    device.until("user.updated").await;
    bo.patch(&format!("/conversations/{direct}/me"), json!({ "pinned": true })).await;
    device.until("conversation.settings").await;
    add(late.id).await;
    device.until("conversation.added").await;
    for event in [json!({ "title": "Renamed" }), json!({ "title": "Again" })] {
        ada.patch(&format!("/conversations/{}", late.id), event).await;
        device.until("message.new").await;
    }
    let path = format!("/conversations/{}/messages/{early}", late.id);
    ada.patch(&path, json!({ "body": "changed" })).await;
    device.until("log.skip").await;
    let path = format!("/conversations/{}/participants/{}", left.id, bo.id());
    ada.delete(&path).await;
    device.until("conversation.removed").await;
    device.until("heartbeat").await;
    cluster.replicas[0].shutdown.begin_drain("test");
    device.until("reconnect").await;

    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(device.sent, set(&SENT), "every type was sent");
    assert_eq!(device.received, set(&RECEIVED), "every type was received");
    let messages = device.document["channels"]["socket"]["messages"].as_object().unwrap();
    let described: BTreeSet<_> = messages.keys().cloned().collect();
    let contract = SENT.iter().map(|kind| format!("client.{kind}"));
    let contract = contract.chain(RECEIVED.iter().map(|kind| format!("server.{kind}")));
    assert_eq!(described, contract.collect());
}
