//! From a commit to the devices: announcing, the feed, and what a connection
//! does (`ws/resume.rs`).

use super::{
    Variant,
    hub::Channel,
    store::{Cursor, Id, Phase, Range, What},
    world::{BO, CHANGED, Connection, MAILBOX, Message, PAGE, View, World},
};

impl World {
    // ---- between the writers and the hubs

    pub(super) fn answer(&mut self, xid: u8, answer: Message) {
        // Who asked may be gone; then nobody hears it.
        let asked = self.messages.iter_mut().filter(|(_, m)| *m == Message::Asked(xid));
        asked.for_each(|(_, message)| *message = answer);
    }

    pub(super) fn announce(&mut self, xid: u8) {
        let transaction = self.store.end(xid);
        let Phase::Committed(id) = transaction.phase else { return };
        self.answer(xid, Message::Acked(id));
        let here = transaction.replica;
        let topics: &[Id] = if is_change(transaction.what) { &[id, CHANGED] } else { &[id] };
        for topic in topics {
            self.deliver(here, *topic);
            self.put_on_the_bus(1 - here, *topic);
        }
    }

    /// Nobody is subscribed where nobody listens.
    pub(super) fn put_on_the_bus(&mut self, r: usize, id: Id) {
        let heard = match id {
            CHANGED => self.devices[BO].connection.as_ref().is_some_and(|c| c.replica == r),
            _ => self.replicas[r].channel.is_some(),
        };
        if heard {
            self.replicas[r].bus.push(id);
            self.replicas[r].bus.sort_unstable();
        }
    }

    pub(super) fn take_off_the_bus(&mut self, r: usize, id: Id) {
        let bus = &mut self.replicas[r].bus;
        let at = bus.iter().position(|on_it| *on_it == id);
        at.map(|at| bus.remove(at));
    }

    pub(super) fn deliver(&mut self, r: usize, id: Id) {
        if id == CHANGED {
            return self.account_changed(r);
        }
        if let Some(channel) = &mut self.replicas[r].channel {
            let told = channel.offer(&self.store, id);
            self.push(r, &told);
        }
    }

    fn account_changed(&mut self, r: usize) {
        if let Some(connection) = self.devices[BO].connection.as_mut().filter(|c| c.replica == r) {
            connection.changed = true;
        }
    }

    pub(super) fn listeners(&mut self, r: usize) -> impl Iterator<Item = &mut Connection> {
        let connections = self.devices.iter_mut().filter_map(|device| device.connection.as_mut());
        connections.filter(move |connection| connection.listens && connection.replica == r)
    }

    pub(super) fn push(&mut self, r: usize, told: &[Id]) {
        for connection in self.listeners(r) {
            for id in told {
                if connection.behind {
                } else if connection.mailbox.len() >= MAILBOX {
                    connection.behind = true;
                } else {
                    connection.mailbox.push(*id);
                }
            }
        }
    }

    pub(super) fn poll(&mut self, r: usize, variant: Variant) {
        let position = self.replicas[r].position.take();
        let (rung, next) = self.store.poll(position.as_ref());
        self.replicas[r].position = Some(next);
        // Without a position everything held here is compared.
        let all = position.is_none();
        let changed = all || rung.iter().any(|id| is_change(self.store.entry(*id).what));
        let rung = all || !rung.is_empty();
        if let Some(channel) = &mut self.replicas[r].channel
            && (rung || channel.moved && variant != Variant::BelievedHeads)
        {
            channel.compare(self.store.head());
        }
        if changed {
            self.account_changed(r);
        }
    }

    // ---- connections

    fn view(&self, d: usize) -> Option<View> {
        let joined = if d == BO { self.store.membership() } else { Some(1) };
        joined.map(|joined| View { joined, head: self.store.head() })
    }

    fn connection(&mut self, d: usize) -> &mut Connection {
        self.devices[d].connection.as_mut().expect("it is connected")
    }

    fn listen(&mut self, d: usize, variant: Variant) {
        let connection = self.connection(d);
        connection.listens = true;
        let r = connection.replica;
        self.replicas[r].channel.get_or_insert_with(|| Channel::new(variant));
    }

    fn leave(&mut self, d: usize) {
        let connection = self.connection(d);
        (connection.listens, connection.place) = (false, None);
        let r = connection.replica;
        if self.listeners(r).next().is_none() {
            self.replicas[r].channel = None;
        }
    }

    pub(super) fn disconnect(&mut self, d: usize) {
        self.leave(d);
        self.devices[d].connection = None;
    }

    /// Registers, reads the memberships, joins.
    pub(super) fn connect(&mut self, d: usize, r: usize, variant: Variant) {
        self.devices[d].connection = Some(Connection { replica: r, ..Connection::default() });
        if variant == Variant::HistoryFirst {
            self.connection(d).view = self.view(d);
        } else if self.view(d).is_some() {
            self.listen(d, variant);
        }
    }

    /// Takes the snapshot, and judges where the device continues.
    pub(super) fn go_live(&mut self, d: usize, variant: Variant) -> Result<(), String> {
        self.connection(d).live = true;
        let mut view = self.view(d);
        if variant == Variant::HistoryFirst {
            view = self.connection(d).view.take();
            self.listen(d, variant);
        }
        let Some(view) = view else {
            self.leave(d);
            self.devices[d].shows = None;
            return Ok(());
        };
        if !self.connection(d).listens {
            // Joined in between.
            self.connection(d).changed = true;
            self.devices[d].shows = None;
            return Ok(());
        }
        self.connection(d).place = Some(view.joined);
        match self.devices[d].shows {
            Some(at) if continues(at, view, variant) => {
                self.connection(d).catching = at.seq < view.head.seq;
            }
            _ => self.devices[d].shows = Some(view.head),
        }
        self.confirm(d, view.head, variant);
        Ok(())
    }

    fn confirm(&mut self, d: usize, head: Cursor, variant: Variant) {
        let r = self.connection(d).replica;
        let Some(channel) = &mut self.replicas[r].channel else { return };
        let passed = channel.confirm(head);
        self.connection(d).behind |= passed && variant != Variant::HistoryFirst;
    }

    /// What waits is told first, then what is behind is pulled.
    pub(super) fn look(&mut self, d: usize, variant: Variant) -> Result<(), String> {
        let connection = self.connection(d);
        connection.catching = std::mem::take(&mut connection.behind);
        for id in std::mem::take(&mut connection.mailbox) {
            if self.connection(d).place.is_none() {
                continue;
            }
            match self.step(d, id, variant) {
                Step::Next => self.tell(d, id, variant)?,
                Step::Behind => self.connection(d).catching = true,
                Step::Known => {}
            }
        }
        Ok(())
    }

    fn step(&self, d: usize, id: Id, variant: Variant) -> Step {
        let entry = self.store.entry(id);
        let Some(at) = self.devices[d].shows else { return Step::Known };
        let follows = at.id.is_none() || entry.prev == at.id || variant == Variant::UncheckedPrev;
        let verified = variant != Variant::UnverifiedPositions;
        if entry.seq > at.seq && variant == Variant::SequenceOrder {
            return Step::Next;
        }
        if entry.seq == at.seq + 1 {
            return if follows { Step::Next } else { Step::Behind };
        }
        if entry.seq == at.seq && Some(id) != at.id && verified {
            return Step::Behind;
        }
        if entry.seq <= at.seq { Step::Known } else { Step::Behind }
    }

    /// The device applies it: what must hold whenever it does.
    fn tell(&mut self, d: usize, id: Id, variant: Variant) -> Result<(), String> {
        let entry = self.store.entry(id);
        let (who, seq) = (if d == BO { "Bo" } else { "Ada" }, entry.seq);
        if d == BO && entry.what == What::Removed {
            self.leave(d);
            self.devices[d].shows = None;
            // It may be of a log that has lost its end.
            self.connection(d).changed |= variant != Variant::BelievedRemovals;
            return Ok(());
        }
        let Some(at) = self.devices[d].shows else {
            return Err(format!("{who} is told of a conversation that was taken away"));
        };
        if seq != at.seq + 1 {
            return Err(format!("{who} applies {seq} after {}", at.seq));
        }
        if at.id.is_some() && entry.prev != at.id {
            return Err(format!("{who} applies event {id}, which does not follow what was there"));
        }
        if d == BO && self.store.membership_at(Some(id)).is_none_or(|from| seq < from) {
            return Err(format!("Bo is told {seq}, from outside of the membership"));
        }
        self.devices[d].shows = Some(Cursor { seq, id: Some(id) });
        Ok(())
    }

    pub(super) fn look_at_account(&mut self, d: usize, variant: Variant) -> Result<(), String> {
        self.connection(d).changed = false;
        let view = self.view(d);
        let place = self.connection(d).place;
        if place.is_some() && place != view.map(|view| view.joined) {
            self.leave(d);
            self.devices[d].shows = None;
        }
        if let (None, Some(view)) = (self.connection(d).place, view) {
            self.listen(d, variant);
            self.connection(d).place = Some(view.joined);
            self.devices[d].shows = Some(Cursor { seq: view.joined - 1, id: None });
            self.confirm(d, view.head, variant);
            self.connection(d).behind = true;
        }
        Ok(())
    }

    pub(super) fn catch_up(&mut self, d: usize, variant: Variant) -> Result<(), String> {
        self.connection(d).catching = false;
        let (Some(joined), Some(at)) = (self.connection(d).place, self.devices[d].shows) else {
            return Ok(());
        };
        let r = self.connection(d).replica;
        let Some(channel) = &mut self.replicas[r].channel else { return Ok(()) };
        let (entries, complete) = match channel.after(&self.store, at) {
            Some(entries) => (entries, true),
            None => match self.store.range(at, (d == BO).then_some(joined), PAGE) {
                Range::Entries(entries, head) => {
                    channel.compare(head);
                    let reached = entries.last().copied().or(at.id);
                    (entries, reached == head.id)
                }
                Range::Fork(_) => {
                    self.start_over(d, variant);
                    return Ok(());
                }
                Range::Gone => {
                    self.leave(d);
                    self.devices[d].shows = None;
                    return Ok(());
                }
            },
        };
        self.connection(d).behind |= !complete && !entries.is_empty();
        for id in entries {
            if self.connection(d).place.is_some() && self.step(d, id, variant) == Step::Next {
                self.tell(d, id, variant)?;
            }
        }
        Ok(())
    }

    fn start_over(&mut self, d: usize, variant: Variant) {
        match self.view(d) {
            Some(view) => {
                self.connection(d).place = Some(view.joined);
                self.devices[d].shows = Some(view.head);
                self.confirm(d, view.head, variant);
            }
            None => {
                self.leave(d);
                self.devices[d].shows = None;
            }
        }
    }
}

#[derive(PartialEq)]
enum Step {
    Next,
    Known,
    Behind,
}

/// `chat/sync.rs`.
fn continues(at: Cursor, view: View, variant: Variant) -> bool {
    let verified = variant != Variant::UnverifiedPositions;
    let other_top = at.seq == view.head.seq && at.id.is_some() && at.id != view.head.id;
    at.seq + 1 >= view.joined && at.seq <= view.head.seq && !(verified && other_top)
}

fn is_change(what: What) -> bool {
    matches!(what, What::Removed | What::Added)
}
