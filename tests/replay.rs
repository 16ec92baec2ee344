//! Invariant 13: a client that applies events to a snapshot holds what a fresh
//! snapshot would say, after every operation there is.

use std::collections::{BTreeMap, HashMap};

use parley::model::*;
use proptest::{prelude::*, test_runner::Config};
use serde_json::json;

use crate::support::{
    client::{Device, Person},
    cluster::{Cluster, Database},
    eventually,
    limits::SOON,
};

/// One thing somebody does. Indexes are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Send { who: usize },
    Reply { who: usize, to: usize },
    Edit { who: usize, message: usize },
    Delete { who: usize, message: usize },
    Read { who: usize, message: usize },
    Mute { who: usize, on: bool },
    Pin { who: usize, on: bool },
    Rename { who: usize },
    Promote { who: usize, whom: usize, role: usize },
    Add { who: usize, whom: usize },
    Remove { who: usize, whom: usize },
    DisplayName { who: usize },
    Reconnect { who: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..PEOPLE;
    let message = || 0..200_usize;
    prop_oneof![
        6 => who().prop_map(|who| Step::Send { who }),
        1 => (who(), message()).prop_map(|(who, to)| Step::Reply { who, to }),
        2 => (who(), message()).prop_map(|(who, message)| Step::Edit { who, message }),
        2 => (who(), message()).prop_map(|(who, message)| Step::Delete { who, message }),
        3 => (who(), message()).prop_map(|(who, message)| Step::Read { who, message }),
        1 => (who(), any::<bool>()).prop_map(|(who, on)| Step::Mute { who, on }),
        1 => (who(), any::<bool>()).prop_map(|(who, on)| Step::Pin { who, on }),
        1 => who().prop_map(|who| Step::Rename { who }),
        1 => (who(), who(), 0..3_usize)
            .prop_map(|(who, whom, role)| Step::Promote { who, whom, role }),
        2 => (who(), who()).prop_map(|(who, whom)| Step::Add { who, whom }),
        2 => (who(), who()).prop_map(|(who, whom)| Step::Remove { who, whom }),
        1 => who().prop_map(|who| Step::DisplayName { who }),
        1 => who().prop_map(|who| Step::Reconnect { who }),
    ]
}

const PEOPLE: usize = 4;

/// What a client holds of one conversation.
#[derive(Clone, Debug, PartialEq)]
struct Held {
    view: Conversation,
    cursor: Cursor,
    messages: BTreeMap<Seq, Message>,
}

/// A client that knows the rules of the contract and nothing else.
#[derive(Default)]
struct Client {
    me: Option<UserId>,
    name: String,
    held: HashMap<ConversationId, Held>,
}

impl Client {
    fn snapshot(&mut self, device: &Device) {
        self.me = Some(device.ready.user.id);
        self.name.clone_from(&device.ready.user.display_name);
        let shown: Vec<_> = device.snapshot.iter().map(|view| view.id).collect();
        self.held.retain(|id, _| shown.contains(id));
        for view in &device.snapshot {
            // Registers and counts are the snapshot's; the log goes on from
            // the cursor that was presented.
            match self.held.get_mut(&view.id) {
                Some(held) => held.view = view.clone(),
                None => self.start(view, view.last_seq, Some(view.last_event_id)),
            }
        }
    }

    fn start(&mut self, view: &Conversation, seq: Seq, event_id: Option<EventId>) {
        let cursor = Cursor { seq, event_id };
        let held = Held { view: view.clone(), cursor, messages: BTreeMap::new() };
        self.held.insert(view.id, held);
    }

    fn cursors(&self) -> Cursors {
        self.held.iter().map(|(id, held)| (*id, held.cursor)).collect()
    }

    fn apply(&mut self, frame: ServerFrame) {
        let me = self.me.expect("a snapshot came first");
        match frame {
            ServerFrame::MessageNew { conversation_id, seq, event_id, payload } => {
                let Some(held) = self.step(conversation_id, seq, event_id) else { return };
                held.new_message(me, payload);
            }
            ServerFrame::MessageUpdated { conversation_id, seq, event_id, payload } => {
                let Some(held) = self.step(conversation_id, seq, event_id) else { return };
                held.updated(me, seq, payload.message, payload.change);
            }
            ServerFrame::LogSkip { conversation_id, seq, event_id, .. } => {
                if let Some(held) = self.step(conversation_id, seq, event_id) {
                    held.reached(seq, event_id);
                }
            }
            ServerFrame::ConversationRead { conversation_id, payload } => {
                let Some(held) = self.held.get_mut(&conversation_id) else { return };
                held.read(me, &payload);
            }
            ServerFrame::ConversationAdded { conversation_id, payload } => {
                assert!(!self.held.contains_key(&conversation_id));
                self.start(&payload, payload.joined_seq - 1, None);
            }
            ServerFrame::ConversationRemoved { conversation_id, .. } => {
                self.held.remove(&conversation_id);
            }
            ServerFrame::ConversationSettings { conversation_id, payload } => {
                let held = self.held.get_mut(&conversation_id).expect("a conversation I am in");
                (held.view.muted, held.view.pinned) = (payload.muted, payload.pinned);
            }
            ServerFrame::ConversationReset { conversation_id, payload } => {
                let view = payload.conversation;
                self.held.remove(&conversation_id);
                self.start(&view, view.last_seq, Some(view.last_event_id));
            }
            ServerFrame::UserUpdated { payload } if payload.id == me => {
                self.name = payload.display_name;
            }
            _ => {}
        }
    }

    /// Moves the cursor by exactly one; what was applied before is passed
    /// over.
    fn step(&mut self, id: ConversationId, seq: Seq, event_id: EventId) -> Option<&mut Held> {
        let held = self.held.get_mut(&id).unwrap_or_else(|| panic!("event {seq} of a stranger"));
        assert_eq!(seq, held.cursor.seq + 1, "a hole or a repetition");
        held.cursor = Cursor { seq, event_id: Some(event_id) };
        Some(held)
    }
}

impl Held {
    fn counts(&self, me: UserId, message: &Message) -> bool {
        message.kind == MessageKind::Text
            && message.sender_id != me
            && message.deleted_at.is_none()
            && message.seq > self.view.last_read_seq
            && message.seq >= self.view.visible_from_seq
    }

    fn new_message(&mut self, me: UserId, message: Message) {
        if message.seq > self.view.unread_as_of_seq && self.counts(me, &message) {
            self.view.unread_count = (self.view.unread_count + 1).min(limits::UNREAD_CAP);
        }
        if message.seq > self.view.last_seq {
            self.system(me, &message);
        }
        self.reached(message.seq, message.id);
        self.keep(message);
    }

    fn updated(&mut self, me: UserId, at: Seq, message: Message, change: Change) {
        let before = self.messages.get(&message.seq).cloned();
        let before =
            before.or_else(|| self.view.last_message.clone().filter(|m| m.seq == message.seq));
        if change == Change::Deleted && at > self.view.unread_as_of_seq {
            // Only if it was counted: as of the snapshot, or since.
            let was = Message { deleted_at: None, ..message.clone() };
            let gone_already = before.is_some_and(|message| message.deleted_at.is_some());
            if self.counts(me, &was) && !gone_already {
                self.view.unread_count -= 1;
            }
        }
        let event_id = self.cursor.event_id.expect("an event");
        self.reached(at, event_id);
        self.keep(message);
    }

    fn reached(&mut self, seq: Seq, event_id: EventId) {
        if seq > self.view.last_seq {
            (self.view.last_seq, self.view.last_event_id) = (seq, event_id);
        }
        self.view.unread_as_of_seq = self.view.unread_as_of_seq.max(seq);
    }

    fn keep(&mut self, message: Message) {
        let newer = |held: &Message| message.updated_seq >= held.updated_seq;
        let shown = self.view.last_message.as_ref();
        if shown
            .is_none_or(|last| message.seq > last.seq || (message.seq == last.seq && newer(last)))
        {
            let mut cut = message.clone();
            cut.body = cut.body.map(|body| body.chars().take(limits::PREVIEW_CHARS).collect());
            self.view.last_message = Some(cut);
        }
        if self.messages.get(&message.seq).is_none_or(newer) {
            self.messages.insert(message.seq, message);
        }
    }

    /// What a system message says of the conversation itself.
    fn system(&mut self, me: UserId, message: &Message) {
        match message.system.as_ref() {
            Some(SystemEvent::TitleChanged { title }) => self.view.title = Some(title.clone()),
            Some(SystemEvent::RoleChanged { user_id, role }) => {
                if *user_id == me {
                    self.view.role = *role;
                }
                for participant in &mut self.view.participants {
                    if participant.user.id == *user_id {
                        participant.role = *role;
                    }
                }
            }
            Some(SystemEvent::ParticipantAdded { user_ids }) => {
                self.view.participant_count += user_ids.len() as i64;
            }
            Some(SystemEvent::ParticipantRemoved { .. } | SystemEvent::ParticipantLeft { .. }) => {
                self.view.participant_count -= 1;
            }
            Some(SystemEvent::Created) | None => {}
        }
    }

    fn read(&mut self, me: UserId, mark: &MarkMoved) {
        if mark.user_id == me && mark.last_read_seq > self.view.last_read_seq {
            self.view.last_read_seq = mark.last_read_seq;
            self.view.last_read_at = mark.last_read_at;
            self.view.unread_count = mark.unread_count.expect("my own count");
            let as_of = mark.unread_as_of_seq.expect("its evidence");
            // Counted since, beyond what the mark knew of.
            let since = self.messages.range(as_of + 1..);
            let since = since.filter(|(_, message)| self.counts(me, message)).count();
            self.view.unread_count += since as i64;
            self.view.unread_as_of_seq = self.view.unread_as_of_seq.max(as_of);
        }
    }
}

/// Everything comparable about a view: people's own marks and names reach
/// others best-effort and are compared elsewhere.
fn comparable(view: &Conversation) -> serde_json::Value {
    let mut value = serde_json::to_value(view).expect("json");
    value.as_object_mut().expect("an object").remove("participants");
    value
}

async fn replay(database: Database, steps: Vec<Step>) {
    let cluster = Cluster::start(database, 1).await;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(cluster.register(&format!("person{n}")).await);
    }
    let others: Vec<_> = people[1..3].iter().collect();
    let id = people[0].group("Replay", &others).await.id;
    people[1].direct(&people[2]).await;

    let mut devices = Vec::new();
    let mut clients = Vec::new();
    for person in &people {
        let device = person.connect().await;
        let mut client = Client::default();
        client.snapshot(&device);
        devices.push(device);
        clients.push(client);
    }
    for (n, step) in steps.into_iter().enumerate() {
        if let Step::Reconnect { who } = step {
            // What it had not read yet is lost with the socket.
            let device = people[who].resume(clients[who].cursors()).await;
            devices[who] = device;
            let missed = std::mem::take(&mut devices[who].missed);
            clients[who].snapshot(&devices[who]);
            missed.into_iter().for_each(|frame| clients[who].apply(frame));
            continue;
        }
        act(&people, id, n, step).await;
    }
    for ((person, device), client) in people.iter().zip(&mut devices).zip(&mut clients) {
        settle(device, client).await;
        // What another replica wrote comes in a moment; what this one wrote is
        // there before its answer.
        if database == Database::PostgresAndRedis {
            eventually("the client holds everything", SOON, async || {
                settle(device, client).await;
                difference(person, client).await.is_none().then_some(())
            })
            .await;
        }
        assert_eq!(difference(person, client).await, None);
    }
}

async fn act(people: &[Person], id: ConversationId, n: usize, step: Step) {
    let seq = |message: usize| message as Seq % 60 + 1;
    let messages = format!("/conversations/{id}/messages");
    let participants = format!("/conversations/{id}/participants");
    let me = format!("/conversations/{id}/me");
    let key = ClientMessageId::new();
    // Refusals are part of the game: what is refused must change nothing.
    let answer = match step {
        Step::Send { who } => {
            let body = json!({ "client_msg_id": key, "body": format!("message {n}") });
            people[who].post(&messages, body).await
        }
        Step::Reply { who, to } => {
            let body = json!({ "client_msg_id": key, "body": "re", "reply_to_seq": seq(to) });
            people[who].post(&messages, body).await
        }
        Step::Edit { who, message } => {
            let body = json!({ "body": format!("edited {n}") });
            people[who].patch(&format!("{messages}/{}", seq(message)), body).await
        }
        Step::Delete { who, message } => {
            people[who].delete(&format!("{messages}/{}", seq(message))).await
        }
        Step::Read { who, message } => {
            let path = format!("/conversations/{id}/read");
            people[who].post(&path, json!({ "seq": seq(message) })).await
        }
        Step::Mute { who, on } => people[who].patch(&me, json!({ "muted": on })).await,
        Step::Pin { who, on } => people[who].patch(&me, json!({ "pinned": on })).await,
        Step::Rename { who } => {
            let body = json!({ "title": format!("Title {n}") });
            people[who].patch(&format!("/conversations/{id}"), body).await
        }
        Step::Promote { who, whom, role } => {
            let role = ["member", "admin", "owner"][role];
            let body = json!({ "role": role });
            people[who].patch(&format!("{participants}/{}", people[whom].id()), body).await
        }
        Step::Add { who, whom } => {
            people[who].post(&participants, json!({ "user_ids": [people[whom].id()] })).await
        }
        Step::Remove { who, whom } => {
            people[who].delete(&format!("{participants}/{}", people[whom].id())).await
        }
        Step::DisplayName { who } => {
            people[who].patch("/users/me", json!({ "display_name": format!("Name {n}") })).await
        }
        Step::Reconnect { .. } => return,
    };
    assert!(!answer.status.is_server_error(), "{} {}", answer.status, answer.body);
}

/// Applies whatever has been sent: an answer to a ping comes after it.
async fn settle(device: &mut Device, client: &mut Client) {
    // Twice: the first answer may overtake what the hub hands over just now.
    for _ in 0..2 {
        let id = device.post("ping", json!({})).await;
        loop {
            match device.next().await {
                ServerFrame::Pong { id: Some(FrameId::Number(pong)), .. } if pong == id => break,
                frame => client.apply(frame),
            }
        }
        tokio::task::yield_now().await;
    }
}

/// What the client holds and what a fresh snapshot says, where they differ.
async fn difference(person: &Person, client: &Client) -> Option<String> {
    let fresh = person.connect().await;
    let differ = |mine: &dyn std::fmt::Debug, truth: &dyn std::fmt::Debug| {
        let (mine, truth) = (format!("{mine:#?}"), format!("{truth:#?}"));
        (mine != truth).then(|| format!("held {mine}\nbut is {truth}"))
    };
    let mut seen: Vec<_> = client.held.values().map(|held| comparable(&held.view)).collect();
    let mut truth: Vec<_> = fresh.snapshot.iter().map(comparable).collect();
    for views in [&mut seen, &mut truth] {
        views.sort_by_key(|view| view["id"].to_string());
    }
    let mut found =
        differ(&client.name, &fresh.ready.user.display_name).or_else(|| differ(&seen, &truth));
    for held in client.held.values() {
        let last = (held.cursor.event_id, Some(held.view.last_event_id));
        found = found.or_else(|| differ(&last.0, &last.1));
        let path = format!("/conversations/{}/messages?limit=200", held.view.id);
        let page: History = person.get(&path).await.ok();
        for message in page.messages {
            if let Some(mine) = held.messages.get(&message.seq) {
                found = found.or_else(|| differ(mine, &message));
            }
        }
    }
    found
}

fn check(database: Database, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let steps = proptest::collection::vec(step(), 1..60);
    let outcome = runner.run(&steps, |steps| {
        runtime.block_on(replay(database, steps));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn i13_snapshot_and_events_make_a_snapshot_on_sqlite() {
    check(Database::Sqlite, 12);
}

#[test]
fn i13_snapshot_and_events_make_a_snapshot_on_postgres() {
    check(Database::Postgres, 6);
}

#[test]
fn i13_snapshot_and_events_make_a_snapshot_on_replicas() {
    check(Database::PostgresAndRedis, 4);
}
