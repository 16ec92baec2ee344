//! Input that nobody should send: each is refused with a stable code, quickly,
//! and never with a failure of ours.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parley::model::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    client::{Answer, Api, Person},
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    json_that_is_none_is_refused_at_once,
    fields_that_are_not_the_callers_are_refused,
    texts_keep_their_limits,
    odd_texts_are_stored_as_they_are,
    numbers_and_ids_out_of_range_are_no_failure_of_ours,
    forged_page_cursors_are_refused,
    bodies_have_a_type_and_a_size,
    conversations_that_cannot_be_are_refused,
];

/// Refusing takes no work: a few times what a busy machine needs.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Somebody in a group of theirs.
async fn ada(cluster: &Cluster) -> (Person, ConversationId) {
    let ada = cluster.register("ada").await;
    let id = ada.group("Group", &[]).await.id;
    (ada, id)
}

async fn raw(api: &Api, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = api.request(method, path).header("content-type", "application/json");
    api.run(request.body(body)).await
}

async fn json_that_is_none_is_refused_at_once(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, id) = ada(&cluster).await;
    let key = ClientMessageId::new();
    let message = |rest: &str| format!(r#"{{"client_msg_id":"{key}","body":"hello"{rest}}}"#);
    let deep = |n: usize| "[".repeat(n);
    let bad = [
        String::new(),
        "{".into(),
        "null".into(),
        "[]".into(),
        deep(60_000),
        format!("{}{}", deep(20_000), "]".repeat(20_000)),
        r#"{"a":"#.repeat(10_000),
        message(r#","extra":1"#),
        message(r#","body":"twice""#),
        message(r#","reply_to_seq":{"seq":1,"seq":1}"#),
        message(r#","reply_to_seq":"1""#),
        message(r#","reply_to_seq":1.5"#),
        message(r#","reply_to_seq":1e999"#),
        message(r#","reply_to_seq":9223372036854775808"#),
        message(" x"),
        format!("{} x", message("")),
        format!("{}{}", message(""), message("")),
        format!(r#"{{"client_msg_id":"{key}"}}"#),
        format!(r#"{{"client_msg_id":"{key}","body":null}}"#),
        format!(r#"{{"client_msg_id":"{key}","body":1}}"#),
        format!(r#"{{"client_msg_id":"{key}","body":"a\u0000b"}}"#),
        format!(r#"{{"client_msg_id":"{key}","body":"\ud800"}}"#),
        r#"{"client_msg_id":"not a uuid","body":"hello"}"#.into(),
        r#"{"client_msg_id":1,"body":"hello"}"#.into(),
    ];
    let path = format!("/conversations/{id}/messages");
    for body in bad {
        let began = Instant::now();
        let shown: String = body.chars().take(80).collect();
        let answer = raw(&ada, Method::POST, &path, body).await;
        assert_eq!(answer.refused(400), "invalid_request", "{shown}");
        assert!(began.elapsed() < AT_ONCE, "{shown} took {:?}", began.elapsed());
    }
    let invalid_utf8 = b"{\"client_msg_id\":\"0\",\"body\":\"\xff\"}".to_vec();
    let answer = raw(&ada, Method::POST, &path, invalid_utf8).await;
    assert_eq!(answer.refused(400), "invalid_request");
    // Larger than any body of ours: refused by its size, as deep as it is.
    let answer = raw(&ada, Method::POST, &path, deep(100_000)).await;
    assert_eq!(answer.refused(413), "payload_too_large");
    assert_eq!(ada.conversation(id).await.last_seq, 1, "none of them was stored");
}

async fn fields_that_are_not_the_callers_are_refused(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, id) = ada(&cluster).await;
    let bo = cluster.register("bo").await;
    let path = format!("/conversations/{id}");
    let extras = [
        ("sender_id", json!(bo.id())),
        ("seq", json!(1)),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("id", json!(EventId::new())),
        ("kind", json!("system")),
        ("system", json!({ "event": "created" })),
        ("role", json!("owner")),
        ("updated_seq", json!(9)),
    ];
    let requests = [
        (
            Method::POST,
            format!("{path}/messages"),
            json!({ "client_msg_id": ClientMessageId::new(), "body": "x" }),
        ),
        (Method::PATCH, format!("{path}/messages/1"), json!({ "body": "x" })),
        (Method::PATCH, format!("{path}/me"), json!({ "muted": true })),
        (Method::POST, format!("{path}/participants"), json!({ "user_ids": [bo.id()] })),
        (Method::PATCH, path.clone(), json!({ "title": "x" })),
        (Method::PATCH, "/users/me".into(), json!({ "display_name": "x" })),
        (Method::POST, "/sync".into(), json!({ "cursors": {} })),
    ];
    for (method, path, body) in &requests {
        for (name, value) in &extras {
            let mut body = body.clone();
            body[*name] = value.clone();
            let answer = raw(&ada, method.clone(), path, body.to_string()).await;
            assert_eq!(answer.refused(400), "invalid_request", "{method} {path} {body}");
        }
    }
    let mut device = ada.connect().await;
    let mut payload =
        json!({ "conversation_id": id, "client_msg_id": ClientMessageId::new(), "body": "x" });
    payload["sender_id"] = json!(bo.id());
    let refused = device.ask("message.send", payload).await.unwrap_err();
    assert_eq!(refused.code, "invalid_request");
    assert_eq!(ada.conversation(id).await.last_seq, 1);
}

async fn texts_keep_their_limits(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, id) = ada(&cluster).await;
    let path = format!("/conversations/{id}");
    let send = async |body: &str| {
        let body = json!({ "client_msg_id": ClientMessageId::new(), "body": body });
        ada.post(&format!("{path}/messages"), body).await
    };
    // Four bytes each: the most characters are also within the most bytes.
    let longest = "𝄞".repeat(4_000);
    let said: Message = send(&longest).await.ok();
    assert_eq!(said.body.as_deref(), Some(longest.as_str()));
    for body in
        ["", " ", "\n\t \u{3000}", &"x".repeat(4_001), &"𝄞".repeat(4_001), &"x".repeat(17_000)]
    {
        let answer = send(body).await;
        assert_eq!(answer.refused(422), "invalid_field");
        assert_eq!(answer.body["field"], "body");
        let edit =
            ada.patch(&format!("{path}/messages/{}", said.seq), json!({ "body": body })).await;
        assert_eq!(edit.refused(422), "invalid_field");
    }
    for title in ["", "  ", &"t".repeat(121), "two\nlines", "bell\u{7}"] {
        let answer = ada.patch(&path, json!({ "title": title })).await;
        assert_eq!(answer.refused(422), "invalid_field", "{title:?}");
        assert_eq!(answer.body["field"], "title");
    }
    let title: Conversation = ada.patch(&path, json!({ "title": "t".repeat(120) })).await.ok();
    assert_eq!(title.title.map(|title| title.len()), Some(120));
    let reply = json!({ "client_msg_id": ClientMessageId::new(), "body": "x", "reply_to_seq": 99 });
    for reply_to in [99, 0, -1, i64::MAX, i64::MIN] {
        let mut reply = reply.clone();
        reply["reply_to_seq"] = json!(reply_to);
        let answer = ada.post(&format!("{path}/messages"), reply).await;
        assert_eq!(answer.refused(422), "invalid_field", "{reply_to}");
        assert_eq!(answer.body["field"], "reply_to_seq");
    }
    // The preview of a list is cut; the message is not.
    let view = ada.conversation(id).await;
    let preview = view.last_message.and_then(|m| m.body).unwrap_or_default();
    assert!(preview.chars().count() <= 200, "{}", preview.chars().count());
}

async fn odd_texts_are_stored_as_they_are(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, id) = ada(&cluster).await;
    let marks = format!("e{}", "\u{301}".repeat(3_900));
    for body in [
        "'; drop table messages; --",
        "\" or 1=1 --",
        "$1 ? :name %s {} \\",
        "%_%",
        "<script>alert(1)</script>",
        "\u{202e}gnitirw tfel-ot-thgir\u{202c}",
        "line\r\nbreak\u{1b}[31m",
        "\u{feff}\u{200b}x\u{fffe}",
        &marks,
    ] {
        let said = ada.say(id, body).await;
        let page: History = ada.get(&format!("/conversations/{id}/messages?limit=1")).await.ok();
        assert_eq!(
            (page.messages[0].seq, page.messages[0].body.as_deref()),
            (said.seq, Some(body))
        );
    }
    for query in ["'", "%25", "_", "\\", "a'%20or%20'1'='1", "%22", "*", "%F0%9D%84%9E"] {
        let found = ada.get(&format!("/users?query={query}")).await;
        assert!(found.ok::<Page<User>>().items.is_empty(), "{query}");
    }
    for query in ["", "%20", "%00", "a%00", &"x".repeat(65), &"x".repeat(3_000)] {
        let answer = ada.get(&format!("/users?query={query}")).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{query} {}", answer.body);
    }
}

async fn numbers_and_ids_out_of_range_are_no_failure_of_ours(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, id) = ada(&cluster).await;
    let path = format!("/conversations/{id}");
    const MAX: i64 = i64::MAX;
    for query in [
        format!("before={MAX}"),
        format!("after={MAX}"),
        format!("around={MAX}"),
        format!("around={}", MAX - 1),
        "before=0".into(),
        "after=0&limit=1000000".into(),
        "around=0&limit=1".into(),
    ] {
        let page = ada.get(&format!("{path}/messages?{query}")).await;
        assert!(page.ok::<History>().messages.len() <= 1, "{query}");
    }
    for query in [
        "limit=0",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=99999999999999999999",
        "limit=",
        "before=x",
        "before=-1",
        "after=-9223372036854775808",
        "around=9223372036854775808",
        "before=1&after=1",
        "before=1&around=1",
        "before=1&before=2",
        "offset=1",
    ] {
        let answer = ada.get(&format!("{path}/messages?{query}")).await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 422),
            "{query}: {} {}",
            answer.status,
            answer.body
        );
        answer.refused(answer.status.as_u16());
    }
    for path in ["/conversations?limit=0", "/users?query=a&limit=0", "/users?query=a&limit=-5"] {
        assert_eq!(ada.get(path).await.refused(422), "invalid_field", "{path}");
    }
    for path in [
        "/conversations/x",
        "/conversations/0",
        "/conversations/%00",
        "/users/me2",
        "/conversations/00000000-0000-0000-0000-00000000000g",
        "/users/'",
        "/devices/x",
    ] {
        let method = if path.starts_with("/devices") { Method::DELETE } else { Method::GET };
        let answer = ada.run(ada.request(method, path)).await;
        assert_eq!(answer.refused(400), "invalid_request", "{path}");
    }
    for seq in ["x", "1.0", "9223372036854775808", "0x1"] {
        let answer = ada.delete(&format!("{path}/messages/{seq}")).await;
        assert_eq!(answer.refused(400), "invalid_request", "{seq}");
    }
    let read: ReadAck = ada.post(&format!("{path}/read"), json!({ "seq": MAX })).await.ok();
    assert_eq!(read.last_read_seq, 1);
    assert_eq!(
        ada.post(&format!("{path}/read"), json!({ "seq": i64::MIN })).await.refused(422),
        "invalid_field"
    );
    for seq in [MAX, i64::MIN, -1, 2] {
        for event_id in [json!(null), json!(EventId::new())] {
            let cursor = json!({ id.to_string(): { "seq": seq, "event_id": event_id } });
            let sync: SyncResponse = ada.post("/sync", json!({ "cursors": cursor })).await.ok();
            assert_eq!(sync.conversations[0].status, SyncStatus::Reset, "{seq}");
        }
    }
    for cursors in
        [json!({ "x": { "seq": 1, "event_id": null } }), json!({ id.to_string(): {} }), json!([])]
    {
        let answer = ada.post("/sync", json!({ "cursors": cursors })).await;
        assert_eq!(answer.refused(400), "invalid_request");
    }
    let many: serde_json::Map<_, _> = (0..501)
        .map(|_| (ConversationId::new().to_string(), json!({ "seq": 1, "event_id": null })))
        .collect();
    assert_eq!(ada.post("/sync", json!({ "cursors": many })).await.refused(422), "invalid_field");
}

async fn forged_page_cursors_are_refused(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, id) = ada(&cluster).await;
    let encode = |key: Value| URL_SAFE_NO_PAD.encode(key.to_string());
    let forged = [
        "x".to_owned(),
        "%".to_owned(),
        "AAAA".to_owned(),
        "x".repeat(600),
        encode(json!(null)),
        encode(json!([])),
        encode(json!({ "a": 1 })),
        encode(json!("a\0b")),
        encode(json!(["+262142-01-01T00:00:00Z", id])),
        encode(json!(["-262143-01-01T00:00:00Z", id])),
        encode(json!([i64::MAX, id])),
        encode(json!([i64::MIN, id])),
    ];
    for path in [
        "/conversations?after=".to_owned(),
        "/users?query=a&after=".to_owned(),
        format!("/conversations/{id}/participants?after="),
    ] {
        for cursor in &forged {
            let answer = ada.get(&format!("{path}{cursor}")).await;
            // Some are well formed for one of the lists: then they page.
            let fine = answer.status.as_u16() == 200;
            assert!(fine || answer.refused(400).starts_with("invalid_"), "{path}{cursor}");
        }
        let nonsense = ada.get(&format!("{path}AAAA")).await;
        assert_eq!(nonsense.refused(400), "invalid_cursor");
    }
}

async fn bodies_have_a_type_and_a_size(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, id) = ada(&cluster).await;
    let path = format!("/conversations/{id}/messages");
    let body = json!({ "client_msg_id": ClientMessageId::new(), "body": "hello" }).to_string();
    let typed = async |kind: Option<&str>, coding: Option<&str>| {
        let mut request = ada.request(Method::POST, &path).body(body.clone());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        if let Some(coding) = coding {
            request = request.header("content-encoding", coding);
        }
        ada.run(request).await
    };
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data"),
        Some("application/jsonx"),
        Some("application/json; charset=latin1"),
        Some("nonsense"),
    ] {
        assert_eq!(typed(kind, None).await.refused(415), "unsupported_media_type", "{kind:?}");
    }
    for coding in ["gzip", "br", "deflate", "identity, gzip"] {
        let answer = typed(Some("application/json"), Some(coding)).await;
        assert_eq!(answer.refused(415), "unsupported_media_type", "{coding}");
    }
    assert!(typed(Some("application/json; charset=utf-8"), None).await.status.is_success());
    for bytes in [64 * 1024 + 1, 300 * 1024, 3 * 1024 * 1024] {
        let answer = raw(&ada, Method::POST, &path, " ".repeat(bytes)).await;
        assert_eq!(answer.refused(413), "payload_too_large", "{bytes}");
    }
}

async fn conversations_that_cannot_be_are_refused(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, _) = ada(&cluster).await;
    let (bo, cy) = (cluster.register("bo").await, cluster.register("cy").await);
    let nobody = UserId::new();
    let many: Vec<_> = (0..101).map(|_| UserId::new()).collect();
    let direct = |ids: Value| json!({ "kind": "direct", "participant_ids": ids });
    let mut titled = direct(json!([bo.id()]));
    titled["title"] = json!("Us");
    let mut named = direct(json!([bo.id()]));
    named["client_id"] = json!(ClientId::new());
    for body in [
        direct(json!([])),
        direct(json!([bo.id(), cy.id()])),
        direct(json!([ada.id()])),
        direct(json!([nobody])),
        titled,
        named,
        json!({ "kind": "group", "participant_ids": [] }),
        json!({ "kind": "group", "title": "", "participant_ids": [] }),
        json!({ "kind": "group", "title": "G", "participant_ids": [bo.id(), nobody] }),
        json!({ "kind": "group", "title": "G", "participant_ids": many }),
    ] {
        assert_eq!(
            ada.post("/conversations", body.clone()).await.refused(422),
            "invalid_field",
            "{body}"
        );
    }
    for body in [
        json!({ "kind": "channel", "title": "G", "participant_ids": [] }),
        json!({ "kind": "group", "title": "G" }),
        json!({ "kind": "group", "title": "G", "participant_ids": ["x"] }),
        json!({ "kind": "group", "title": "G", "participant_ids": [], "created_by": bo.id() }),
    ] {
        assert_eq!(
            ada.post("/conversations", body.clone()).await.refused(400),
            "invalid_request",
            "{body}"
        );
    }
    assert_eq!(ada.get("/conversations").await.ok::<Page<Conversation>>().items.len(), 1);
}
