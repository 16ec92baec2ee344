//! Local connections, indexed by conversation, by user, and by whom they
//! watch. A registration is a guard: dropping it unregisters, and the last one
//! removes the topic.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};

use super::{
    Cause, Hub,
    mailbox::{ConnectionId, Ending, Mailbox},
    ring::{Offer, Ring},
    wheel::Wheel,
};
use crate::model::*;

/// Locks are short, but there are many conversations.
const SHARDS: usize = 64;
/// What a client sent away is asked to wait before it connects again.
const RECONNECT_AFTER_MS: u64 = 200;

#[derive(Default)]
pub(super) struct Registry {
    conversations: Sharded<ConversationId, Arc<Channel>>,
    users: Sharded<UserId, UserTopic>,
    pub(super) wheel: Wheel,
}

type Listeners = HashMap<ConnectionId, Arc<Mailbox>>;

/// A conversation with local connections.
pub(super) struct Channel {
    pub(super) id: ConversationId,
    state: Mutex<ChannelState>,
}

#[derive(Default)]
struct ChannelState {
    ring: Ring,
    listeners: Listeners,
    filling: bool,
    /// Asked to fill while filling.
    again: bool,
}

#[derive(Default)]
struct UserTopic {
    own: Listeners,
    watchers: Listeners,
}

impl Registry {
    pub(super) fn channel(&self, id: ConversationId) -> Option<Arc<Channel>> {
        self.conversations.shard(&id).get(&id).cloned()
    }

    pub(super) fn tell_user(&self, user: UserId, envelope: &Envelope) {
        let Event::Signal(signal) = &envelope.event else { return };
        let shard = self.users.shard(&user);
        let Some(topic) = shard.get(&user) else { return };
        let (own, watchers) = match **signal {
            Signal::Presence { .. } => (false, true),
            Signal::Profile { .. } => (true, true),
            _ => (true, false),
        };
        let own = topic.own.values().filter(|_| own);
        let watchers = topic.watchers.values().filter(|_| watchers);
        own.chain(watchers).for_each(|mailbox| mailbox.push(envelope));
    }

    pub(super) fn user_changed(&self, user: UserId) {
        if let Some(topic) = self.users.shard(&user).get(&user) {
            topic.own.values().for_each(|mailbox| mailbox.changed());
        }
    }

    pub(super) fn connections_of(&self, user: UserId) -> usize {
        self.users.shard(&user).get(&user).map_or(0, |topic| topic.own.len())
    }

    /// Counts and takes under one lock: however many come at once, no more than
    /// `most` stay.
    fn take_place(&self, user: UserId, mailbox: &Arc<Mailbox>, most: usize) -> bool {
        let mut shard = self.users.shard(&user);
        if shard.get(&user).map_or(0, |topic| topic.own.len()) >= most {
            return false;
        }
        shard.entry(user).or_default().own.insert(mailbox.id, mailbox.clone());
        true
    }

    pub(super) fn held_conversations(&self) -> Vec<ConversationId> {
        self.conversations.keys()
    }
}

impl ChannelState {
    fn take_in(&mut self, entry: &Arc<Entry>, envelope: &Envelope) -> Offer {
        let offer = self.ring.offer(entry);
        match offer {
            Offer::Extends => self.listeners.values().for_each(|mailbox| mailbox.push(envelope)),
            // Makes the next fill read from the head and so verify it.
            Offer::Contradicts => self.ring.hint(Seq::MAX),
            Offer::Known | Offer::Ahead => {}
        }
        offer
    }

    /// Whether entries are missing and nobody fills yet; who fills already will
    /// look once more.
    fn begin_filling(&mut self) -> bool {
        if !self.ring.lacks() {
            return false;
        }
        self.again |= self.filling;
        !std::mem::replace(&mut self.filling, true)
    }
}

impl Channel {
    pub(super) fn head(&self) -> Option<(Seq, EventId)> {
        self.state.lock().ring.head()
    }

    /// Takes an entry in; if it extends the head, tells everyone here. Beside
    /// it whether the caller must [fill](Hub::fill).
    pub(super) fn offer(&self, envelope: &Envelope) -> (Offer, bool) {
        let Event::Entry(entry) = &envelope.event else { return (Offer::Known, false) };
        let mut state = self.state.lock();
        let offer = state.take_in(entry, envelope);
        // In one step with the offer: a filler that ends in between would take
        // the hint for answered.
        let fill = offer != Offer::Known && state.begin_filling();
        (offer, fill)
    }

    /// An entry that the filler itself has found.
    pub(super) fn found(&self, envelope: &Envelope) {
        let Event::Entry(entry) = &envelope.event else { return };
        self.state.lock().take_in(entry, envelope);
    }

    /// A participant's signal, for the connections of the others.
    pub(super) fn tell_others(&self, signal: &Signal, envelope: &Envelope) {
        let (Signal::Read { user_id, .. } | Signal::Typing { user_id, .. }) = signal else {
            return;
        };
        let state = self.state.lock();
        let others = state.listeners.values().filter(|m| m.principal.user != *user_id);
        others.for_each(|mailbox| mailbox.push(envelope));
    }

    pub(super) fn read(&self, position: Cursor) -> Option<Vec<Arc<Entry>>> {
        self.state.lock().ring.after(position)
    }

    /// A snapshot of one connection saw this head; true if the caller must
    /// fill.
    pub(super) fn confirm(&self, seq: Seq, event_id: EventId, connection: ConnectionId) -> bool {
        let mut state = self.state.lock();
        // The head got there before this connection's snapshot did, and was told
        // to nobody where it was the first that was known.
        if state.ring.head().is_some_and(|(head, _)| head > seq)
            && let Some(mailbox) = state.listeners.get(&connection)
        {
            mailbox.behind(self.id);
        }
        state.ring.confirm(seq, event_id);
        state.begin_filling()
    }

    /// What somebody who compares saw in the store; a head that is not the one
    /// held here must be verified. True if the caller must fill.
    pub(super) fn compare(&self, seq: Seq, event_id: EventId) -> bool {
        let mut state = self.state.lock();
        match state.ring.head() {
            Some((held, id)) if held > seq || (held == seq && id != event_id) => {
                state.ring.hint(Seq::MAX);
            }
            _ => state.ring.confirm(seq, event_id),
        }
        state.begin_filling()
    }

    /// The log is another one: every connection here looks for itself.
    pub(super) fn restart(&self, seq: Seq, event_id: EventId) {
        self.state.lock().ring.restart(seq, event_id);
        self.all_behind();
    }

    pub(super) fn all_behind(&self) {
        let state = self.state.lock();
        state.listeners.values().for_each(|mailbox| mailbox.behind(self.id));
    }

    /// True when there is more to do.
    pub(super) fn end_filling(&self, more: bool) -> bool {
        let mut state = self.state.lock();
        let again = std::mem::take(&mut state.again);
        state.filling = more || again;
        if !state.filling {
            state.ring.caught_up();
        }
        state.filling
    }

    /// Local connections in it.
    pub(super) fn listening(&self) -> usize {
        self.state.lock().listeners.len()
    }

    pub(super) fn stop_filling(&self) {
        self.state.lock().filling = false;
    }
}

/// A connection that is known here: by its user, and to the heartbeat.
pub struct Registered {
    hub: Hub,
    pub mailbox: Arc<Mailbox>,
}

/// A connection's place in a conversation.
pub struct Joined {
    hub: Hub,
    pub(super) channel: Arc<Channel>,
    connection: ConnectionId,
}

/// A connection's interest in somebody's presence and profile.
pub struct Watched {
    hub: Hub,
    user: UserId,
    connection: ConnectionId,
}

impl Hub {
    /// Returns once everything told about the user from now on arrives in the
    /// mailbox; none when the user has `most` connections here already.
    pub async fn register(&self, principal: Principal, most: usize) -> Option<Registered> {
        let mailbox = Mailbox::new(principal, self.inner.origin);
        let registry = &self.inner.registry;
        let user = principal.user;
        if !registry.take_place(user, &mailbox, most) {
            return None;
        }
        registry.wheel.add(&mailbox);
        let registered = Registered { hub: self.clone(), mailbox };
        self.inner.bus.subscribe(&[Topic::User(user)]).await;
        Some(registered)
    }

    /// Returns once every entry of these conversations that commits from now
    /// on is noticed here.
    pub async fn join(&self, ids: &[ConversationId], mailbox: &Arc<Mailbox>) -> Vec<Joined> {
        let joined = ids
            .iter()
            .map(|id| {
                let mut shard = self.inner.registry.conversations.shard(id);
                let channel = shard.entry(*id).or_insert_with(|| Channel::new(*id)).clone();
                channel.state.lock().listeners.insert(mailbox.id, mailbox.clone());
                Joined { hub: self.clone(), channel, connection: mailbox.id }
            })
            .collect();
        let topics: Vec<_> = ids.iter().copied().map(Topic::Conversation).collect();
        self.inner.bus.subscribe(&topics).await;
        joined
    }

    pub async fn watch(&self, users: &[UserId], mailbox: &Arc<Mailbox>) -> Vec<Watched> {
        let watched = users
            .iter()
            .map(|user| {
                let mut shard = self.inner.registry.users.shard(user);
                let topic = shard.entry(*user).or_default();
                topic.watchers.insert(mailbox.id, mailbox.clone());
                Watched { hub: self.clone(), user: *user, connection: mailbox.id }
            })
            .collect();
        let topics: Vec<_> = users.iter().copied().map(Topic::User).collect();
        self.inner.bus.subscribe(&topics).await;
        watched
    }

    /// Local connections, all and of one user.
    pub fn connections(&self) -> usize {
        self.inner.registry.wheel.len()
    }

    pub fn connections_of(&self, user: UserId) -> usize {
        self.inner.registry.connections_of(user)
    }

    /// Ends every local connection, evenly over `window`: each is a client
    /// that another replica has to take in.
    pub async fn send_away(&self, window: Duration) {
        let all = self.inner.registry.wheel.all();
        let pause = window.checked_div(u32::try_from(all.len()).unwrap_or(u32::MAX));
        for mailbox in all {
            mailbox.end(Ending { cause: Cause::Restart, after_ms: Some(RECONNECT_AFTER_MS) });
            tokio::time::sleep(pause.unwrap_or_default()).await;
        }
        // Those that were just opening when it began.
        for mailbox in self.inner.registry.wheel.all() {
            mailbox.end(Ending { cause: Cause::Restart, after_ms: Some(RECONNECT_AFTER_MS) });
        }
    }
}

impl Channel {
    fn new(id: ConversationId) -> Arc<Self> {
        Arc::new(Self { id, state: Mutex::default() })
    }
}

impl Joined {
    pub fn id(&self) -> ConversationId {
        self.channel.id
    }

    /// Tells the hub what this connection's snapshot saw, so that it knows where
    /// the log ends; and this connection, should the hub know of more.
    pub fn confirm(&self, seq: Seq, event_id: EventId) {
        if self.channel.confirm(seq, event_id, self.connection) {
            self.hub.fill(self.channel.clone());
        }
    }
}

impl Joined {
    /// Tells the hub where the log was seen to end, later than at a snapshot.
    pub(super) fn compare(&self, seq: Seq, event_id: EventId) {
        if self.channel.compare(seq, event_id) {
            self.hub.fill(self.channel.clone());
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let user = self.mailbox.principal.user;
        self.hub.inner.registry.wheel.remove(self.mailbox.id);
        self.hub.leave_user(user, |topic| {
            topic.own.remove(&self.mailbox.id);
        });
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.hub.leave_user(self.user, |topic| {
            topic.watchers.remove(&self.connection);
        });
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let id = self.channel.id;
        // The shard stays locked until the bus knows: a join that comes right
        // after must not be undone by this leave.
        let mut shard = self.hub.inner.registry.conversations.shard(&id);
        let mut state = self.channel.state.lock();
        state.listeners.remove(&self.connection);
        if state.listeners.is_empty() {
            shard.remove(&id);
            self.hub.inner.bus.unsubscribe(&[Topic::Conversation(id)]);
        }
    }
}

impl Hub {
    fn leave_user(&self, user: UserId, leave: impl FnOnce(&mut UserTopic)) {
        let mut shard = self.inner.registry.users.shard(&user);
        let Some(topic) = shard.get_mut(&user) else { return };
        leave(topic);
        if topic.own.is_empty() && topic.watchers.is_empty() {
            shard.remove(&user);
            self.inner.bus.unsubscribe(&[Topic::User(user)]);
        }
    }
}

/// A map in many small locks.
struct Sharded<K, V>(Vec<Mutex<HashMap<K, V>>>);

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

impl<K: std::hash::Hash + Eq + Copy, V> Sharded<K, V> {
    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        use std::hash::BuildHasher;
        let hash =
            std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(key);
        let index = usize::try_from(hash).unwrap_or_default() % SHARDS;
        self.0[index].lock()
    }

    fn keys(&self) -> Vec<K> {
        self.0.iter().flat_map(|shard| shard.lock().keys().copied().collect::<Vec<_>>()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing of the entry between a snapshot and the head was pushed to
    /// anyone where that head was the first that was known.
    #[test]
    fn a_snapshot_below_the_head_makes_its_connection_look_again() {
        let channel = Channel::new(ConversationId::new());
        let me = Principal { user: UserId::new(), device: DeviceId::new() };
        let [late, current] = [Mailbox::new(me, 1), Mailbox::new(me, 1)];
        for mailbox in [&late, &current] {
            channel.state.lock().listeners.insert(mailbox.id, mailbox.clone());
        }
        let newest = EventId::new();
        assert!(!channel.confirm(12, newest, current.id));
        assert!(!channel.confirm(11, EventId::new(), late.id));
        assert!(late.take().behind.contains(&channel.id));
        assert!(current.take().behind.is_empty());
        assert!(!channel.confirm(12, newest, late.id));
        assert!(late.take().behind.is_empty());
    }
}
