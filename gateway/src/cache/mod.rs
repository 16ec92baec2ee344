//! What may be forgotten: unread counts with their evidence, presence leases.
//! Losing all of it loses nothing that people said.

pub mod limits;
mod presence;
mod unread;

pub use presence::{LeaseId, Transition};
pub use unread::Evidence;

use std::{sync::Arc, time::Duration};

use crate::model::*;

/// The cache of one replica; cheap to clone. A closed set: the embedded
/// default keeps it in the process.
#[derive(Clone)]
pub enum Cache {
    Local(Arc<Local>),
}

pub struct Local {
    unread: unread::LocalUnread,
    presence: presence::LocalPresence,
    /// Whether other replicas may hold leases that are not seen from here.
    alone: bool,
}

impl Cache {
    /// `alone`: no other replica serves the same users, so that who has no
    /// lease here is offline rather than unknown.
    pub fn local(alone: bool, offline_after: Duration) -> Self {
        let presence = presence::LocalPresence::new(offline_after);
        Self::Local(Arc::new(Local { unread: Default::default(), presence, alone }))
    }

    // ---- unread counts

    /// The cached counts whose evidence still holds, in the order asked.
    pub async fn unread(
        &self,
        user: UserId,
        of: &[(ConversationId, Evidence)],
    ) -> Vec<Option<i64>> {
        match self {
            Self::Local(local) => local.unread.look_up(user, of),
        }
    }

    pub async fn put_unread(&self, user: UserId, counts: &[(ConversationId, Evidence, i64)]) {
        match self {
            Self::Local(local) => local.unread.put(user, counts),
        }
    }

    // ---- presence

    /// Takes or renews a connection's lease; what others see may change.
    pub async fn lease(
        &self,
        user: UserId,
        lease: LeaseId,
        status: SettablePresence,
        expires_at: Timestamp,
    ) -> Option<Transition> {
        match self {
            Self::Local(local) => local.presence.lease(user, lease, status, expires_at),
        }
    }

    /// Ends a lease cleanly: offline follows after the grace.
    pub async fn release(&self, user: UserId, lease: LeaseId, now: Timestamp) {
        match self {
            Self::Local(local) => local.presence.release(user, lease, now),
        }
    }

    /// In the order asked.
    pub async fn statuses(&self, users: &[UserId]) -> Vec<PresenceStatus> {
        match self {
            Self::Local(local) => {
                let statuses = local.presence.statuses(users);
                statuses.into_iter().map(|status| local.seen_from_here(status)).collect()
            }
        }
    }

    /// Leases that have run out by now: what others see of their users.
    pub async fn sweep(&self, now: Timestamp) -> Vec<Transition> {
        match self {
            Self::Local(local) => {
                let mut transitions = local.presence.sweep(now);
                for transition in &mut transitions {
                    transition.status = local.seen_from_here(transition.status);
                }
                transitions
            }
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
