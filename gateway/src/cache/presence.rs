//! Presence within one process: a lease per connection; online while any lease
//! says so, away while the others do, offline a grace after the last one ended.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use crate::model::{PresenceStatus, SettablePresence, Timestamp, UserId};

/// Names a lease: the connection's id, and the replica's where several share.
pub type LeaseId = u64;

/// What others see of a user has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    pub user: UserId,
    pub status: PresenceStatus,
}

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Swept {
    pub transitions: Vec<Transition>,
    /// Leases were lost that may still be held: take them anew.
    pub lost: bool,
}

#[derive(Default)]
pub(super) struct LocalPresence {
    users: Mutex<HashMap<UserId, Leases>>,
}

#[derive(Default)]
struct Leases {
    held: BTreeMap<LeaseId, Lease>,
    /// What others were last told.
    shown: Option<PresenceStatus>,
}

struct Lease {
    status: SettablePresence,
    expires_at: Timestamp,
    /// Ended cleanly; counts until it expires, so that a reload of a page
    /// does not flicker, but no longer than another lease speaks.
    released: bool,
}

impl Leases {
    fn status(&self) -> PresenceStatus {
        let of = |wanted: &dyn Fn(&Lease) -> bool| self.held.values().any(wanted);
        let live = of(&|lease| !lease.released);
        let online =
            of(&|lease| lease.status == SettablePresence::Online && !(live && lease.released));
        match (self.held.is_empty(), online) {
            (true, _) => PresenceStatus::Offline,
            (false, true) => PresenceStatus::Online,
            (false, false) => PresenceStatus::Away,
        }
    }

    fn transition(&mut self, user: UserId) -> Option<Transition> {
        let status = self.status();
        let changed = self.shown.replace(status) != Some(status);
        changed.then_some(Transition { user, status })
    }
}

impl LocalPresence {
    pub(super) fn lease(
        &self,
        user: UserId,
        lease: LeaseId,
        status: SettablePresence,
        expires_at: Timestamp,
    ) -> Option<Transition> {
        let mut users = self.users.lock();
        let leases = users.entry(user).or_default();
        leases.held.insert(lease, Lease { status, expires_at, released: false });
        leases.transition(user)
    }

    pub(super) fn release(&self, user: UserId, lease: LeaseId, expires_at: Timestamp) {
        let mut users = self.users.lock();
        let Some(leases) = users.get_mut(&user) else { return };
        if !leases.held.contains_key(&lease) {
            return;
        }
        // Of those that have ended only the last one counts.
        leases.held.retain(|id, other| *id == lease || !other.released);
        if let Some(lease) = leases.held.get_mut(&lease) {
            lease.released = true;
            lease.expires_at = expires_at;
        }
    }

    pub(super) fn statuses(&self, users: &[UserId]) -> Vec<PresenceStatus> {
        let held = self.users.lock();
        let status = |user| held.get(user).map_or(PresenceStatus::Offline, Leases::status);
        users.iter().map(status).collect()
    }

    pub(super) fn sweep(&self, now: Timestamp) -> Vec<Transition> {
        let mut transitions = Vec::new();
        self.users.lock().retain(|user, leases| {
            leases.held.retain(|_, lease| lease.expires_at > now);
            transitions.extend(leases.transition(*user));
            !leases.held.is_empty()
        });
        transitions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PresenceStatus::{Away, Offline, Online};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000).unwrap()
    }

    fn told(transitions: &[Transition]) -> Vec<PresenceStatus> {
        transitions.iter().map(|transition| transition.status).collect()
    }

    #[test]
    fn a_reload_within_the_grace_does_not_flicker() {
        let presence = LocalPresence::default();
        let user = UserId::new();
        let first = presence.lease(user, 1, SettablePresence::Online, at(60));
        assert_eq!(first.map(|t| t.status), Some(Online));
        presence.release(user, 1, at(15));
        assert_eq!(presence.statuses(&[user]), [Online]);
        assert_eq!(presence.lease(user, 2, SettablePresence::Online, at(70)), None);
        assert_eq!(presence.sweep(at(16)), []);
        presence.release(user, 2, at(25));
        assert_eq!(presence.sweep(at(24)), []);
        assert_eq!(told(&presence.sweep(at(26))), [Offline]);
    }

    #[test]
    fn a_lease_that_is_not_renewed_ends() {
        let presence = LocalPresence::default();
        let user = UserId::new();
        presence.lease(user, 1, SettablePresence::Online, at(60));
        assert_eq!(told(&presence.sweep(at(61))), [Offline]);
        assert_eq!(presence.statuses(&[user]), [Offline]);
    }

    #[test]
    fn away_only_when_no_device_is_online() {
        let presence = LocalPresence::default();
        let user = UserId::new();
        presence.lease(user, 1, SettablePresence::Online, at(60));
        assert_eq!(presence.lease(user, 2, SettablePresence::Away, at(60)), None);
        presence.release(user, 1, at(6));
        assert_eq!(told(&presence.sweep(at(1))), [Away]);
    }
}
