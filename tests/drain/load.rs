//! Clients behind a load balancer, who behave as the web client does: asked to
//! reconnect, they have the next socket before they give up the last one.
//! Everything acknowledged and everything applied is written down.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{SinkExt, future::join_all};
use parking_lot::Mutex;
use parley::model::*;
use reqwest::Method;
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{Instant, interval, timeout, timeout_at},
};
use tokio_tungstenite::tungstenite::Message as Raw;

use crate::support::{
    client::{Device, Ended, Person, open},
    eventually,
    limits::PROCESS,
};

/// Between two messages of a sender, and between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(40);

/// How many of each.
pub struct Size {
    pub people: usize,
    /// Sockets of each that only read.
    pub readers: usize,
    /// Senders by socket and by REST, in all.
    pub senders: usize,
}

pub struct Load {
    histories: Arc<Histories>,
    readers: Vec<JoinHandle<()>>,
    senders: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Histories {
    acked: Mutex<Vec<SendAck>>,
    /// By reader.
    applied: Vec<Mutex<Vec<(Seq, EventId)>>>,
    done: AtomicBool,
    connects: AtomicUsize,
    requests: AtomicUsize,
    /// What was answered instead, each time.
    refused: Mutex<Vec<String>>,
    /// Next sockets that were live before the last one had ended, or after.
    before_break: AtomicUsize,
    after_break: AtomicUsize,
}

impl Load {
    /// Returns once everybody is connected.
    pub async fn start(url: &str, size: Size) -> Self {
        let names: Vec<_> = (0..size.people).map(|n| format!("person{n}")).collect();
        let people = join_all(names.iter().map(|name| Person::register(url, name))).await;
        let others: Vec<_> = people[1..].iter().collect();
        let id = people[0].group("Through it all", &others).await.id;
        let readers = size.people * size.readers;
        let applied = (0..readers).map(|_| Mutex::default()).collect();
        let histories = Arc::new(Histories { applied, ..Histories::default() });
        let person = |n: usize| people[n % people.len()].clone();
        let readers =
            (0..readers).map(|n| tokio::spawn(read(person(n), n, id, histories.clone()))).collect();
        let senders = (0..size.senders).flat_map(|n| {
            let by_socket = tokio::spawn(send(person(n), n, id, histories.clone()));
            let by_rest = tokio::spawn(post(person(n), n, id, histories.clone()));
            [by_socket, by_rest]
        });
        let load = Self { senders: senders.collect(), readers, histories };
        load.gets_on().await;
        load
    }

    /// Waits until every sender and every reader has got on since now.
    pub async fn gets_on(&self) {
        let senders = self.senders.len();
        let before = self.histories.acked.lock().len();
        let target = eventually("messages are acknowledged", PROCESS, async || {
            let acked = self.histories.acked.lock();
            (acked.len() > before + 3 * senders).then(|| acked.iter().map(|ack| ack.seq).max())?
        })
        .await;
        self.everybody_has(target).await;
    }

    async fn everybody_has(&self, seq: Seq) {
        let has = |applied: &Mutex<Vec<(Seq, EventId)>>| {
            applied.lock().last().is_some_and(|last| last.0 >= seq)
        };
        eventually("everybody has everything", PROCESS, async || {
            self.histories.applied.iter().all(has).then_some(())
        })
        .await;
    }

    /// Ends it, and judges it: nothing lost, doubled or out of order, and nobody
    /// refused.
    pub async fn judge(mut self) {
        let senders = std::mem::take(&mut self.senders);
        let Self { histories, readers, .. } = &self;
        histories.done.store(true, Relaxed);
        for sender in senders {
            timeout(PROCESS, sender).await.expect("the sender ends").unwrap();
        }
        let acked = std::mem::take(&mut *histories.acked.lock());
        let last = acked.iter().map(|ack| ack.seq).max().unwrap();
        self.everybody_has(last).await;
        readers.iter().for_each(|reader| assert!(!reader.is_finished(), "a reader failed"));
        readers.iter().for_each(JoinHandle::abort);

        let refused = histories.refused.lock();
        let figure = |count: &AtomicUsize| count.load(Relaxed);
        println!(
            "{} acknowledged, {} readers, {} connects and {} requests, {} refused; \
             next socket live before the last ended: {}, after: {}",
            acked.len(),
            histories.applied.len(),
            figure(&histories.connects),
            figure(&histories.requests),
            refused.len(),
            figure(&histories.before_break),
            figure(&histories.after_break),
        );
        let first = histories.applied[0].lock();
        for applied in &histories.applied[1..] {
            let applied = applied.lock();
            let ordered = applied.is_sorted_by(|a, b| a.0 + 1 == b.0);
            assert!(ordered, "a hole, a repetition, or out of order");
            let both = applied.len().min(first.len());
            assert_eq!(applied[..both], first[..both], "one log for all");
        }
        assert!(first.is_sorted_by(|a, b| a.0 + 1 == b.0));
        let ids: std::collections::HashMap<_, _> = first.iter().copied().collect();
        for ack in &acked {
            assert_eq!(ids.get(&ack.seq), Some(&ack.message_id), "acknowledged, then missing");
        }
        let mut keys: Vec<_> = acked.iter().map(|ack| ack.client_msg_id.0).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), acked.len(), "each has one place");
        assert!(refused.is_empty(), "refused: {refused:#?}");
    }
}

impl Histories {
    /// A live socket; every attempt that does not lead to one is written down.
    async fn connect(&self, person: &Person, cursors: Cursors) -> Device {
        let mut pause = interval(PAUSE);
        loop {
            pause.tick().await;
            self.connects.fetch_add(1, Relaxed);
            let why = match open(person).await {
                Ok(socket) => match Device::try_live(socket, cursors.clone()).await {
                    Ok(device) => return device,
                    Err(ended) => format!("connect: {ended:?} before it was live"),
                },
                Err(why) => format!("connect: {why}"),
            };
            self.refused.lock().push(why);
        }
    }

    /// The next socket in place of one that is still there, or was.
    async fn replace(&self, device: &mut Device, person: &Person, cursors: Cursors) {
        let next = self.connect(person, cursors).await;
        let mut last = std::mem::replace(device, next);
        let ended = async { while last.next_or_end().await.is_ok() {} };
        match timeout(Duration::ZERO, ended).await {
            Ok(()) => self.after_break.fetch_add(1, Relaxed),
            Err(_) => self.before_break.fetch_add(1, Relaxed),
        };
        last.close().await;
    }

    fn apply(&self, who: usize, cursor: &mut Cursor, frame: ServerFrame) {
        match frame {
            ServerFrame::MessageNew { seq, event_id, .. } => {
                *cursor = Cursor { seq, event_id: Some(event_id) };
                self.applied[who].lock().push((seq, event_id));
            }
            ServerFrame::ConversationReset { payload, .. } => panic!("reset: {:?}", payload.reason),
            _ => {}
        }
    }
}

/// Applies what comes, and moves on when asked to.
async fn read(person: Person, who: usize, id: ConversationId, histories: Arc<Histories>) {
    let mut cursor = Cursor { seq: 0, event_id: None };
    let mut device = histories.connect(&person, [(id, cursor)].into()).await;
    loop {
        for frame in std::mem::take(&mut device.missed) {
            histories.apply(who, &mut cursor, frame);
        }
        // Until then it goes on as if nothing had been said.
        let mut leave_at = Instant::now() + Duration::from_secs(86_400);
        loop {
            match timeout_at(leave_at, device.next_or_end()).await {
                Ok(Ok(ServerFrame::Reconnect { payload })) => {
                    leave_at = Instant::now() + Duration::from_millis(payload.after_ms);
                }
                Ok(Ok(frame)) => histories.apply(who, &mut cursor, frame),
                Ok(Err(Ended::Closed(1012))) | Err(_) => break,
                Ok(Err(ended)) => {
                    histories.refused.lock().push(format!("socket: {ended:?}"));
                    break;
                }
            }
        }
        histories.replace(&mut device, &person, [(id, cursor)].into()).await;
    }
}

/// One message after the other over a socket, each until there is an answer.
/// Moves on at once when asked to, whatever `after_ms` says.
async fn send(person: Person, who: usize, id: ConversationId, histories: Arc<Histories>) {
    let mut device = histories.connect(&person, Cursors::new()).await;
    let mut pause = interval(PAUSE);
    for n in 0.. {
        pause.tick().await;
        if histories.done.load(Relaxed) {
            return;
        }
        let (key, text) = (ClientMessageId::new(), format!("{who}/{n}"));
        loop {
            let mut asked = false;
            let ack = try_send(&mut device, id, key, &text, &mut asked).await;
            let sent = ack.map(|ack| histories.acked.lock().push(ack)).is_some();
            if asked || !sent {
                histories.replace(&mut device, &person, Cursors::new()).await;
            }
            if sent {
                break;
            }
        }
    }
}

/// Null when the socket has ended, or the answer says to try again.
async fn try_send(
    device: &mut Device,
    id: ConversationId,
    key: ClientMessageId,
    text: &str,
    asked: &mut bool,
) -> Option<SendAck> {
    let frame = json!({
        "type": "message.send", "id": text,
        "payload": { "conversation_id": id, "client_msg_id": key, "body": text },
    });
    let wanted = Some(FrameId::Text(text.to_owned()));
    device.socket.send(Raw::text(frame.to_string())).await.ok()?;
    let answer = async {
        loop {
            match device.next_or_end().await.ok()? {
                ServerFrame::Ack { id, payload: Ack::Sent(ack) } if id == wanted => {
                    return Some(ack);
                }
                ServerFrame::Error { id, payload } if id == wanted => {
                    panic!("no fault is about: {payload:?}");
                }
                ServerFrame::Reconnect { .. } => *asked = true,
                _ => {}
            }
        }
    };
    timeout(PROCESS, answer).await.expect("an answer or an end")
}

/// One message after the other over REST, and a look at it.
async fn post(person: Person, who: usize, id: ConversationId, histories: Arc<Histories>) {
    let mut pause = interval(PAUSE);
    for n in 0.. {
        pause.tick().await;
        if histories.done.load(Relaxed) {
            return;
        }
        let key = ClientMessageId::new();
        let body = json!({ "client_msg_id": key, "body": format!("{who}/{n} by REST") });
        let path = format!("/conversations/{id}/messages");
        let sent: Message = loop {
            let request = person.request(Method::POST, &path).json(&body);
            match asked(&person, request, &histories).await {
                Some(answer) => break serde_json::from_value(answer).unwrap(),
                None => pause.tick().await,
            };
        };
        let ack = json!({
            "conversation_id": id, "client_msg_id": key, "message_id": sent.id,
            "seq": sent.seq, "created_at": sent.created_at, "duplicate": false,
        });
        histories.acked.lock().push(serde_json::from_value(ack).unwrap());
        let request = person.request(Method::GET, &format!("/conversations/{id}"));
        asked(&person, request, &histories).await;
    }
}

/// The answer, unless it was a refusal or none.
async fn asked(
    person: &Person,
    request: reqwest::RequestBuilder,
    histories: &Histories,
) -> Option<serde_json::Value> {
    histories.requests.fetch_add(1, Relaxed);
    let why = match person.try_run(request).await {
        Ok(answer) if answer.status.is_success() => return Some(answer.body),
        Ok(answer) => format!("request: {} {}", answer.status, answer.body),
        Err(why) => format!("request: {why:?}"),
    };
    histories.refused.lock().push(why);
    None
}
