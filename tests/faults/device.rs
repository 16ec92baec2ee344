//! A scripted device: it connects, resumes, applies, sends from its outbox, and
//! comes back from whatever happens to it, as a client of the contract does.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use parley::model::*;
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::tungstenite::Message as Raw;

use super::{
    figures::Figures,
    history::{History, Outcome, Rule},
    view::View,
    world::Doors,
};
use crate::support::client::{Person, Socket, open};

/// The opening of a socket, and each step up to `live`.
const CONNECT: Duration = Duration::from_secs(5);
/// A gateway that says nothing for this long is given up: several heartbeats.
pub const SILENCE: Duration = Duration::from_secs(7);
/// Between two attempts, doubled up to a second.
const BACKOFF: Duration = Duration::from_millis(50);
/// Codes that these devices give no reason for, whatever breaks around them.
const NEVER: [u16; 4] = [1011, 4400, 4403, 4429];
/// How soon what was refused for now is sent again.
const AGAIN: Duration = Duration::from_millis(100);

/// What the script wants of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Online,
    Offline,
    /// Connected, and reading nothing.
    Stalled,
}

pub enum Op {
    Send {
        key: ClientMessageId,
        conversation: ConversationId,
        body: String,
    },
    /// To this far below what it has applied.
    Read {
        conversation: ConversationId,
        below: Seq,
    },
}

/// The script's end of a device.
pub struct Handle {
    pub person: Person,
    pub order: watch::Sender<Order>,
    pub ops: mpsc::UnboundedSender<Op>,
    pub view: Arc<Mutex<View>>,
    live: Arc<AtomicBool>,
}

impl Handle {
    pub fn is_live(&self) -> bool {
        self.live.load(Relaxed)
    }

    pub fn is_wanted(&self) -> bool {
        *self.order.borrow() == Order::Online
    }

    /// Has applied everything up to these positions, of what it is in.
    pub fn reached(&self, heads: &HashMap<ConversationId, Seq>) -> bool {
        let view = self.view.lock();
        view.held.iter().all(|(id, held)| heads.get(id).is_none_or(|head| held.cursor.seq >= *head))
    }
}

struct Device {
    person: Person,
    orders: watch::Receiver<Order>,
    ops: mpsc::UnboundedReceiver<Op>,
    view: Arc<Mutex<View>>,
    live: Arc<AtomicBool>,
    watched: Vec<UserId>,
    doors: Doors,
    history: Arc<History>,
    figures: Arc<Figures>,
    begun: Instant,
    /// By conversation, in order; the first of each may be under way.
    outbox: HashMap<ConversationId, VecDeque<(ClientMessageId, String)>>,
}

/// Puts a device to work, for ever: the first door it tries is `at`.
pub fn start(
    person: Person,
    watched: Vec<UserId>,
    doors: Doors,
    history: Arc<History>,
    figures: Arc<Figures>,
    begun: Instant,
    at: usize,
) -> Handle {
    let (order, orders) = watch::channel(Order::Online);
    let (sender, ops) = mpsc::unbounded_channel();
    let view = Arc::new(Mutex::new(View::new(person.id())));
    let live = Arc::new(AtomicBool::new(false));
    let device = Device {
        person: person.clone(),
        orders,
        ops,
        view: view.clone(),
        live: live.clone(),
        watched,
        doors,
        history,
        figures,
        begun,
        outbox: HashMap::new(),
    };
    tokio::spawn(device.run(at));
    Handle { person, order, ops: sender, view, live }
}

impl Device {
    async fn run(mut self, mut at: usize) {
        let mut backoff = BACKOFF;
        loop {
            let wanted = self.orders.wait_for(|order| *order == Order::Online).await.is_ok();
            if !wanted {
                return; // the run has ended
            }
            at += 1;
            let was_live = self.connect_and_serve(at).await.unwrap_or(false);
            self.live.store(false, Relaxed);
            backoff = if was_live { BACKOFF } else { (backoff * 2).min(BACKOFF * 20) };
            super::pause(backoff).await;
        }
    }

    /// Until the connection ends; whether it had become live. None when it
    /// ended without a reason worth telling.
    async fn connect_and_serve(&mut self, at: usize) -> Option<bool> {
        let person = self.person.at(&self.doors.door(at));
        let mut socket = timeout(CONNECT, open(&person)).await.ok()?.ok()?;
        match self.next(&mut socket, CONNECT).await? {
            ServerFrame::Ready { .. } => {}
            _ => return None,
        }
        let cursors = self.view.lock().cursors();
        let hello =
            json!({ "type": "hello", "payload": { "cursors": cursors, "client": "faults" } });
        self.write(&mut socket, &hello).await?;
        let mut items = Vec::new();
        loop {
            match self.next(&mut socket, CONNECT).await? {
                ServerFrame::Conversations { payload } => {
                    items.extend(payload.items);
                    if payload.done {
                        break;
                    }
                }
                ServerFrame::Error { .. } | ServerFrame::Reconnect { .. } => return None,
                other => {
                    let what = format!("{other:?} before the snapshot");
                    self.history.violation(Rule::Reordered, what);
                }
            }
        }
        self.view.lock().snapshot(items, &self.history);
        loop {
            match self.next(&mut socket, CONNECT * 2).await? {
                ServerFrame::Live { .. } => break,
                frame => self.take(frame, None),
            };
        }
        let watch = json!({ "type": "presence.watch", "payload": { "user_ids": self.watched } });
        self.write(&mut socket, &watch).await?;
        self.live.store(true, Relaxed);
        self.serve(socket).await;
        Some(true)
    }

    async fn serve(&mut self, mut socket: Socket) -> Option<()> {
        let since = Instant::now();
        let mut heard = Instant::now();
        let mut again = interval(AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Conversations whose first message waits for its answer.
        let mut under_way: HashMap<ConversationId, ClientMessageId> = HashMap::new();
        loop {
            tokio::select! {
                frame = socket.next() => {
                    heard = Instant::now();
                    match self.decode(frame)? {
                        Some(ServerFrame::Reconnect { .. }) => return None,
                        Some(frame) => {
                            if let Some(id) = self.answer(&frame) {
                                under_way.remove(&id);
                                if !matches!(frame, ServerFrame::Error { .. }) {
                                    self.send_first(&mut socket, id, &mut under_way).await?;
                                }
                            }
                            self.take(frame, Some(since));
                        }
                        None => {}
                    }
                }
                op = self.ops.recv() => match op? {
                    Op::Send { key, conversation, body } => {
                        self.outbox.entry(conversation).or_default().push_back((key, body));
                        self.send_first(&mut socket, conversation, &mut under_way).await?;
                    }
                    Op::Read { conversation, below } => {
                        self.read(&mut socket, conversation, below).await?;
                    }
                },
                _ = again.tick() => {
                    if heard.elapsed() > SILENCE {
                        return None;
                    }
                    let waiting: Vec<_> = self.outbox.keys().copied().collect();
                    for id in waiting {
                        self.send_first(&mut socket, id, &mut under_way).await?;
                    }
                }
                changed = self.orders.changed() => {
                    changed.ok()?;
                    let order = *self.orders.borrow_and_update();
                    match order {
                        Order::Online => {}
                        Order::Offline => {
                            let _ = timeout(CONNECT, socket.close(None)).await;
                            return None;
                        }
                        Order::Stalled => {
                            self.live.store(false, Relaxed);
                            self.orders.changed().await.ok()?;
                            // It was closed meanwhile, or goes on where it was.
                            heard = Instant::now();
                            self.live.store(true, Relaxed);
                        }
                    }
                }
            }
        }
    }

    /// Applies a frame; `live` tells since when nothing was missed.
    fn take(&self, frame: ServerFrame, live: Option<Instant>) {
        let sent = match &frame {
            ServerFrame::MessageNew { payload, .. } => payload.body.as_deref().and_then(sent_at),
            _ => None,
        };
        let entry = self.view.lock().apply(frame, &self.history);
        if entry.is_none() {
            return;
        }
        self.figures.delivered.fetch_add(1, Relaxed);
        if let (Some(sent), Some(live)) = (sent, live)
            && self.begun + sent > live
        {
            self.history.latencies.delivered(self.begun + sent);
        }
    }

    /// The conversation whose first message this answers, definite or not.
    fn answer(&mut self, frame: &ServerFrame) -> Option<ConversationId> {
        let (id, outcome) = match frame {
            ServerFrame::Ack { id: Some(FrameId::Text(id)), payload: Ack::Sent(ack) } => {
                let (seq, event) = (ack.seq, ack.message_id);
                (id, Outcome::Acked { seq, id: event, at: Instant::now() })
            }
            ServerFrame::Error { id: Some(FrameId::Text(id)), payload } => {
                let outcome = match payload.retryable {
                    true => Outcome::Unknown,
                    false => Outcome::Refused,
                };
                if !payload.retryable && payload.code != "not_found" {
                    self.history.violation(Rule::Refused, format!("{payload:?}"));
                }
                if payload.code == "internal" {
                    self.history.violation(Rule::Broken, format!("{payload:?}"));
                }
                (id, outcome)
            }
            _ => return None,
        };
        let key = ClientMessageId(id.parse().ok()?);
        let (conversation, queue) = self
            .outbox
            .iter_mut()
            .find(|(_, queue)| queue.front().is_some_and(|it| it.0 == key))?;
        let conversation = *conversation;
        if outcome != Outcome::Unknown {
            queue.pop_front();
            if queue.is_empty() {
                self.outbox.remove(&conversation);
            }
        }
        self.history.answered(key, outcome);
        Some(conversation)
    }

    /// Sends the first that waits for a conversation, unless it is under way.
    async fn send_first(
        &mut self,
        socket: &mut Socket,
        id: ConversationId,
        under_way: &mut HashMap<ConversationId, ClientMessageId>,
    ) -> Option<()> {
        let Some((key, body)) = self.outbox.get(&id).and_then(VecDeque::front) else {
            return Some(());
        };
        if under_way.get(&id) == Some(key) {
            return Some(());
        }
        under_way.insert(id, *key);
        let frame = json!({
            "type": "message.send", "id": key.to_string(),
            "payload": { "conversation_id": id, "client_msg_id": key, "body": body },
        });
        // From here on another attempt is a repeat.
        let written = self.write(socket, &frame).await;
        if written.is_none() {
            self.history.answered(*key, Outcome::Unknown);
        }
        written
    }

    async fn read(&self, socket: &mut Socket, id: ConversationId, below: Seq) -> Option<()> {
        let at = self.view.lock().held.get(&id).map(|held| held.cursor.seq);
        let Some(at) = at else { return Some(()) };
        let payload = json!({ "conversation_id": id, "seq": (at - below).max(1) });
        self.write(socket, &json!({ "type": "conversation.read", "payload": payload })).await
    }

    async fn write(&self, socket: &mut Socket, frame: &serde_json::Value) -> Option<()> {
        let sent = timeout(CONNECT, socket.send(Raw::text(frame.to_string()))).await;
        sent.ok()?.ok()
    }

    async fn next(&self, socket: &mut Socket, limit: Duration) -> Option<ServerFrame> {
        loop {
            let frame = timeout(limit, socket.next()).await.ok()?;
            match self.decode(frame)? {
                Some(ServerFrame::Heartbeat { .. }) | None => {}
                Some(frame) => return Some(frame),
            }
        }
    }

    /// None at the end of the socket; an inner none for what is no frame.
    fn decode(
        &self,
        raw: Option<Result<Raw, tokio_tungstenite::tungstenite::Error>>,
    ) -> Option<Option<ServerFrame>> {
        match raw?.ok()? {
            Raw::Text(text) => match serde_json::from_str(text.as_str()) {
                Ok(frame) => Some(Some(frame)),
                Err(why) => {
                    self.history.violation(Rule::Broken, format!("{why}: {text}"));
                    None
                }
            },
            Raw::Close(Some(close)) if NEVER.contains(&close.code.into()) => {
                let what = format!("a socket was closed with {}", close.code);
                self.history.violation(Rule::Broken, what);
                None
            }
            Raw::Close(_) => None,
            _ => Some(None),
        }
    }
}

/// When a message was meant to be sent, since the run began: its first word.
fn sent_at(body: &str) -> Option<Duration> {
    body.split(' ').next()?.parse().ok().map(Duration::from_millis)
}
