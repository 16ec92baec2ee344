//! Accounts and sessions: who somebody is, and until when. Chat knows nothing
//! of passwords, and nothing here knows of messages.
//!
//! *Nothing that this room hands out is stored as it is*: of passwords and
//! device secrets a hash is kept, of refresh tokens only a generation.

mod accounts;
pub mod admin;
mod authenticate;
pub mod key_file;
mod keyring;
pub mod keys;
mod login;
mod password;
mod refresh;
mod register;
mod seals;
mod sessions;
mod settings;
mod token;

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::sync::watch;

pub use authenticate::Verified;
pub use keyring::Keys;
pub use keys::KeySet;
pub use password::Passwords;
pub use seals::BusKeys;
pub use sessions::Refreshed;
pub use settings::*;

use crate::{
    cache::{
        Cache,
        limits::{Limits, Rule},
    },
    clock::Clock,
    model::*,
    problem::{Code, Problem},
    store::{Store, StoreError},
};

/// Handle to accounts and sessions; cheap to clone.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Clock,
    keys: Keys,
    passwords: Passwords,
    limits: Limits,
    cache: Cache,
    settings: AuthSettings,
}

/// What a client keeps to act as one device.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: Secret,
    pub expires_in: Duration,
    pub refresh: Secret,
}

/// A new device of a user.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub tokens: Tokens,
    /// Shown this once.
    pub device_secret: Secret,
    pub user: User,
    pub device: Device,
    /// Others of the user's devices had to go for it: tell their sessions.
    pub displaced: bool,
}

impl Auth {
    /// Fails only where the system has no random bytes.
    pub fn new(
        store: Store,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        cache: Cache,
        settings: AuthSettings,
    ) -> Result<Self, Problem> {
        let passwords = Passwords::new(settings.passwords)?;
        let inner = Inner { store, clock, keys, passwords, limits, cache, settings };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether what was signed with this key still counts; no I/O.
    pub fn key_known(&self, kid: &str) -> bool {
        self.inner.keys.find(kid).is_some()
    }

    /// Wakes when keys came or went: look at [`Auth::key_known`] again.
    pub fn keys_changed(&self) -> watch::Receiver<Arc<KeySet>> {
        self.inner.keys.changes()
    }

    pub fn settings(&self) -> &AuthSettings {
        &self.inner.settings
    }

    /// Counts one by `user` against `rule`, over all kinds of requests.
    pub async fn pace(&self, user: UserId, rule: Rule) -> Result<(), Problem> {
        let key = format!("rest:user:{user}");
        let taken = self.inner.limits.take_soon(&key, rule, self.inner.now()).await;
        taken.map_err(Problem::rate_limited)
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn take(&self, key: &str, rule: Rule) -> Result<(), Problem> {
        self.limits.take(key, rule, self.now()).await.map_err(Problem::rate_limited)
    }

    async fn give_back(&self, key: &str, rule: Rule) {
        self.limits.give_back(key, rule, self.now()).await;
    }

    fn tokens(&self, who: Principal, epoch: i64, generation: i64) -> Result<Tokens, Problem> {
        let now = self.now();
        let ttl = self.settings.access_ttl;
        let (access, _) = token::issue(&self.keys, token::Kind::Access, who, epoch, now, ttl)?;
        let refresh = refresh::issue(&self.keys, who.device, generation, now);
        Ok(Tokens { access, expires_in: ttl, refresh })
    }
}

/// What an address counts as. One household or server has a whole /64 of
/// IPv6, so that is one.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn signed_out() -> Problem {
    Problem::new(Code::SignedOut, "This session has ended; sign in again.")
}

/// The store's failures, naming the field they are about.
fn stored(error: StoreError) -> Problem {
    let mut problem = Problem::from(error);
    if problem.code == Code::UsernameTaken {
        problem.field = Some("username");
    }
    problem
}

#[cfg(test)]
mod flow_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_count_together() {
        let same = |a: &str, b: &str| {
            let address = |s: &str| network(s.parse().expect("an address"));
            address(a) == address(b)
        };
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
