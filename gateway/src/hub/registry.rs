//! Local connections, indexed by conversation, by user, and by whom they
//! watch. A registration is a guard: dropping it unregisters, and the last one
//! removes the topic.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};

use super::{
    Cause, Hub,
    channel::Channel,
    mailbox::{ConnectionId, Ending, Listeners, Mailbox},
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
        self.conversations.keys_of(|_| true)
    }

    /// Those whose head has moved since it was compared with the store's.
    pub(super) fn moved_conversations(&self) -> Vec<ConversationId> {
        self.conversations.keys_of(|channel| channel.has_moved())
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

    fn keys_of(&self, meant: impl Fn(&V) -> bool) -> Vec<K> {
        let mut keys = Vec::new();
        for shard in &self.0 {
            let shard = shard.lock();
            keys.extend(shard.iter().filter(|(_, value)| meant(value)).map(|(key, _)| *key));
        }
        keys
    }
}
