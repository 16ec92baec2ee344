//! Connecting and resuming are one path; catching up and looking again at the
//! account are its smaller sisters.
//!
//! The order is what makes it safe: listen first, then read. What commits
//! after the snapshot is announced to a place that exists already; what was
//! announced before it lies below the snapshot and is passed over.

use std::collections::{HashMap, HashSet};

use super::{
    connection::{Connection, Socket},
    places::{Place, Step},
};
use crate::{
    chat::{Start, start_of},
    hub::{Cause, Item, Pulled},
    model::*,
    planted::{self, Bug},
    problem::{Code, Problem},
    store::{Membership, Select, UserState},
};

/// Items of one snapshot frame. Far below the limit of a frame: a socket's
/// write buffer stays as large as the largest frame it ever held.
const SNAPSHOT_BYTES: usize = 4 * 1024;

impl<S: Socket> Connection<S> {
    pub(super) async fn resume(&mut self, hello: Hello) -> Result<(), Cause> {
        let user = self.who().user;
        let account = self.account().await?;
        let ids: Vec<_> = current(&account).map(|membership| membership.conversation_id).collect();
        let chat = self.state.chat.clone();
        let mut too_early = None;
        if planted::has(Bug::HistoryFirst) {
            too_early = Some(chat.all_views(user).await.map_err(|p| failed(&p))?);
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
        let joined = chat.hub().join(&ids, &self.registered.mailbox).await;
        let mut joined: HashMap<_, _> = joined.into_iter().map(|j| (j.id(), j)).collect();
        // Only now the snapshot: a removal that it does not show comes later
        // than its `last_seq`, to a place that listens.
        let mut views = match too_early {
            Some(views) => views,
            None => chat.all_views(user).await.map_err(|p| failed(&p))?,
        };
        let before = views.len();
        views.retain(|view| joined.contains_key(&view.id));
        // Joined in between: added like any other, after `live`.
        let added_meanwhile = views.len() < before;
        self.tell_conversations(&views).await?;

        let shown: HashSet<_> = views.iter().map(|view| view.id).collect();
        for id in hello.cursors.keys().filter(|id| !shown.contains(id)) {
            let ended = account.memberships.iter().find(|m| m.conversation_id == *id);
            self.tell_removed(*id, ended.and_then(|membership| membership.left_seq)).await?;
        }
        for view in &views {
            let Some(joined) = joined.remove(&view.id) else { continue };
            let mut place = Place::at(joined, view, user);
            match start_of(hello.cursors.get(&view.id).copied(), view) {
                Start::Snapshot => {}
                Start::Cursor(cursor) => place.cursor = cursor,
                Start::Reset(reason) => self.tell_reset(view.clone(), reason).await?,
            }
            self.places.insert(view.id, place);
        }
        // Not ours: they were gone again by the time of the snapshot, or are
        // added below.
        drop(joined);
        for view in &views {
            let mut reached = None;
            while let Some(place) = self.places.get(&view.id)
                && place.cursor.seq < view.last_seq
            {
                let seq = place.cursor.seq;
                if reached.replace(seq) == Some(seq) && !self.registered.mailbox.is_urgent() {
                    // Another log than the snapshot's: it is noted as behind,
                    // and looked at after `live`.
                    break;
                }
                self.heed().await?;
                self.catch_up(view.id).await?;
            }
        }
        self.state.metrics.resumed(if hello.cursors.is_empty() { "snapshot" } else { "cursors" });
        self.outlet.frame(&ServerFrame::Live { payload: Empty {} }).await?;
        if added_meanwhile || std::mem::take(&mut self.look_later) {
            self.look_at_account().await?;
        }
        Ok(())
    }

    /// While catching up: what cannot wait until that is done. The rest stays
    /// noted.
    async fn heed(&mut self) -> Result<(), Cause> {
        let mailbox = self.registered.mailbox.clone();
        let urgent = mailbox.take_urgent();
        if let Some(ending) = urgent.ending {
            return self.end(ending).await;
        }
        if urgent.changed {
            self.account().await?;
            self.look_later = true;
        }
        if urgent.beat {
            self.beat().await?;
        }
        Ok(())
    }

    /// The snapshot, in as many frames as it takes.
    async fn tell_conversations(&mut self, views: &[Conversation]) -> Result<(), Cause> {
        let mut rest = views;
        loop {
            let mut bytes = 0;
            let fits = |view: &&Conversation| {
                bytes += serde_json::to_vec(view).map_or(0, |json| json.len() + 1);
                bytes <= SNAPSHOT_BYTES
            };
            let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
            let (items, later) = rest.split_at(count);
            rest = later;
            let payload = ConversationPage { items: items.to_vec(), done: rest.is_empty() };
            self.outlet.frame(&ServerFrame::Conversations { payload }).await?;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Tells one item if it is next; else the conversation it belongs to is
    /// behind, or it does not concern this connection.
    pub(super) async fn tell(&mut self, item: Item) -> Result<Option<ConversationId>, Cause> {
        match item {
            Item::Entry { entry, accepted_at, remote } => {
                let id = entry.conversation_id;
                match self.places.get(&id).map(|place| place.step(&entry)) {
                    Some(Step::Next) => {
                        self.tell_entry(&entry).await?;
                        let took = self.state.chat.clock().now().since(accepted_at);
                        self.state.metrics.delivered(remote, took);
                    }
                    Some(Step::Behind) => return Ok(Some(id)),
                    Some(Step::Known) | None => {}
                }
            }
            Item::Signal { topic, signal } => self.tell_signal(topic, &signal).await?,
        }
        Ok(None)
    }

    async fn tell_entry(&mut self, entry: &Entry) -> Result<(), Cause> {
        let (id, me) = (entry.conversation_id, self.who().user);
        if entry.removed == Some(me) {
            self.places.remove(&id);
            // A log that loses its end loses removals too.
            self.registered.mailbox.changed();
            return self.tell_removed(id, Some(entry.seq)).await;
        }
        let Some(place) = self.places.get_mut(&id) else { return Ok(()) };
        place.advance(entry);
        let frame = entry.frame_for(place.visible_from_seq);
        self.outlet.encoded(&frame).await
    }

    async fn tell_signal(&mut self, topic: Topic, signal: &Signal) -> Result<(), Cause> {
        match signal {
            Signal::Read { frame, .. } | Signal::Typing { frame, .. } => match topic {
                Topic::Conversation(id) if self.places.contains_key(&id) => {
                    self.outlet.encoded(frame).await
                }
                _ => Ok(()),
            },
            Signal::Mark { conversation_id, last_read_seq, frame } => {
                let Some(place) = self.places.get_mut(conversation_id) else { return Ok(()) };
                if *last_read_seq <= place.mark {
                    return Ok(());
                }
                place.mark = *last_read_seq;
                self.outlet.encoded(frame).await
            }
            Signal::Settings { conversation_id, settings } => {
                self.tell_settings(*conversation_id, *settings).await
            }
            Signal::Profile { user } => self.tell_profile(user.clone()).await,
            Signal::Presence { presence } => {
                let payload = presence.clone();
                self.outlet.frame(&ServerFrame::PresenceUpdated { payload }).await
            }
            Signal::Changed => Ok(()), // a flag of the mailbox
        }
    }

    async fn tell_settings(&mut self, id: ConversationId, settings: Settings) -> Result<(), Cause> {
        let Some(place) = self.places.get_mut(&id) else { return Ok(()) };
        if std::mem::replace(&mut place.settings, settings) == settings {
            return Ok(());
        }
        let frame = ServerFrame::ConversationSettings { conversation_id: id, payload: settings };
        self.outlet.frame(&frame).await
    }

    async fn tell_profile(&mut self, user: User) -> Result<(), Cause> {
        if user.id == self.who().user {
            self.display_name.clone_from(&user.display_name);
        }
        self.outlet.frame(&ServerFrame::UserUpdated { payload: user }).await
    }

    async fn tell_removed(
        &mut self,
        conversation_id: ConversationId,
        left_seq: Option<Seq>,
    ) -> Result<(), Cause> {
        let payload = Left { left_seq };
        self.outlet.frame(&ServerFrame::ConversationRemoved { conversation_id, payload }).await
    }

    async fn tell_reset(&mut self, view: Conversation, reason: ResetReason) -> Result<(), Cause> {
        self.state.metrics.resumed("reset");
        let conversation_id = view.id;
        let payload = Reset { reason, conversation: view };
        self.outlet.frame(&ServerFrame::ConversationReset { conversation_id, payload }).await
    }

    /// Pulls what is known above this place, a page at a time; what is left
    /// then, or when something more urgent waits, is noted to be looked at
    /// again. *No reader, however slow, outlives its session.*
    pub(super) async fn catch_up(&mut self, id: ConversationId) -> Result<(), Cause> {
        let user = self.who().user;
        let Some(place) = self.places.get(&id) else { return Ok(()) };
        let (hub, reader) = (self.state.chat.hub().clone(), place.reader(user));
        let pulled = hub.pull(&place.joined, place.cursor, reader, place.page()).await;
        match pulled.map_err(|error| failed(&error.into()))? {
            Pulled::Entries { entries, complete } => {
                if let Some(place) = self.places.get_mut(&id) {
                    place.weigh(&entries);
                }
                let mailbox = self.registered.mailbox.clone();
                for entry in &entries {
                    if mailbox.is_urgent() {
                        mailbox.behind(id);
                        return Ok(());
                    }
                    if self.places.get(&id).is_some_and(|p| p.step(entry) == Step::Next) {
                        self.tell_entry(entry).await?;
                    }
                }
                if !complete && !entries.is_empty() {
                    mailbox.behind(id);
                }
                Ok(())
            }
            Pulled::Gone { left_seq } => {
                self.places.remove(&id);
                self.tell_removed(id, left_seq).await
            }
            Pulled::Fork => self.start_over(id).await,
        }
    }

    /// The log is another one than was told: the client drops what it has.
    async fn start_over(&mut self, id: ConversationId) -> Result<(), Cause> {
        let user = self.who().user;
        match self.state.chat.view(user, id).await {
            Ok(view) => {
                if let Some(place) = self.places.remove(&id) {
                    self.places.insert(id, Place::at(place.joined, &view, user));
                }
                self.tell_reset(view, ResetReason::Fork).await
            }
            Err(problem) if problem.code == Code::NotFound => {
                self.places.remove(&id);
                self.tell_removed(id, None).await
            }
            Err(problem) => Err(failed(&problem)),
        }
    }

    /// The account as it is now; an end of the session ends the connection.
    pub(super) async fn account(&mut self) -> Result<UserState, Cause> {
        let who = self.who();
        let state = self.state.chat.user_state(who.user).await.map_err(|p| failed(&p))?;
        state
            .filter(|state| {
                !state.disabled
                    && state.token_epoch == self.verified.token_epoch
                    && state.live_devices.contains(&who.device)
            })
            .ok_or(Cause::SignedOut)
    }

    /// Compares everything held about the user with the store: memberships,
    /// marks, settings, name. Whatever bell was not heard is made good here.
    pub(super) async fn look_at_account(&mut self) -> Result<(), Cause> {
        let account = self.account().await?;
        let memberships: HashMap<_, _> =
            current(&account).map(|m| (m.conversation_id, m.clone())).collect();
        let ended: Vec<_> = self
            .places
            .iter()
            .filter(|(id, place)| {
                memberships.get(id).is_none_or(|now| now.joined_seq != place.joined_seq)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in ended {
            self.places.remove(&id);
            let left = account.memberships.iter().find(|m| m.conversation_id == id);
            self.tell_removed(id, left.and_then(|membership| membership.left_seq)).await?;
        }
        let (held, new): (Vec<_>, Vec<_>) =
            memberships.into_values().partition(|m| self.places.contains_key(&m.conversation_id));
        for membership in held {
            self.look_at_membership(&membership).await?;
        }
        if !new.is_empty() {
            self.add(new.into_iter().map(|m| m.conversation_id).collect()).await?;
        }
        if account.user.display_name != self.display_name {
            self.tell_profile(account.user).await?;
        }
        Ok(())
    }

    async fn look_at_membership(&mut self, now: &Membership) -> Result<(), Cause> {
        let id = now.conversation_id;
        let settings = Settings { muted: now.muted, pinned: now.pinned };
        self.tell_settings(id, settings).await?;
        if self.places.get(&id).is_none_or(|place| place.mark >= now.mark.last_read_seq) {
            return Ok(());
        }
        match self.state.chat.own_mark_signal(self.who().user, id).await {
            Ok(signal) => self.tell_signal(Topic::User(self.who().user), &signal).await,
            Err(problem) if problem.code == Code::NotFound => Ok(()), // left just now
            Err(problem) => Err(failed(&problem)),
        }
    }

    /// Conversations joined while connected: their events follow from
    /// `joined_seq`.
    async fn add(&mut self, ids: Vec<ConversationId>) -> Result<(), Cause> {
        let user = self.who().user;
        let chat = self.state.chat.clone();
        let joined = chat.hub().join(&ids, &self.registered.mailbox).await;
        let mut joined: HashMap<_, _> = joined.into_iter().map(|j| (j.id(), j)).collect();
        let views = chat.views(user, &Select::These(ids)).await.map_err(|p| failed(&p))?;
        let partners_before = self.partners().count();
        for view in views {
            let (id, before_first) = (view.id, view.joined_seq - 1);
            let Some(joined) = joined.remove(&id) else { continue };
            let mut place = Place::at(joined, &view, user);
            place.cursor = Cursor { seq: before_first, event_id: None };
            self.places.insert(id, place);
            let frame = ServerFrame::ConversationAdded { conversation_id: id, payload: view };
            self.outlet.frame(&frame).await?;
            // Looked at with everything else that is behind: should the store
            // not answer just then, it stays noted.
            self.registered.mailbox.behind(id);
        }
        if self.partners().count() != partners_before {
            self.tell_presence().await?;
        }
        Ok(())
    }

    fn partners(&self) -> impl Iterator<Item = UserId> {
        self.places.values().filter_map(|place| place.partner)
    }

    /// Watches direct partners and whoever was asked for, and tells how each
    /// of them is now.
    pub(super) async fn tell_presence(&mut self) -> Result<(), Cause> {
        let wanted: HashSet<_> = self.partners().chain(self.watch_list.iter().copied()).collect();
        self.watched.retain(|user, _| wanted.contains(user));
        let new: Vec<_> =
            wanted.iter().copied().filter(|user| !self.watched.contains_key(user)).collect();
        let hub = self.state.chat.hub().clone();
        let guards = hub.watch(&new, &self.registered.mailbox).await;
        self.watched.extend(new.into_iter().zip(guards));
        let wanted: Vec<_> = wanted.into_iter().collect();
        let presences = self.state.chat.presences(&wanted).await.map_err(|p| failed(&p))?;
        for payload in presences {
            self.outlet.frame(&ServerFrame::PresenceUpdated { payload }).await?;
        }
        Ok(())
    }
}

/// Without the store there is nothing sound to tell: better to come back and
/// resume than to be served a guess.
fn failed(problem: &Problem) -> Cause {
    tracing::warn!(%problem, "a connection cannot be served just now");
    Cause::Overloaded
}

fn current(account: &UserState) -> impl Iterator<Item = &Membership> {
    account.memberships.iter().filter(|membership| membership.left_seq.is_none())
}
