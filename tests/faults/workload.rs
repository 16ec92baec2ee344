//! What the people of a run do all the time: write, most of all; also edit,
//! delete, read, add and remove each other, and go offline for a while.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use parley::model::*;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    cast::Cast,
    device::{Op, Order},
    dice::Dice,
    history::{Changed, Outcome, Rule},
    rest::{Request, Settled},
    world::World,
};
use crate::support::limits::FAULTS_SETTLED;

/// The script of a run.
pub struct Workload {
    world: Arc<World>,
    cast: Arc<Cast>,
    dice: Mutex<Dice>,
    /// What must be answered before the run may be judged.
    under_way: TaskTracker,
    /// Messages that somebody is changing.
    busy: Mutex<HashSet<(ConversationId, Seq)>>,
    counter: AtomicUsize,
}

const TICK: Duration = Duration::from_millis(20);
/// Requests that wait for their answer: people wait too, before they say more. An
/// outage would otherwise leave behind more attempts than this process can make.
const UNDER_WAY: usize = 600;

impl Workload {
    pub fn new(world: Arc<World>, cast: Arc<Cast>, dice: Dice) -> Arc<Self> {
        let (under_way, busy) = (TaskTracker::new(), Mutex::default());
        let (dice, counter) = (Mutex::new(dice), AtomicUsize::new(0));
        Arc::new(Self { world, cast, dice, under_way, busy, counter })
    }

    /// Until `stop`, at the rate of the settings.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.world.history.load_is_on.store(true, Relaxed);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let each = self.world.settings.rate * TICK.as_millis() as usize / 1_000;
        let mut second = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            for _ in 0..each {
                if self.under_way.len() < UNDER_WAY {
                    self.act();
                }
            }
            if second.elapsed() >= Duration::from_secs(1) {
                second = Instant::now();
                self.let_some_leave();
            }
        }
        self.world.history.load_is_on.store(false, Relaxed);
    }

    /// One send, and now and then something beside it.
    fn act(self: &Arc<Self>) {
        let mut dice = self.dice.lock();
        let room = if dice.percent(20) { 0 } else { dice.below(self.cast.rooms.len()) };
        self.send(room, &mut dice);
        if dice.percent(5) {
            self.change(room, &mut dice);
        }
        if dice.percent(10) {
            let below = Seq::try_from(dice.below(20)).unwrap();
            self.read(room, below, &mut dice);
        }
        if dice.percent(1) {
            self.change_membership(room, &mut dice);
        }
    }

    /// Over a socket, or by REST: once, or twice at once; and sometimes again,
    /// at another replica, after it was answered.
    pub fn send(self: &Arc<Self>, room: usize, dice: &mut Dice) {
        let Some(who) = self.somebody(room, dice) else { return };
        let conversation = self.cast.rooms[room].id;
        let key = ClientMessageId::new();
        let n = self.counter.fetch_add(1, Relaxed);
        let body = format!("{} message {n} of {who}", self.cast.begun.elapsed().as_millis());
        let history = &self.world.history;
        let device = dice.pick(self.cast.devices_of(who));
        let by_socket = device.is_live() && dice.percent(75);
        let (twice, again) = (dice.percent(1), dice.percent(5));
        let at = dice.below(3);
        history.begin(key, conversation, self.cast.people[who].id());
        if by_socket && !twice {
            let _ = device.ops.send(Op::Send { key, conversation, body: body.clone() });
            if again {
                self.under_way.spawn(self.clone().repeat(who, conversation, key, body, at));
            }
            return;
        }
        let times = if twice { 2 } else { 1 };
        for n in 0..times {
            let (this, body) = (self.clone(), body.clone());
            self.under_way.spawn(async move {
                this.post(who, conversation, key, &body, at + n).await;
                if again {
                    this.post(who, conversation, key, &body, at + 1).await;
                }
            });
        }
    }

    /// What a client does that has lost the answer: asks again elsewhere.
    async fn repeat(
        self: Arc<Self>,
        who: usize,
        conversation: ConversationId,
        key: ClientMessageId,
        body: String,
        at: usize,
    ) {
        let acked = || match self.world.history.sends.lock().get(&key)?.outcome {
            Outcome::Unknown => None,
            Outcome::Acked { .. } => Some(true),
            Outcome::Refused => Some(false),
        };
        if super::within(FAULTS_SETTLED, acked).await == Some(true) {
            self.post(who, conversation, key, &body, at).await;
        }
    }

    async fn post(
        &self,
        who: usize,
        conversation: ConversationId,
        key: ClientMessageId,
        body: &str,
        at: usize,
    ) {
        let body = json!({ "client_msg_id": key, "body": body });
        let path = format!("/conversations/{conversation}/messages");
        let Settled { answer, repeated } = self.ask(who, Method::POST, path, Some(body), at).await;
        let history = &self.world.history;
        if repeated {
            history.answered(key, Outcome::Unknown);
        }
        match answer.status.as_u16() {
            200 | 201 => {
                // Who is no longer a member gets the fields of the ack alone.
                let body = answer.body;
                let id = body.get("id").or(body.get("message_id")).cloned().unwrap_or_default();
                let id = serde_json::from_value(id).expect("an id");
                let seq = body["seq"].as_i64().expect("a seq");
                history.answered(key, Outcome::Acked { seq, id, at: Instant::now() });
            }
            404 => history.answered(key, Outcome::Refused),
            status => history.violation(Rule::Refused, format!("{status}: {}", answer.body)),
        }
    }

    /// Edits or deletes one of one's own.
    fn change(self: &Arc<Self>, room: usize, dice: &mut Dice) {
        let Some(who) = self.somebody(room, dice) else { return };
        let conversation = self.cast.rooms[room].id;
        let me = self.cast.people[who].id();
        let view = self.cast.devices_of(who)[0].view.lock();
        let own = view.held.get(&conversation).and_then(|held| {
            let mine = |message: &&Message| {
                message.sender_id == me
                    && message.kind == MessageKind::Text
                    && message.deleted_at.is_none()
            };
            held.messages.values().rev().find(mine).map(|message| message.seq)
        });
        drop(view);
        let Some(seq) = own else { return };
        let place = (conversation, seq);
        let deleted = self.world.history.changes.lock().get(&place) == Some(&Changed::Deleted);
        if deleted || !self.busy.lock().insert(place) {
            return;
        }
        let (delete, at, n) = (dice.percent(40), dice.below(3), self.counter.fetch_add(1, Relaxed));
        let this = self.clone();
        self.under_way.spawn(async move {
            let path = format!("/conversations/{conversation}/messages/{seq}");
            let body = format!("changed {n}");
            let (method, change) = match delete {
                true => (Method::DELETE, Changed::Deleted),
                false => (Method::PATCH, Changed::Edited(body.clone())),
            };
            let body = (!delete).then(|| json!({ "body": body }));
            let settled = this.ask(who, method, path, body, at).await;
            let history = &this.world.history;
            match settled.answer.status.as_u16() {
                200..=204 => {
                    history.changes.lock().insert(place, change);
                }
                404 => {} // removed meanwhile
                status => {
                    let what = format!("a change: {status} {}", settled.answer.body);
                    history.violation(Rule::Refused, what);
                }
            }
            this.busy.lock().remove(&place);
        });
    }

    /// `below` the newest that some device has.
    pub fn read(&self, room: usize, below: Seq, dice: &mut Dice) {
        let Some(who) = self.somebody(room, dice) else { return };
        let device = dice.pick(self.cast.devices_of(who));
        let conversation = self.cast.rooms[room].id;
        if device.is_live() {
            let _ = device.ops.send(Op::Read { conversation, below });
        }
    }

    /// The first of a group removes somebody, or lets them in again.
    fn change_membership(self: &Arc<Self>, room: usize, dice: &mut Dice) {
        if self.cast.rooms[room].kind == ConversationKind::Direct {
            return;
        }
        let (place, at) = (dice.below(self.cast.rooms[room].people.len() - 1) + 1, dice.below(3));
        let this = self.clone();
        self.under_way.spawn(async move {
            let room = &this.cast.rooms[room];
            let Ok(_alone) = room.changing.try_lock() else { return };
            let whom = room.people[place];
            let id = this.cast.people[whom].id();
            let is_in = room.inside.lock().contains(&whom);
            let path = format!("/conversations/{}/participants", room.id);
            let (method, path, body) = match is_in {
                true => (Method::DELETE, format!("{path}/{id}"), None),
                false => (Method::POST, path, Some(json!({ "user_ids": [id] }))),
            };
            let settled = this.ask(room.people[0], method, path, body, at).await;
            match settled.answer.status.as_u16() {
                200..=204 => {}
                // An earlier attempt had removed them already.
                404 if is_in && settled.repeated => {}
                status => {
                    let what = format!("a membership: {status} {}", settled.answer.body);
                    this.world.history.violation(Rule::Refused, what);
                }
            }
            let mut inside = room.inside.lock();
            match is_in {
                true => inside.remove(&whom),
                false => inside.insert(whom),
            };
        });
    }

    async fn ask(
        &self,
        who: usize,
        method: Method,
        path: String,
        body: Option<Value>,
        at: usize,
    ) -> Settled {
        let request = Request { person: &self.cast.people[who], method, path, body };
        request.settle(&self.world.doors, at, &self.world.history).await
    }

    /// Who is in a room, as far as is known.
    fn somebody(&self, room: usize, dice: &mut Dice) -> Option<usize> {
        let room = &self.cast.rooms[room];
        let who = *dice.pick(&room.people);
        room.inside.lock().contains(&who).then_some(who)
    }

    /// About one device in ten is offline at any time, for some seconds.
    fn let_some_leave(&self) {
        let mut dice = self.dice.lock();
        for device in &self.cast.devices {
            if device.is_wanted() && dice.percent(2) {
                self.leave_for(device.order.clone(), dice.seconds(2.0, 8.0));
            }
        }
    }

    fn leave_for(&self, order: tokio::sync::watch::Sender<Order>, time: Duration) {
        order.send_replace(Order::Offline);
        self.under_way.spawn(async move {
            super::pause(time).await;
            order.send_replace(Order::Online);
        });
    }

    /// Every send and every change has a definite answer, or is one without.
    pub async fn settled(&self) {
        self.under_way.close();
        let settled = timeout(FAULTS_SETTLED, self.under_way.wait()).await.is_ok();
        self.under_way.reopen();
        let history = &self.world.history;
        let answered = || (history.unknown() == 0).then_some(());
        if !settled || super::within(FAULTS_SETTLED, answered).await.is_none() {
            let unknown = history.unknown();
            history.violation(Rule::Incomplete, format!("{unknown} sends without an answer"));
        }
    }

    /// The last words of a run: everybody reads to somewhere near the end, and
    /// then a few more messages come that nothing follows.
    pub async fn last_words(self: &Arc<Self>) {
        let mut dice = self.dice.lock().fork();
        for (room, it) in self.cast.rooms.iter().enumerate() {
            let inside: Vec<_> = it.inside.lock().iter().copied().collect();
            for who in inside {
                let device = &self.cast.devices_of(who)[dice.below(self.cast.devices_each)];
                let below = Seq::try_from(dice.below(50)).unwrap();
                let _ = device.ops.send(Op::Read { conversation: it.id, below });
            }
            for _ in 0..=dice.below(4) {
                self.send(room, &mut dice);
            }
            if dice.percent(50) {
                self.change(room, &mut dice);
            }
        }
        self.settled().await;
    }
}
