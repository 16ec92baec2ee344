//! What may be forgotten: unread counts with their evidence, presence leases,
//! spent tickets, rate limits. Losing all of it loses nothing that people said.

pub mod limits;
mod presence;
mod redis;
mod unread;

pub use presence::{LeaseId, Swept, Transition};
pub use redis::{RedisCache, RedisLimits};
pub use unread::Evidence;

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{model::*, shutdown::Shutdown};

/// The cache of one replica; cheap to clone. A closed set: the embedded
/// default keeps it in the process.
#[derive(Clone)]
pub struct Cache {
    kept: Kept,
    /// How long after their last device left a user is shown as offline.
    offline_after: Duration,
}

#[derive(Clone)]
enum Kept {
    Local(Arc<Local>),
    Redis(Arc<RedisCache>),
}

struct Local {
    unread: unread::LocalUnread,
    presence: presence::LocalPresence,
    /// Whether other replicas may hold leases that are not seen from here.
    alone: bool,
}

impl Cache {
    /// `alone`: no other replica serves the same users, so that who has no
    /// lease here is offline rather than unknown.
    pub fn local(alone: bool, offline_after: Duration) -> Self {
        let (unread, presence) = (Default::default(), Default::default());
        let kept = Kept::Local(Arc::new(Local { unread, presence, alone }));
        Self { kept, offline_after }
    }

    pub fn redis(cache: Arc<RedisCache>, offline_after: Duration) -> Self {
        Self { kept: Kept::Redis(cache), offline_after }
    }

    /// Starts what keeps it going, until the kill.
    pub fn start(&self, shutdown: &Shutdown) {
        if let Kept::Redis(redis) = &self.kept {
            let link = redis.link().clone();
            shutdown.supervise("redis cache", link.follow(shutdown.kill_token()));
        }
    }

    // ---- unread counts

    /// The cached counts whose evidence still holds, in the order asked.
    pub async fn unread(
        &self,
        user: UserId,
        of: &[(ConversationId, Evidence)],
    ) -> Vec<Option<i64>> {
        match &self.kept {
            Kept::Local(local) => local.unread.look_up(user, of),
            Kept::Redis(redis) => redis.unread(user, of).await,
        }
    }

    pub async fn put_unread(&self, user: UserId, counts: &[(ConversationId, Evidence, i64)]) {
        match &self.kept {
            Kept::Local(local) => local.unread.put(user, counts),
            Kept::Redis(redis) => redis.put_unread(user, counts).await,
        }
    }

    /// [`Bug::HincrbyUnread`](crate::planted::Bug).
    pub async fn increment_unread(&self, users: Vec<UserId>, id: ConversationId) {
        if let Kept::Redis(redis) = &self.kept {
            redis.increment_unread(users, id).await;
        }
    }

    // ---- presence

    /// Takes or renews a connection's lease; what others see may change, and
    /// they must be [told](Self::told).
    pub async fn lease(
        &self,
        user: UserId,
        lease: LeaseId,
        status: SettablePresence,
        now: Timestamp,
        valid_for: Duration,
    ) -> Option<Transition> {
        match &self.kept {
            Kept::Local(local) => local.presence.lease(user, lease, status, now + valid_for),
            Kept::Redis(redis) => redis.lease(user, lease, status, valid_for).await,
        }
    }

    /// Ends a lease cleanly: offline follows after the grace.
    pub async fn release(&self, user: UserId, lease: LeaseId, now: Timestamp) {
        let grace = self.offline_after;
        match &self.kept {
            Kept::Local(local) => local.presence.release(user, lease, now + grace),
            Kept::Redis(redis) => redis.release(user, lease, grace).await,
        }
    }

    /// In the order asked.
    pub async fn statuses(&self, users: &[UserId]) -> Vec<PresenceStatus> {
        match &self.kept {
            Kept::Local(local) => {
                let statuses = local.presence.statuses(users);
                statuses.into_iter().map(|status| local.seen_from_here(status)).collect()
            }
            Kept::Redis(redis) => redis.statuses(users).await,
        }
    }

    /// Leases that have run out by now: what others see of their users. Where
    /// several replicas share a cache, each transition comes to one of them.
    pub async fn sweep(&self, now: Timestamp) -> Swept {
        match &self.kept {
            Kept::Local(local) => {
                let mut transitions = local.presence.sweep(now);
                for transition in &mut transitions {
                    transition.status = local.seen_from_here(transition.status);
                }
                Swept { transitions, lost: false }
            }
            Kept::Redis(redis) => redis.sweep().await,
        }
    }

    /// The watchers of these users know; what of it is no longer so must be told
    /// as well. Who is not reported here is reported by a later sweep again,
    /// perhaps to another replica.
    pub async fn told(&self, transitions: &[Transition]) -> Vec<Transition> {
        match &self.kept {
            _ if transitions.is_empty() => vec![],
            Kept::Local(_) => {
                let users: Vec<_> = transitions.iter().map(|told| told.user).collect();
                let now = transitions.iter().zip(self.statuses(&users).await);
                let changed = now.filter(|(told, status)| told.status != *status);
                changed.map(|(told, status)| Transition { status, ..*told }).collect()
            }
            Kept::Redis(redis) => {
                redis.told(transitions).await;
                vec![]
            }
        }
    }

    /// Leases are being taken anew: for so long who has none is unknown, rather
    /// than offline.
    pub fn settle(&self, within: Duration) {
        if let Kept::Redis(redis) = &self.kept {
            redis.settle(within);
        }
    }

    /// Wakes when presence becomes unknown or known again; null where it always
    /// is known.
    pub fn outages(&self) -> Option<tokio::sync::watch::Receiver<bool>> {
        match &self.kept {
            Kept::Local(_) => None,
            Kept::Redis(redis) => Some(redis.link().changes()),
        }
    }

    // ---- tickets

    /// Whether this call spent the ticket; null where the store must know.
    pub async fn spend_ticket(&self, ticket: Uuid, good_for: Duration) -> Option<bool> {
        match &self.kept {
            Kept::Local(_) => None,
            Kept::Redis(redis) => redis.spend_ticket(ticket, good_for).await.ok(),
        }
    }
}

impl Local {
    /// Nobody here is not the same as nobody anywhere.
    fn seen_from_here(&self, status: PresenceStatus) -> PresenceStatus {
        match status {
            PresenceStatus::Offline if !self.alone => PresenceStatus::Unknown,
            status => status,
        }
    }
}
