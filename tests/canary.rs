//! What people type and hold never reaches the log, whatever they do with it:
//! every input, good and bad, carries a canary.

use std::collections::HashMap;

use futures_util::{SinkExt, StreamExt};
use parley::model::*;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Raw;

use crate::support::{
    client::{Api, Person, open, open_with},
    limits::SOON,
    process::Serving,
};

/// Also a valid username, password and file name.
const CANARY: &str = "Kanarienvogel-7f3a";

#[tokio::test]
async fn what_clients_send_is_never_logged() {
    let folder = tempdir().unwrap();
    let arguments = ["--log-level=debug", "--rate-limits=off"];
    let mut server = Serving::start(folder.path(), &arguments).await;
    let base = server.public.clone();
    let (ada, bo) = (Person::register(&base, "ada").await, Person::register(&base, "bo").await);
    let id = ada.direct(&bo).await.id;
    ada.say(id, CANARY).await;

    let mut refused = bad_bodies(&ada, id).await;
    refused += bad_addresses(&ada, id).await;
    bad_headers(&base).await;
    bad_tokens(&base, &ada).await;
    let ended = bad_frames(&ada, id).await;
    bad_first_frames(&base, &ada).await;

    server.signal("TERM");
    let log = server.rest_of_log().await;
    assert_eq!(server.ended().await, Some(0));
    // It was logged that and where, and the level is the one at which all is.
    assert!(log.matches("\"request refused\"").count() >= refused, "{log}");
    assert!(log.matches("\"bad frame\"").count() >= ended, "{log}");
    assert!(log.contains("Data at line 1, column "), "{log}");
    let token = ada.token.as_deref().unwrap();
    let quoted = |line: &&str| {
        [CANARY, token, &ada.refresh_token, &ada.device_secret].iter().any(|s| line.contains(s))
    };
    let quotes: Vec<_> = log.lines().filter(quoted).collect();
    assert!(quotes.is_empty(), "{}", quotes.join("\n"));
}

/// Bodies with a canary where it does not belong; how many were refused.
async fn bad_bodies(ada: &Person, id: ConversationId) -> usize {
    let token = &ada.refresh_token;
    let send = |field: &str, value: Value| {
        let mut body = json!({ "client_msg_id": ClientMessageId::new(), "body": CANARY });
        body[field] = value;
        body.to_string()
    };
    let messages = format!("/conversations/{id}/messages");
    let long = CANARY.repeat(300);
    let cases: Vec<(&str, String)> = vec![
        ("/auth/refresh", format!("{token:?}")),
        ("/auth/refresh", format!("{{ {token:?}: 1 }}")),
        ("/auth/refresh", format!(r#"{{ "refresh_token": [{token:?}] }}"#)),
        ("/auth/logout", format!("{token:?}")),
        ("/auth/login", format!("{CANARY:?}")),
        ("/auth/login", json!({ "username": CANARY, "password": { CANARY: 1 } }).to_string()),
        ("/auth/login", json!({ "username": CANARY, "password": "x" }).to_string()),
        ("/auth/login", format!(r#"{{ "password": {CANARY:?}, "password": {CANARY:?} }}"#)),
        ("/auth/login", format!(r#"{{ "username": "ada", "password": {CANARY:?} "#)),
        ("/auth/login", json!({ "username": "ada", "password": CANARY }).to_string()),
        ("/auth/login", json!({ "username": "ada", "password": long }).to_string()),
        (
            "/auth/register",
            json!({ "username": format!("{CANARY} é") , "password": CANARY }).to_string(),
        ),
        ("/auth/register", json!({ "username": "ada", "password": CANARY }).to_string()),
        (
            "/users/me/password",
            json!({ "current_password": CANARY, "new_password": CANARY }).to_string(),
        ),
        ("/users/me/password", json!({ "current_password": CANARY, CANARY: 1 }).to_string()),
        ("/conversations", json!({ "kind": CANARY, "participant_ids": [] }).to_string()),
        ("/conversations", json!({ "kind": "group", "title": [CANARY] }).to_string()),
        ("/conversations", json!({ "kind": "group", "participant_ids": [CANARY] }).to_string()),
        (&messages, send("reply_to_seq", json!(CANARY))),
        (&messages, send("client_msg_id", json!(CANARY))),
        (&messages, send("body", json!([CANARY]))),
        (&messages, send("body", json!(CANARY.repeat(1_000)))),
        (&messages, send(CANARY, json!(1))),
        (&messages, format!("{CANARY:?}")),
        (&messages, CANARY.into()),
        ("/sync", json!({ "cursors": { CANARY: 1 } }).to_string()),
    ];
    let count = cases.len();
    for (path, body) in cases {
        let request = ada.request(Method::POST, path).header("content-type", "application/json");
        let answer = ada.run(request.body(body.clone())).await;
        assert!(answer.status.is_client_error(), "{path} {body}: {}", answer.body);
    }
    count
}

/// Paths and queries with a canary; how many were refused.
async fn bad_addresses(ada: &Person, id: ConversationId) -> usize {
    let paths = [
        format!("/users/{CANARY}"),
        format!("/conversations/{CANARY}"),
        format!("/conversations/{id}/messages?before={CANARY}"),
        format!("/conversations/{id}/messages?{CANARY}=1"),
        format!("/conversations?after={CANARY}"),
        format!("/conversations?limit={CANARY}"),
        format!("/users?query={}", CANARY.repeat(9)),
    ];
    for path in &paths {
        let answer = ada.get(path).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.body);
    }
    for (method, path) in [
        (Method::DELETE, format!("/devices/{CANARY}")),
        (Method::DELETE, format!("/conversations/{id}/messages/{CANARY}")),
        (Method::DELETE, format!("/conversations/{id}/participants/{CANARY}")),
        (Method::GET, format!("/{CANARY}")),
        (Method::PUT, format!("/users/{CANARY}")),
        (Method::from_bytes(CANARY.as_bytes()).unwrap(), "/users/me".into()),
    ] {
        ada.run(ada.request(method, &path)).await;
    }
    paths.len()
}

async fn bad_headers(base: &str) {
    let api = Api::new(base);
    for (name, value) in [
        ("authorization", CANARY.to_owned()),
        ("authorization", format!("Bearer {CANARY}")),
        ("cookie", format!("parley_refresh={CANARY}; {CANARY}={CANARY}")),
        ("origin", format!("https://{CANARY}.example")),
        ("content-type", CANARY.to_owned()),
        ("content-encoding", CANARY.to_owned()),
        ("user-agent", CANARY.to_owned()),
        ("x-forwarded-for", CANARY.to_owned()),
        ("traceparent", CANARY.to_owned()),
    ] {
        for path in ["/auth/refresh", "/auth/logout", "/users/me"] {
            let request = api.request(Method::POST, path).header(name, &value);
            let answer = api.run(request.body(format!("{CANARY:?}"))).await;
            assert!(answer.status.is_client_error(), "{name} {path}: {}", answer.body);
        }
    }
}

async fn bad_tokens(base: &str, ada: &Person) {
    let token = ada.token.as_deref().unwrap();
    let headers = |value: String| HashMap::from([("authorization", value)]);
    for query in [
        format!("?token={CANARY}"),
        format!("?token={token}.{CANARY}"),
        format!("?token={}", ada.refresh_token),
        format!("?{CANARY}={token}"),
        format!("?token={token}&{CANARY}"),
    ] {
        assert!(open_with(base, &query, HashMap::new()).await.is_err(), "{query}");
    }
    assert!(open_with(base, "", headers(format!("Basic {CANARY}"))).await.is_err());
    open_with(base, &format!("?token={token}"), HashMap::new()).await.unwrap();
}

/// Frames on an open socket: those that are answered, and those that end it;
/// how many did.
async fn bad_frames(ada: &Person, id: ConversationId) -> usize {
    let mut device = ada.connect().await;
    for (kind, payload) in [
        ("message.send", json!({ "conversation_id": id, "body": CANARY, "reply_to_seq": CANARY })),
        ("message.send", json!({ "conversation_id": CANARY })),
        ("message.edit", json!({ "conversation_id": id, "seq": CANARY, "body": CANARY })),
        ("message.edit", json!({ "conversation_id": id, "seq": 99, "body": CANARY })),
        ("auth.renew", json!({ "access_token": CANARY })),
        ("auth.renew", json!({ CANARY: 1 })),
        ("auth.renew", json!(CANARY)),
        ("presence.set", json!({ "status": CANARY })),
    ] {
        assert!(device.ask(kind, payload.clone()).await.is_err(), "{kind} {payload}");
    }
    let bad = [
        CANARY.to_owned(),
        format!("{CANARY:?}"),
        json!({ "type": CANARY }).to_string(),
        json!({ "type": [CANARY] }).to_string(),
        json!({ "type": "ping", "id": [CANARY] }).to_string(),
        json!({ "type": "ping", "id": CANARY.repeat(9) }).to_string(),
        json!({ "type": "ping", CANARY: 1 }).to_string(),
        format!(r#"{{ "type": "message.send", "payload": {{ "body": {CANARY:?} "#),
    ];
    for frame in &bad {
        let mut device = ada.connect().await;
        device.socket.send(Raw::text(frame.clone())).await.unwrap();
        device.ended().await;
    }
    let mut binary = ada.connect().await;
    binary.socket.send(Raw::binary(CANARY)).await.unwrap();
    binary.ended().await;
    bad.len()
}

/// A socket's first frame: with a token, where the token should be, and where
/// `hello` should be.
async fn bad_first_frames(base: &str, ada: &Person) {
    let authenticate = |token: &str| {
        json!({ "type": "authenticate", "payload": { "access_token": token } }).to_string()
    };
    let first = [
        CANARY.to_owned(),
        json!({ "type": "authenticate", "payload": CANARY }).to_string(),
        authenticate(CANARY),
        authenticate(&ada.refresh_token),
    ];
    for frame in first {
        let mut socket = open_with(base, "", HashMap::new()).await.unwrap();
        socket.send(Raw::text(frame)).await.unwrap();
        let ended = async { while let Some(Ok(_)) = socket.next().await {} };
        timeout(SOON, ended).await.expect("it ends");
    }
    for hello in [
        CANARY.to_owned(),
        json!({ "type": "hello", "payload": { "cursors": { CANARY: 1 } } }).to_string(),
        json!({ "type": "hello", "payload": { "cursors": {}, "client": CANARY.repeat(9) } })
            .to_string(),
    ] {
        let mut socket = open(ada).await.unwrap();
        socket.send(Raw::text(hello)).await.unwrap();
        let ended = async { while let Some(Ok(_)) = socket.next().await {} };
        timeout(SOON, ended).await.expect("it ends");
    }
}
