//! Three real replicas as processes under a steady load, and one fault after
//! another: nothing acknowledged is lost, doubled or out of order.

use std::sync::atomic::AtomicUsize;

use futures_util::{SinkExt, future::join_all};
use parking_lot::Mutex;
use tempfile::tempdir;
use tokio::time::{interval, timeout};

use super::*;
use crate::support::{limits::PROCESS, process::Serving};

const PEOPLE: usize = 5;
/// Between two attempts to reach a replica.
const PAUSE: Duration = Duration::from_millis(20);
/// Messages that each sender gets acknowledged between two faults.
const BETWEEN: usize = 15;

/// Where the replicas are just now.
type Places = Arc<Mutex<Vec<String>>>;

/// Everything that was acknowledged, and what each reader applied.
#[derive(Default)]
struct Histories {
    acked: Mutex<Vec<SendAck>>,
    applied: Mutex<Vec<Vec<(Seq, EventId)>>>,
    done: AtomicBool,
    /// Highest seq that every reader has applied.
    reached: Vec<AtomicUsize>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_under_load_lose_double_and_reorder_nothing() {
    let postgres = Arc::new(tokio::task::spawn_blocking(postgres::Server::start).await.unwrap());
    let (redis, database) = (Server::start().await, postgres.fresh_database().await);
    let folder = tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    parley::auth::key_file::generate(&keys, parley::clock::Clock::default().now()).unwrap();
    let start = async || Serving::replica(folder.path(), &database, &redis.url(), &keys).await;
    let mut replicas = [start().await, start().await, start().await];
    let places: Places = Arc::new(Mutex::new(replicas.iter().map(|r| r.public.clone()).collect()));

    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::register(&replicas[n % 3].public, &format!("person{n}")).await);
    }
    let others: Vec<_> = people[1..].iter().collect();
    let id = people[0].group("Through it all", &others).await.id;
    let histories = Arc::new(Histories {
        applied: Mutex::new(vec![vec![]; PEOPLE]),
        reached: (0..PEOPLE).map(|_| AtomicUsize::new(0)).collect(),
        ..Histories::default()
    });
    let readers = people.iter().enumerate().map(|(who, person)| {
        tokio::spawn(read(person.clone(), who, id, places.clone(), histories.clone()))
    });
    let readers: Vec<_> = readers.collect();
    let senders = people.iter().enumerate().map(|(who, person)| {
        tokio::spawn(send(person.clone(), who, id, places.clone(), histories.clone()))
    });
    let senders: Vec<_> = senders.collect();

    let quiet = async |what: &str| healed(what, &histories).await;
    quiet("at first").await;
    redis.kill();
    quiet("Redis killed").await;
    redis.restart().await;
    quiet("Redis back").await;
    redis.freeze();
    quiet("Redis frozen").await;
    redis.thaw();
    quiet("Redis thawed").await;
    redis.flush();
    quiet("Redis flushed").await;
    let server = postgres.clone();
    tokio::task::spawn_blocking(move || server.crash_and_restart()).await.unwrap();
    quiet("Postgres restarted").await;
    replicas[0].signal("KILL");
    quiet("a replica killed").await;
    replicas[0] = start().await;
    places.lock()[0] = replicas[0].public.clone();
    quiet("a replica more").await;
    replicas[1].signal("TERM");
    quiet("a replica drained").await;
    assert_eq!(replicas[1].ended().await, Some(0));

    histories.done.store(true, Relaxed);
    join_all(senders).await.into_iter().for_each(|sender| sender.unwrap());
    let acked = std::mem::take(&mut *histories.acked.lock());
    let last = acked.iter().map(|ack| ack.seq).max().unwrap();
    eventually("every reader has everything", SOON, async || {
        let all = histories.reached.iter().all(|seq| seq.load(Relaxed) as Seq >= last);
        all.then_some(())
    })
    .await;
    readers.iter().for_each(|reader| reader.abort());

    let applied = std::mem::take(&mut *histories.applied.lock());
    for applied in &applied {
        assert!(
            applied.is_sorted_by(|a, b| a.0 + 1 == b.0),
            "a hole, a repetition, or out of order"
        );
        assert_eq!(applied, &applied[..], "one log for all");
    }
    let ids: std::collections::HashMap<_, _> = applied[0].iter().copied().collect();
    for ack in &acked {
        assert_eq!(ids.get(&ack.seq), Some(&ack.message_id), "acknowledged, then missing");
    }
    let mut keys: Vec<_> = acked.iter().map(|ack| ack.client_msg_id.0).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), acked.len(), "each has one place");
    println!("{} acknowledged; lost, doubled, reordered: none", acked.len());
}

/// Waits until every sender and every reader has got on since now.
async fn healed(what: &str, histories: &Histories) {
    let begun = Instant::now();
    let before = histories.acked.lock().len();
    let target = eventually(what, PROCESS, async || {
        let acked = histories.acked.lock();
        // More than were on their way: one at least was sent since.
        (acked.len() > before + PEOPLE).then(|| acked.iter().map(|ack| ack.seq).max())?
    })
    .await;
    let acked_after = begun.elapsed();
    let all = async || {
        let all = histories.reached.iter().all(|seq| seq.load(Relaxed) as Seq >= target);
        all.then_some(())
    };
    eventually(what, PROCESS, all).await;
    println!(
        "{what}: acknowledged again after {} ms, everybody complete after {} ms",
        acked_after.as_millis(),
        begun.elapsed().as_millis()
    );
    let enough = async || (histories.acked.lock().len() >= before + BETWEEN * PEOPLE).then_some(());
    eventually("the load goes on", PROCESS, enough).await;
}

/// Sends one message after the other, each until there is a definite answer.
async fn send(
    person: Person,
    who: usize,
    id: ConversationId,
    places: Places,
    histories: Arc<Histories>,
) {
    let mut device = None;
    let mut at = who;
    let mut pause = interval(PAUSE);
    for n in 0.. {
        if histories.done.load(Relaxed) {
            return;
        }
        let (key, text) = (ClientMessageId::new(), format!("{who}/{n}"));
        let answer = async {
            loop {
                if let Some(device) = &mut device
                    && let Some(ack) = try_send(device, id, key, &text).await
                {
                    return ack;
                }
                pause.tick().await;
                at += 1;
                let place = places.lock()[at % 3].clone();
                device = Device::try_connect(&person.at(&place), Cursors::new()).await.ok();
            }
        };
        let ack = timeout(PROCESS, answer).await.expect("a definite answer in time");
        histories.acked.lock().push(ack);
    }
}

/// Null when the socket has ended, or the answer says to try again.
async fn try_send(
    device: &mut Device,
    id: ConversationId,
    key: ClientMessageId,
    text: &str,
) -> Option<SendAck> {
    let frame = serde_json::json!({
        "type": "message.send", "id": text,
        "payload": { "conversation_id": id, "client_msg_id": key, "body": text },
    });
    let wanted = Some(FrameId::Text(text.to_owned()));
    let raw = tokio_tungstenite::tungstenite::Message::text(frame.to_string());
    device.socket.send(raw).await.ok()?;
    let answer = async {
        loop {
            match device.next_or_end().await.ok()? {
                ServerFrame::Ack { id, payload: Ack::Sent(ack) } if id == wanted => {
                    return Some(ack);
                }
                ServerFrame::Error { id, payload } if id == wanted => {
                    assert!(payload.retryable, "{payload:?}");
                    return None;
                }
                _ => {}
            }
        }
    };
    timeout(SOON, answer).await.ok().flatten()
}

/// Applies what comes, and comes back with its cursor wherever it can.
async fn read(
    person: Person,
    who: usize,
    id: ConversationId,
    places: Places,
    histories: Arc<Histories>,
) {
    let mut cursor = Cursor { seq: 0, event_id: None };
    let mut at = who;
    let mut pause = interval(PAUSE);
    loop {
        at += 1;
        let place = places.lock()[at % 3].clone();
        let cursors = [(id, cursor)].into();
        pause.tick().await;
        let connected = Device::try_connect(&person.at(&place), cursors).await;
        let Ok(mut device) = connected else { continue };
        let missed = std::mem::take(&mut device.missed);
        for frame in missed {
            apply(frame, &mut cursor, who, &histories);
        }
        while let Ok(frame) = device.next_or_end().await {
            apply(frame, &mut cursor, who, &histories);
        }
    }
}

fn apply(frame: ServerFrame, cursor: &mut Cursor, who: usize, histories: &Histories) {
    match frame {
        ServerFrame::MessageNew { seq, event_id, .. } => {
            *cursor = Cursor { seq, event_id: Some(event_id) };
            histories.applied.lock()[who].push((seq, event_id));
            histories.reached[who].store(usize::try_from(seq).unwrap(), Relaxed);
        }
        ServerFrame::ConversationReset { payload, .. } => panic!("reset: {:?}", payload.reason),
        _ => {}
    }
}
