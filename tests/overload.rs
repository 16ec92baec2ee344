//! What readers that stall, and floods, cost a real process: memory with a
//! bound, and nobody else's time.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt, future::join_all};
use parley::model::*;
use serde_json::json;
use tempfile::tempdir;
use tokio::{net::TcpSocket, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message as Raw, client::IntoClientRequest},
};

use crate::support::{
    client::{Device, Person, open},
    eventually,
    limits::{PROCESS, SOON},
    process::Serving,
};

const STALLED: usize = 20;
/// What one stalled reader may cost, in KiB; and what fails the test.
const TARGET_KIB: u64 = 512;
const LIMIT_KIB: u64 = 3 * TARGET_KIB;
/// Frames sent before their answers are read.
const AT_ONCE: usize = 32;
/// What a flood may add to a small replica, in KiB.
const FLOOD_KIB: u64 = 128 * 1024;

/// About 12 KB in as many characters as a message may have.
fn large(n: usize) -> String {
    format!("{n} {}", "\u{6f22}".repeat(3_900))
}

/// A device that says hello and never reads anything; its side of the
/// connection holds as little as the system allows.
async fn stalled(person: &Person) -> WebSocketStream<tokio::net::TcpStream> {
    let address = person.base.strip_prefix("http://").unwrap().parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    let bearer = format!("Bearer {}", person.token.as_deref().unwrap());
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let hello = json!({ "type": "hello", "payload": { "cursors": {} } });
    socket.send(Raw::text(hello.to_string())).await.unwrap();
    socket
}

/// Says large things, as fast as one socket goes.
async fn flood(device: &mut Device, id: ConversationId, count: usize) -> Seq {
    let mut last = 0;
    for some in (0..count).collect::<Vec<_>>().chunks(AT_ONCE) {
        let mut asked = 0;
        for n in some {
            let key = ClientMessageId::new();
            let payload = json!({ "conversation_id": id, "client_msg_id": key, "body": large(*n) });
            asked = device.post("message.send", payload).await;
        }
        match device.answer(asked).await {
            Ok(Ack::Sent(ack)) => last = ack.seq,
            other => panic!("{other:?}"),
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_reader_costs_little_and_slows_nobody() {
    const MESSAGES: usize = 640;
    let stalled_timeout = Duration::from_secs(5);
    let folder = tempdir().unwrap();
    let arguments = ["--rate-limits=off", "--stalled-timeout=5s"];
    let replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let bo = Person::register(&replica.public, "bo").await;
    let id = ada.group("Busy", &[&bo]).await.id;
    let mut sender = ada.connect().await;

    // What the flood itself takes, and what the first readers make that all
    // share: not theirs.
    let mut healthy = async |stalled: usize| {
        let mut reader = bo.connect().await;
        let read = tokio::spawn(async move {
            let mut next = None;
            for _ in 0..MESSAGES {
                let seq = reader.message(id).await.seq;
                assert!(next.is_none_or(|next| next == seq), "in order, without a hole");
                next = Some(seq + 1);
            }
            next.unwrap() - 1
        });
        let begun = Instant::now();
        let last = flood(&mut sender, id, MESSAGES).await;
        assert_eq!(timeout(SOON, read).await.expect("in time").unwrap(), last);
        let took = begun.elapsed();
        println!("{MESSAGES} messages beside {stalled} stalled readers: {took:?}");
        took
    };
    let before = healthy(0).await.max(healthy(0).await);
    let (_, alone) = replica.memory();

    let readers = join_all((0..STALLED).map(|_| stalled(&bo))).await;
    let open =
        async || (replica.counted("parley_handshake_seconds_count").await >= 23.0).then_some(());
    eventually("all are live", SOON, open).await;
    let begun = Instant::now();
    let during = healthy(STALLED).await;
    assert_eq!(replica.counted("parley_slow_consumer_closes").await, 0.0, "while they stalled");
    let (_, peak) = replica.memory();
    let each = peak.saturating_sub(alone) / STALLED as u64;
    println!(
        "a stalled reader costs {each} KiB (target {TARGET_KIB}); {before:?} became {during:?}"
    );
    assert!(each <= LIMIT_KIB, "{each} KiB each");
    assert!(during < before * 3 + Duration::from_secs(1), "the others are served as before");

    let closed = async || {
        let closed = replica
            .counted("parley_connections_closed_total{cause=\"too_slow\",code=\"4408\"}")
            .await;
        (closed == STALLED as f64).then_some(())
    };
    eventually("all that stalled are closed", PROCESS, closed).await;
    println!("closed after {:?} (stalled_timeout {stalled_timeout:?})", begun.elapsed());
    assert!(begun.elapsed() < stalled_timeout * 3 + during);
    drop(readers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stalled_and_wakes_is_told_why_it_was_closed() {
    let folder = tempdir().unwrap();
    let arguments = ["--rate-limits=off", "--stalled-timeout=1s"];
    let replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let id = ada.group("Busy", &[]).await.id;
    let (mut sender, mut reader) = (ada.connect().await, stalled(&ada).await);
    // It is closed for as long as nobody reads; who reads on until then gets
    // everything, and then the code.
    let closing = async || {
        flood(&mut sender, id, AT_ONCE).await;
        (replica.counted("parley_slow_consumer_closes").await >= 1.0).then_some(())
    };
    eventually("it stalls", PROCESS, closing).await;
    let mut code = None;
    while let Ok(Some(Ok(frame))) = timeout(SOON, reader.next()).await {
        if let Raw::Close(Some(close)) = frame {
            code = Some(u16::from(close.code));
        }
    }
    assert!(code.is_none_or(|code| code == 4408), "{code:?}");
}

/// Says hello, sends what it can at once, and reads nothing; none when it was
/// not let in.
async fn greedy(person: &Person, id: ConversationId) -> Option<impl Sized> {
    const SENDS: usize = 64;
    let mut socket = open(person).await.ok()?;
    let hello = json!({ "type": "hello", "payload": { "cursors": {} } });
    socket.send(Raw::text(hello.to_string())).await.ok()?;
    for n in 0..SENDS {
        let key = ClientMessageId::new();
        let payload = json!({ "conversation_id": id, "client_msg_id": key, "body": large(n) });
        let send = json!({ "type": "message.send", "id": n, "payload": payload });
        // A gateway that takes no more is one that bounds what it holds.
        let sent = socket.send(Raw::text(send.to_string()));
        if !matches!(timeout(Duration::from_secs(2), sent).await, Ok(Ok(()))) {
            break;
        }
    }
    Some(socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_connects_and_sends_takes_bounded_memory() {
    const PEOPLE: usize = 4;
    const SOCKETS: usize = 100;
    let folder = tempdir().unwrap();
    let arguments = [
        "--rate-limits=off",
        "--max-connections=300",
        "--max-connections-per-user=100",
        "--resumes-at-once=2",
        "--resumes-waiting=20",
    ];
    let replica = Serving::start(folder.path(), &arguments).await;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::register(&replica.public, &format!("person{n}")).await);
    }
    let others: Vec<_> = people[1..].iter().collect();
    let id = people[0].group("Flooded", &others).await.id;
    let (before, _) = replica.memory();

    let flooding = people.iter().flat_map(|person| (0..SOCKETS).map(move |_| greedy(person, id)));
    let sockets = join_all(flooding).await;
    let (_, peak) = replica.memory();
    let refused = sockets.iter().filter(|socket| socket.is_none()).count();
    let added = peak - before;
    println!("{refused} of {} refused; {added} KiB more than {before}", PEOPLE * SOCKETS);
    assert!(refused > 0, "there was too much");
    assert!(added <= FLOOD_KIB, "{added} KiB");

    // And when it is over, it serves as before.
    drop(sockets);
    let gone = async || (replica.counted("parley_connections ").await == 0.0).then_some(());
    eventually("the flood is over", PROCESS, gone).await;
    let mut device = people[0].connect().await;
    device.send(id, "calm again").await;
}
