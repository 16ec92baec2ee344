//! What a frame may be, how it is answered, and what ends the connection.

use std::collections::HashMap;

use futures_util::{SinkExt, StreamExt};
use parley::model::*;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Bytes, Message as Raw};

use crate::support::{
    client::{Device, Ended, Person, open, open_with},
    cluster::{Cluster, Database},
    limits,
};

crate::on_both_databases![
    the_first_frame_may_authenticate,
    a_first_frame_that_does_not_authenticate_ends_it,
    hello_comes_first_and_once,
    what_is_no_frame_ends_the_connection,
    a_frame_has_at_most_64_kib,
    a_wrong_payload_is_answered_and_the_socket_lives_on,
    a_ping_is_answered_by_a_pong_with_its_id,
    a_flood_ends_the_connection_and_not_its_neighbours,
    compression_is_not_negotiated,
];

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn bare(cluster: &Cluster) -> Socket {
    open_with(cluster.url(), "", HashMap::new()).await.expect("the socket opens")
}

async fn write(socket: &mut Socket, frame: Value) {
    socket.send(Raw::text(frame.to_string())).await.expect("the socket takes a frame");
}

/// The next frame, or the code the socket closed with.
async fn read(socket: &mut Socket) -> Result<Value, u16> {
    let next = tokio::time::timeout(limits::SOON, async {
        loop {
            match socket.next().await {
                Some(Ok(Raw::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Raw::Close(Some(close)))) => return Err(close.code.into()),
                Some(Ok(Raw::Ping(_) | Raw::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    next.await.expect("a frame in time")
}

async fn ends(mut device: Device, code: u16, what: &str) {
    assert_eq!(device.ended().await, Ended::Closed(code), "{what}");
}

async fn pongs(device: &mut Device) {
    let id = device.post("ping", json!({})).await;
    let pong = device.until(|frame| match frame {
        ServerFrame::Pong { id: Some(FrameId::Number(n)), .. } => Some(*n),
        _ => None,
    });
    assert_eq!(pong.await, id);
}

fn authenticate(person: &Person) -> Value {
    json!({ "type": "authenticate", "id": "a", "payload": { "access_token": person.token } })
}

async fn the_first_frame_may_authenticate(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let mut socket = bare(&cluster).await;
    write(&mut socket, authenticate(&ada)).await;
    let ack = read(&mut socket).await.unwrap();
    assert_eq!(ack, json!({ "type": "ack", "id": "a", "payload": {} }));
    let mut device = Device::over(socket).await;
    assert_eq!((device.ready.user.id, device.ready.device), (ada.id(), ada.device));
    assert_eq!(
        (device.ready.heartbeat_interval_ms, device.ready.max_frame_bytes),
        (25_000, 65_536)
    );
    device.hello(Cursors::new()).await;
    pongs(&mut device).await;
}

async fn a_first_frame_that_does_not_authenticate_ends_it(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    for frame in [
        json!({ "type": "ping", "payload": {} }),
        json!({ "type": "hello", "payload": { "cursors": {} } }),
        json!({ "type": "authenticate", "payload": {} }),
        json!({ "type": "nonsense" }),
    ] {
        let mut socket = bare(&cluster).await;
        write(&mut socket, frame.clone()).await;
        assert_eq!(read(&mut socket).await, Err(4400), "{frame}");
    }
    let refused = async |token: Option<&str>, error: &str, code: u16| {
        let mut socket = bare(&cluster).await;
        let payload = json!({ "access_token": token });
        write(&mut socket, json!({ "type": "authenticate", "id": 1, "payload": payload })).await;
        let answer = read(&mut socket).await.unwrap();
        assert_eq!((&answer["type"], &answer["id"]), (&json!("error"), &json!(1)));
        assert_eq!(answer["payload"]["code"], error);
        assert_eq!(read(&mut socket).await, Err(code));
    };
    refused(Some("x"), "unauthenticated", 4403).await;
    let ticket: Value = ada.post("/auth/ticket", json!({})).await.ok();
    refused(ticket["ticket"].as_str(), "unauthenticated", 4403).await;
    cluster.replicas[0].clock.advance(std::time::Duration::from_secs(17 * 60));
    refused(ada.token.as_deref(), "token_expired", 4401).await;
}

async fn hello_comes_first_and_once(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let hello = |cursors: usize, client: &str| {
        let cursors: serde_json::Map<_, _> = (0..cursors)
            .map(|_| (ConversationId::new().to_string(), json!({ "seq": 1, "event_id": null })))
            .collect();
        json!({ "type": "hello", "payload": { "cursors": cursors, "client": client } })
    };
    for frame in [
        hello(501, "test"),
        hello(0, &"c".repeat(65)),
        json!({ "type": "ping", "payload": {} }),
        authenticate(&ada),
        json!({ "type": "hello", "payload": { "cursors": [] } }),
    ] {
        let mut device = Device::over(open(&ada).await.unwrap()).await;
        device.write(&frame).await;
        ends(device, 4400, &format!("{frame:.60}")).await;
    }
    let mut device = Device::over(open(&ada).await.unwrap()).await;
    device.write(&hello(500, "test/1.0")).await;
    let removed = async {
        let mut removed = 0;
        loop {
            match device.next().await {
                ServerFrame::ConversationRemoved { .. } => removed += 1,
                ServerFrame::Live { .. } => return removed,
                _ => {}
            }
        }
    };
    assert_eq!(removed.await, 500);
    device.write(&hello(0, "again")).await;
    ends(device, 4400, "a second hello").await;
}

async fn what_is_no_frame_ends_the_connection(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let deep = format!(r#"{{"type":"ping","payload":{}"#, "[".repeat(60_000));
    let long = format!(r#"{{"type":"ping","id":"{}"}}"#, "i".repeat(65));
    for text in [
        "",
        "{",
        "[]",
        "null",
        r#"{"type":"nonsense","payload":{}}"#,
        r#"{"type":"message.new","payload":{}}"#,
        r#"{"payload":{}}"#,
        r#"{"type":"ping"} x"#,
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"ping","seq":1}"#,
        r#"{"type":"ping","id":1.5}"#,
        &deep,
        &long,
    ] {
        let mut device = ada.connect().await;
        device.socket.send(Raw::text(text)).await.unwrap();
        ends(device, 4400, &format!("{text:.60}")).await;
    }
    let mut device = ada.connect().await;
    device.socket.send(Raw::binary(Bytes::from_static(b"{\"type\":\"ping\"}"))).await.unwrap();
    ends(device, 4400, "binary").await;
}

async fn a_frame_has_at_most_64_kib(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let padded = |bytes: usize| {
        let mut text = r#"{"type":"ping","id":7,"payload":{}}"#.to_owned();
        text.push_str(&" ".repeat(bytes - text.len()));
        Raw::text(text)
    };
    let mut device = ada.connect().await;
    device.socket.send(padded(64 * 1024)).await.unwrap();
    assert!(matches!(device.next().await, ServerFrame::Pong { id: Some(FrameId::Number(7)), .. }));
    // The peer may be gone before it has taken the last byte.
    let _ = device.socket.send(padded(64 * 1024 + 1)).await;
    ends(device, 1009, "one byte more").await;
}

async fn a_wrong_payload_is_answered_and_the_socket_lives_on(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let id = ada.group("Group", &[]).await.id;
    let mut device = ada.connect().await;
    let key = ClientMessageId::new();
    let send = |body: Value| json!({ "conversation_id": id, "client_msg_id": key, "body": body });
    let many: Vec<_> = (0..201).map(|_| UserId::new()).collect();
    for (kind, payload, code) in [
        ("message.send", json!({}), "invalid_request"),
        ("message.send", json!([]), "invalid_request"),
        ("message.send", send(json!(1)), "invalid_request"),
        ("message.send", send(json!("")), "invalid_field"),
        ("message.send", send(json!("x".repeat(4_001))), "invalid_field"),
        ("message.send", send(json!("a\0b")), "invalid_field"),
        ("message.edit", json!({ "conversation_id": id, "seq": 1, "body": "x" }), "forbidden"),
        ("message.edit", json!({ "conversation_id": id, "seq": 99, "body": "x" }), "not_found"),
        ("message.delete", json!({ "conversation_id": id, "seq": "1" }), "invalid_request"),
        ("conversation.read", json!({ "conversation_id": id, "seq": -1 }), "invalid_field"),
        ("conversation.read", json!({ "conversation_id": "x", "seq": 1 }), "invalid_request"),
        ("user.typing", json!({ "conversation_id": id, "typing": "yes" }), "invalid_request"),
        ("presence.set", json!({ "status": "offline" }), "invalid_request"),
        ("presence.watch", json!({ "user_ids": many }), "invalid_field"),
        ("ping", json!({ "extra": 1 }), "invalid_request"),
    ] {
        let refused = device.ask(kind, payload).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.retryable), (code, false), "{kind}");
        assert!(!refused.message.is_empty());
    }
    // Without an id the answer has none.
    device.write(&json!({ "type": "presence.set", "payload": {} })).await;
    assert!(matches!(device.next().await, ServerFrame::Error { id: None, .. }));
    assert_eq!(device.send(id, "still here").await.seq, 2);
}

async fn a_ping_is_answered_by_a_pong_with_its_id(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let mut device = ada.connect().await;
    for id in [json!(0), json!(-1), json!(i64::MAX), json!("a"), json!("i".repeat(64)), json!(null)]
    {
        device.write(&json!({ "type": "ping", "id": id, "payload": {} })).await;
        match device.next().await {
            ServerFrame::Pong { id: answered, .. } => assert_eq!(json!(answered), id),
            other => panic!("{other:?}"),
        }
    }
    device.write(&json!({ "type": "ping" })).await;
    assert!(matches!(device.next().await, ServerFrame::Pong { id: None, .. }));
}

async fn a_flood_ends_the_connection_and_not_its_neighbours(database: Database) {
    let cluster = Cluster::configured(database, 1, |config| config.rate_limits = true).await;
    let ada = cluster.register("ada").await;
    let bo = cluster.register("bo").await;
    let (mut flooding, mut neighbour) = (ada.connect().await, bo.connect().await);
    for _ in 0..500 {
        let ping = Raw::text(r#"{"type":"ping"}"#);
        if flooding.socket.feed(ping).await.is_err() {
            break;
        }
    }
    let _ = flooding.socket.flush().await;
    assert_eq!(flooding.ended().await, Ended::Closed(4429));
    pongs(&mut neighbour).await;
    // Who comes back slower is served.
    pongs(&mut ada.connect().await).await;
}

async fn compression_is_not_negotiated(database: Database) {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let url = format!("{}/ws", cluster.url().replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    let bearer = format!("Bearer {}", ada.token.as_deref().unwrap());
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let offer = "permessage-deflate; client_max_window_bits".parse().unwrap();
    request.headers_mut().insert("sec-websocket-extensions", offer);
    let (_, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert!(!answer.headers().contains_key("sec-websocket-extensions"));
}
