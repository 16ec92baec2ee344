//! Signing keys: a set with `kid`s, of which the newest that has come into
//! force signs and every one verifies.

use std::{fmt, sync::Arc};

use aws_lc_rs::{hmac, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::model::Timestamp;

pub(super) const SECRET_BYTES: usize = 32;
const KID_CHARS: usize = 64;

/// The example key of RFC 7515, which half the tutorials on tokens sign with.
const RFC_7515: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

/// One secret and its name. `Debug` shows no secret.
pub struct Key {
    pub kid: String,
    pub created_at: Timestamp,
    /// It verifies at once and signs from here on: by then every replica has
    /// read it.
    pub active_from: Timestamp,
    secret: Vec<u8>,
    pub(super) encoding: jsonwebtoken::EncodingKey,
    pub(super) decoding: jsonwebtoken::DecodingKey,
    refresh: hmac::Key,
    /// For envelopes between replicas.
    pub(super) bus: Arc<hmac::Key>,
}

/// Why a key or a set of keys cannot be used: a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadKey(pub(super) String);

impl Key {
    /// Refuses secrets that are short or guessable.
    pub fn new(
        kid: String,
        secret: Vec<u8>,
        created_at: Timestamp,
        active_from: Timestamp,
    ) -> Result<Self, BadKey> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if kid.is_empty() || kid.len() > KID_CHARS || !kid.chars().all(plain) {
            let rule = "a kid has 1 to 64 of A-Z a-z 0-9 - _";
            return Err(BadKey(format!("{rule}, which {kid:?} has not")));
        }
        if let Some(weakness) = weakness(&secret) {
            return Err(BadKey(format!(
                "the secret of key {kid:?} {weakness}; make one with `gateway keys generate`"
            )));
        }
        Ok(Self {
            encoding: jsonwebtoken::EncodingKey::from_secret(&secret),
            decoding: jsonwebtoken::DecodingKey::from_secret(&secret),
            refresh: derive(&secret, "parley refresh tokens, version 1"),
            bus: Arc::new(derive(&secret, "parley envelopes, version 1")),
            kid,
            created_at,
            active_from,
            secret,
        })
    }

    /// A new random one, named after the moment.
    pub fn generate(now: Timestamp, active_from: Timestamp) -> Result<Self, BadKey> {
        let mut secret = vec![0; SECRET_BYTES];
        let mut tail = [0; 4];
        rand::fill(&mut secret)
            .and_then(|()| rand::fill(&mut tail))
            .map_err(|_| BadKey("the system has no random bytes to make a key from".into()))?;
        let day = now.datetime().format("%Y%m%d");
        Self::new(format!("{day}-{:08x}", u32::from_be_bytes(tail)), secret, now, active_from)
    }

    /// For another purpose than tokens: `label` says which.
    pub fn derive(&self, label: &str) -> hmac::Key {
        derive(&self.secret, label)
    }

    pub(super) fn refresh(&self) -> &hmac::Key {
        &self.refresh
    }

    /// As it stands in the file; for writing it back, nothing else.
    pub(super) fn encoded_secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.secret)
    }
}

fn derive(secret: &[u8], label: &str) -> hmac::Key {
    let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), label.as_bytes());
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("created_at", &self.created_at)
            .field("active_from", &self.active_from)
            .finish_non_exhaustive()
    }
}

/// Why an attacker might guess it; 32 random bytes are never taken for weak.
fn weakness(secret: &[u8]) -> Option<&'static str> {
    if secret.len() < SECRET_BYTES {
        return Some("is shorter than 32 bytes");
    }
    let repeats = |period: usize| secret.iter().zip(&secret[period..]).all(|(a, b)| a == b);
    if (1..=SECRET_BYTES / 2).any(repeats) {
        return Some("repeats itself");
    }
    let mut seen = [false; 256];
    secret.iter().for_each(|b| seen[usize::from(*b)] = true);
    if seen.iter().filter(|s| **s).count() < SECRET_BYTES / 3 {
        return Some("has hardly any different bytes");
    }
    if secret.windows(2).all(|w| w[1] == w[0].wrapping_add(1)) {
        return Some("is a counting sequence");
    }
    if secret.iter().all(|b| (0x20..0x7f).contains(b)) {
        return Some("is text, not random bytes");
    }
    if URL_SAFE_NO_PAD.decode(RFC_7515).is_ok_and(|known| known == secret) {
        return Some("is a published example");
    }
    None
}

/// Every key of a deployment. Never empty, no `kid` twice.
pub struct KeySet {
    keys: Vec<Arc<Key>>,
}

impl KeySet {
    pub fn new(keys: Vec<Key>) -> Result<Self, BadKey> {
        if keys.is_empty() {
            return Err(BadKey("it holds no key; run `gateway keys rotate` to add one".into()));
        }
        for (n, key) in keys.iter().enumerate() {
            if keys[..n].iter().any(|other| other.kid == key.kid) {
                return Err(BadKey(format!("the kid {:?} is there twice", key.kid)));
            }
        }
        Ok(Self { keys: keys.into_iter().map(Arc::new).collect() })
    }

    pub fn find(&self, kid: &str) -> Option<&Arc<Key>> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    pub fn contains(&self, kid: &str) -> bool {
        self.find(kid).is_some()
    }

    /// Taken apart; only a set that nobody shares yet.
    pub(super) fn into_keys(self) -> Vec<Key> {
        self.keys.into_iter().filter_map(Arc::into_inner).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.iter()
    }

    /// The one to sign with: the newest in force, else the first to come.
    pub fn signing(&self, now: Timestamp) -> &Arc<Key> {
        let rank = |key: &&Arc<Key>| {
            let in_force = key.active_from <= now;
            let age = if in_force { key.active_from.millis() } else { -key.active_from.millis() };
            (in_force, age)
        };
        // `new` let no empty set through.
        self.keys.iter().max_by_key(rank).unwrap_or(&self.keys[0])
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000).expect("a time")
    }

    fn key(secret: Vec<u8>) -> Result<Key, BadKey> {
        Key::new("k".into(), secret, at(0), at(0))
    }

    #[test]
    fn weak_secrets_are_refused_with_a_way_out() {
        let weak = [
            b"short".to_vec(),
            vec![0; 32],
            vec![7; 64],
            b"0123456789abcdef".repeat(2),
            [1, 2, 3].repeat(11),
            (0..32).collect(),
            b"change-me-please-change-me-now!!".to_vec(),
            b"the quick brown fox jumps over the lazy dog".to_vec(),
            [0, 255, 1].iter().cycle().take(40).copied().collect(),
            URL_SAFE_NO_PAD.decode(RFC_7515).expect("base64url"),
        ];
        for secret in weak {
            let refused = key(secret.clone()).expect_err("weak").to_string();
            assert!(refused.contains("gateway keys generate"), "{refused}");
        }
        for _ in 0..200 {
            Key::generate(at(0), at(0)).expect("random is never weak");
        }
    }

    #[test]
    fn kids_are_plain_and_unique() {
        for kid in ["", "a/b", "../x", "a.b", "a b", "é", &"k".repeat(65)] {
            let secret = (0..32).map(|n: u8| n.wrapping_mul(37)).collect();
            assert!(Key::new(kid.into(), secret, at(0), at(0)).is_err(), "{kid:?}");
        }
        let twice = || {
            Key::new("k".into(), (0..32).map(|n: u8| n.wrapping_mul(37)).collect(), at(0), at(0))
        };
        assert!(KeySet::new(vec![twice().expect("good"), twice().expect("good")]).is_err());
        assert!(KeySet::new(vec![]).is_err());
    }

    #[test]
    fn the_newest_key_in_force_signs() {
        let old = Key::generate(at(0), at(0)).expect("a key");
        let new = Key::generate(at(100), at(190)).expect("a key");
        let (old_kid, new_kid) = (old.kid.clone(), new.kid.clone());
        let set = KeySet::new(vec![new, old]).expect("a set");
        assert_eq!(set.signing(at(189)).kid, old_kid);
        assert_eq!(set.signing(at(190)).kid, new_kid);
        assert_eq!(set.signing(at(0) - Duration::from_secs(60)).kid, old_kid, "none in force yet");
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = Key::generate(at(0), at(0)).expect("a key");
        let (encoded, raw) = (key.encoded_secret(), format!("{:?}", key.secret));
        let shown = format!("{:?}", KeySet::new(vec![key]).expect("a set"));
        assert!(!shown.contains(&encoded) && !shown.contains(&raw), "{shown}");
    }
}
