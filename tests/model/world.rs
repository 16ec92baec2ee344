//! One conversation, two replicas, and two people with a device each at most:
//! Bo, who is removed and added, begins on the first, Ada, who stays, on the
//! second. A step is what the gateway does between two points at which others
//! may come in between.

use super::{
    Left, Scope, Variant,
    explorer::Model,
    hub::{Channel, Fill},
    store::{Cursor, Id, Judged, Phase, Position, Seq, Store, What},
};

/// Entries that wait for a connection; more, and it is behind.
pub(super) const MAILBOX: usize = 1;
/// Entries pulled at once.
pub(super) const PAGE: usize = 2;
pub(super) const BO: usize = 0;
/// Among the ids on a bus: Bo's account has changed.
pub(super) const CHANGED: Id = 0;

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub store: Store,
    pub(super) replicas: [Replica; 2],
    pub(super) devices: Vec<Device>,
    pub(super) messages: Vec<(usize, Message)>,
    left: Left,
}

#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Replica {
    pub(super) channel: Option<Channel>,
    pub(super) position: Option<Position>,
    /// On their way here, in no order.
    pub(super) bus: Vec<Id>,
    pub(super) deaf: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Device {
    /// The highest entry applied. None: it shows no such conversation.
    pub(super) shows: Option<Cursor>,
    pub(super) connection: Option<Connection>,
}

#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Connection {
    pub(super) replica: usize,
    /// Its mailbox is among the channel's listeners.
    pub(super) listens: bool,
    pub(super) live: bool,
    /// Read too early, in one design.
    pub(super) view: Option<View>,
    /// Where the membership began for which it has a place.
    pub(super) place: Option<Seq>,
    pub(super) mailbox: Vec<Id>,
    /// It did not get all; and it is about to pull.
    pub(super) behind: bool,
    pub(super) catching: bool,
    pub(super) changed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct View {
    pub(super) joined: Seq,
    pub(super) head: Cursor,
}

/// Message `n` is Ada's where n is even, else Bo's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Message {
    Unsent,
    /// The transaction that will answer.
    Asked(u8),
    Acked(Id),
    Refused,
}

#[derive(Clone, Copy)]
pub enum Step {
    Send(usize, usize),
    Change,
    Crash(usize),
    Drop(usize, Id),
    Repeat(usize, Id),
    Lag(usize),
    Disconnect(usize),
    Fork(usize),

    /// In one design alone.
    Answer(u8),
    Commit(u8),
    Announce(u8),
    Receive(usize, Id),
    Poll(usize),
    Read(usize),
    Fill(usize),
    Connect(usize, usize),
    GoLive(usize),
    Look(usize),
    LookAtAccount(usize),
    CatchUp(usize),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = |d: &usize| if *d == BO { "Bo" } else { "Ada" };
        let what = |id: &Id| match *id {
            CHANGED => "\"changed\"".to_owned(),
            id => format!("event {id}"),
        };
        match self {
            Self::Send(n, r) if n % 2 == 0 => write!(f, "Ada sends message {n} to replica {r}"),
            Self::Send(n, r) => write!(f, "Bo sends message {n} to replica {r}"),
            Self::Change => write!(f, "somebody removes Bo, or adds him again"),
            Self::Crash(r) => write!(f, "replica {r} crashes and starts again"),
            Self::Drop(r, id) => write!(f, "the bus loses {} for replica {r}", what(id)),
            Self::Repeat(r, id) => write!(f, "the bus repeats {} for replica {r}", what(id)),
            Self::Lag(r) => write!(f, "replica {r} lags behind its bus"),
            Self::Disconnect(d) => write!(f, "{}'s connection is lost", who(d)),
            Self::Fork(n) => write!(f, "the database loses its last {n} commits"),
            Self::Answer(xid) => write!(f, "transaction {xid} is answered"),
            Self::Commit(xid) => write!(f, "transaction {xid} commits"),
            Self::Announce(xid) => write!(f, "transaction {xid} is announced and answered"),
            Self::Receive(r, id) => write!(f, "replica {r} receives {}", what(id)),
            Self::Poll(r) => write!(f, "replica {r} polls the feed"),
            Self::Read(r) => write!(f, "replica {r} reads what is missing"),
            Self::Fill(r) => write!(f, "replica {r} takes in what it read"),
            Self::Connect(d, r) => write!(f, "{} connects to replica {r}", who(d)),
            Self::GoLive(d) => write!(f, "{} is told a snapshot", who(d)),
            Self::Look(d) => write!(f, "{} is told what waits in the mailbox", who(d)),
            Self::LookAtAccount(d) => write!(f, "{}'s connection looks at the account", who(d)),
            Self::CatchUp(d) => write!(f, "{}'s connection catches up", who(d)),
        }
    }
}

impl Model for Scope {
    type State = World;
    type Step = Step;

    fn start(&self) -> World {
        let store = Store::new(self.variant);
        let mut world = World {
            replicas: [(); 2]
                .map(|()| Replica { position: Some(store.poll(None).1), ..Replica::default() }),
            devices: vec![Device::default(); self.devices],
            messages: self.messages.iter().map(|number| (*number, Message::Unsent)).collect(),
            left: self.left,
            store,
        };
        for d in 0..self.devices {
            world.connect(d, d, self.variant);
            world.go_live(d, self.variant).expect("it begins well");
        }
        world
    }

    fn steps(&self, world: &World) -> Vec<Step> {
        let mut steps = world.chosen(self.through);
        world.coming(self.variant, &mut steps);
        steps
    }

    fn comes_by_itself(step: Step) -> bool {
        use Step::*;
        !matches!(
            step,
            Send(..) | Change | Crash(_) | Drop(..) | Repeat(..) | Lag(_) | Disconnect(_) | Fork(_)
        )
    }

    fn take(&self, world: &mut World, step: Step) -> Result<(), String> {
        world.take(step, self.variant)?;
        world.forget();
        let acked = world.messages.iter().filter_map(|(number, message)| match message {
            Message::Acked(id) => Some((*number, *id)),
            _ => None,
        });
        world.store.check(acked)
    }

    fn settled(&self, world: &World) -> Result<(), String> {
        let head = world.store.head();
        for (d, device) in world.devices.iter().enumerate() {
            let who = if d == BO { "Bo" } else { "Ada" };
            let is_member = d != BO || world.store.membership().is_some();
            match device.shows {
                Some(_) if !is_member => return Err(format!("{who} never learns of the removal")),
                None if is_member => return Err(format!("{who} never learns of being a member")),
                Some(shown) if shown.seq > head.seq => {
                    return Err(format!("{who} never learns that the end of the log is lost"));
                }
                Some(shown) if shown.seq < head.seq => {
                    return Err(format!("{who} never gets what the log ends with"));
                }
                Some(shown) if shown != head => {
                    return Err(format!("{who} never learns that the log is another one"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Replica {
    /// What is on its way here.
    fn carried(&self) -> impl Iterator<Item = Id> {
        let mut bus = self.bus.clone();
        bus.dedup();
        bus.into_iter()
    }
}

impl World {
    /// What makes no difference to what may come.
    fn forget(&mut self) {
        for replica in &mut self.replicas {
            if let Some(channel) = &mut replica.channel {
                channel.forget(&self.store);
            }
        }
        self.store.forget(self.replicas.iter_mut().filter_map(|r| r.position.as_mut()));
    }

    /// What somebody wants, and faults.
    fn chosen(&self, replicas: &[usize]) -> Vec<Step> {
        let mut steps = Vec::with_capacity(32);
        // One at a time of each, as clients do, and again while nobody answers.
        for author in [0, 1] {
            let waits = |(_, m): &&(_, Message)| matches!(m, Message::Unsent | Message::Asked(_));
            let mut own = self.messages.iter().filter(|(number, _)| number % 2 == author);
            if let Some((number, _)) = own.find(waits)
                && self.left.sends > 0
            {
                steps.extend(replicas.iter().map(|r| Step::Send(*number, *r)));
            }
        }
        if self.left.changes > 0 {
            steps.push(Step::Change);
        }
        if self.left.forks > 0 {
            steps.extend((1..=self.store.forkable().min(2)).map(Step::Fork));
        }
        if self.left.faults == 0 {
            return steps;
        }
        for (d, device) in self.devices.iter().enumerate() {
            if device.connection.is_some() {
                steps.push(Step::Disconnect(d));
            }
        }
        for (r, replica) in self.replicas.iter().enumerate() {
            steps.push(Step::Crash(r));
            for id in replica.carried() {
                steps.extend([Step::Drop(r, id), Step::Repeat(r, id), Step::Lag(r)]);
            }
        }
        steps
    }

    fn coming(&self, variant: Variant, steps: &mut Vec<Step>) {
        for t in &self.store.transactions {
            match t.phase {
                Phase::Waiting { .. } => {
                    steps.push(Step::Commit(t.xid));
                    if variant == Variant::AckFirst {
                        steps.push(Step::Answer(t.xid));
                    }
                }
                Phase::Committed(_) => steps.push(Step::Announce(t.xid)),
            }
        }
        for (r, replica) in (0..).zip(&self.replicas) {
            if !replica.deaf {
                steps.extend(replica.carried().map(|id| Step::Receive(r, id)));
            }
            if variant != Variant::NoFeed && !replica.deaf {
                steps.push(Step::Poll(r));
            }
            match replica.channel.as_ref().map(|channel| &channel.fill) {
                Some(Fill::Begun) => steps.push(Step::Read(r)),
                Some(Fill::Has(_)) => steps.push(Step::Fill(r)),
                _ => {}
            }
        }
        for (d, device) in (0..).zip(&self.devices) {
            let Some(connection) = &device.connection else {
                steps.extend([Step::Connect(d, 0), Step::Connect(d, 1)]);
                continue;
            };
            if !connection.live {
                steps.push(Step::GoLive(d));
                continue;
            }
            if !connection.catching && (connection.behind || !connection.mailbox.is_empty()) {
                steps.push(Step::Look(d));
            }
            if connection.changed {
                steps.push(Step::LookAtAccount(d));
            }
            if connection.catching {
                steps.push(Step::CatchUp(d));
            }
        }
    }

    /// Who asked a transaction that is no more may ask again.
    fn unanswered(&mut self) {
        let running: Vec<_> = self.store.transactions.iter().map(|t| t.xid).collect();
        for (_, message) in &mut self.messages {
            if matches!(message, Message::Asked(xid) if !running.contains(xid)) {
                *message = Message::Unsent;
            }
        }
    }

    fn take(&mut self, step: Step, variant: Variant) -> Result<(), String> {
        match step {
            Step::Send(..) => self.left.sends -= 1,
            Step::Change => self.left.changes -= 1,
            Step::Fork(_) => self.left.forks -= 1,
            fault if !Scope::comes_by_itself(fault) => self.left.faults -= 1,
            _ => {}
        }
        match step {
            Step::Send(n, r) => {
                let asked = Message::Asked(self.store.begin(r, What::Text(n)));
                let same = self.messages.iter_mut().filter(|(number, _)| *number == n);
                same.for_each(|(_, message)| *message = asked);
            }
            Step::Change => {
                let member = self.store.membership().is_some();
                self.store.begin(1, if member { What::Removed } else { What::Added });
            }
            Step::Crash(r) => {
                self.replicas[r] = Replica::default();
                for d in 0..self.devices.len() {
                    if self.devices[d].connection.as_ref().is_some_and(|c| c.replica == r) {
                        self.disconnect(d);
                    }
                }
                self.store.transactions.retain(|t| t.replica != r);
                self.unanswered();
            }
            Step::Drop(r, id) => self.take_off_the_bus(r, id),
            Step::Repeat(r, id) => self.put_on_the_bus(r, id),
            Step::Lag(r) => {
                let replica = &mut self.replicas[r];
                replica.bus.clear();
                // The design asks for a poll, which comes anyway.
                replica.deaf = variant == Variant::DeafAfterLag;
            }
            Step::Disconnect(d) => self.disconnect(d),
            Step::Fork(count) => {
                self.store.fork(count);
                // Another server, or the same in another life.
                self.replicas.iter_mut().for_each(|replica| replica.position = None);
                self.unanswered();
            }
            Step::Answer(xid) => self.answer(xid, Message::Acked(self.store.newest() + 1)),
            Step::Commit(xid) => match self.store.commit(xid) {
                Judged::Committed => {}
                Judged::Repeat(id) => self.answer(xid, Message::Acked(id)),
                Judged::Refused => self.answer(xid, Message::Refused),
            },
            Step::Announce(xid) => self.announce(xid),
            Step::Receive(r, id) => {
                self.take_off_the_bus(r, id);
                self.deliver(r, id);
            }
            Step::Poll(r) => self.poll(r, variant),
            Step::Read(r) => {
                if let Some(channel) = &mut self.replicas[r].channel {
                    channel.read(&self.store);
                }
            }
            Step::Fill(r) => {
                let Some(channel) = &mut self.replicas[r].channel else { return Ok(()) };
                let (told, all_behind) = channel.fill(&self.store);
                self.push(r, &told);
                if all_behind {
                    self.listeners(r).for_each(|connection| connection.behind = true);
                }
            }
            Step::Connect(d, r) => self.connect(d, r, variant),
            Step::GoLive(d) => return self.go_live(d, variant),
            Step::Look(d) => return self.look(d, variant),
            Step::LookAtAccount(d) => return self.look_at_account(d, variant),
            Step::CatchUp(d) => return self.catch_up(d, variant),
        }
        Ok(())
    }
}
