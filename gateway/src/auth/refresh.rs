//! Refresh tokens: `{device}.{generation}.{kid}.{mac}`. Nothing of them is
//! stored but each device's generation, so that the token that follows can be
//! told again to a caller who lost the answer, without keeping a secret.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{keyring::Keys, keys::Key};
use crate::model::{DeviceId, Secret, Timestamp};

/// Ours have about 130 bytes.
const MAX_BYTES: usize = 256;

/// A token that one of our keys has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Presented {
    pub device: DeviceId,
    pub generation: i64,
}

pub(super) fn issue(keys: &Keys, device: DeviceId, generation: i64, now: Timestamp) -> Secret {
    let key = keys.signing(now);
    let mac = hmac::sign(key.refresh(), &message(device, generation));
    let device = device.0.simple();
    let mac = URL_SAFE_NO_PAD.encode(mac);
    Secret::new(format!("{device}.{generation}.{}.{mac}", key.kid))
}

/// Null for anything that is not ours.
pub(super) fn read(keys: &Keys, token: &str) -> Option<Presented> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let mut parts = token.split('.');
    let (device, generation, kid, mac) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let presented =
        Presented { device: device.parse().ok()?, generation: generation.parse().ok()? };
    let key = keys.find(kid)?;
    verifies(&key, presented, &URL_SAFE_NO_PAD.decode(mac).ok()?).then_some(presented)
}

fn verifies(key: &Key, presented: Presented, mac: &[u8]) -> bool {
    let message = message(presented.device, presented.generation);
    hmac::verify(key.refresh(), &message, mac).is_ok()
}

fn message(device: DeviceId, generation: i64) -> [u8; 24] {
    let mut message = [0; 24];
    message[..16].copy_from_slice(device.0.as_bytes());
    message[16..].copy_from_slice(&generation.to_be_bytes());
    message
}

/// What to do with a token of a device that is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is the current one: move on from it.
    Rotate,
    /// It is the one before, and its answer may have been lost, or another
    /// tab was quicker: tell the current one again.
    Repeat,
    /// It was used up long ago: somebody has a copy.
    Reuse,
    /// Too long without a refresh.
    Expired,
    /// The store does not know this generation yet: it has come back without
    /// its last commits. Not the device's fault, but nothing to go on from.
    Ahead,
}

pub(super) fn decide(
    presented: i64,
    current: i64,
    rotated_at: Timestamp,
    now: Timestamp,
    ttl: Duration,
    grace: Duration,
) -> Decision {
    let since = now.since(rotated_at);
    match current.saturating_sub(presented) {
        ..0 => Decision::Ahead,
        0 if since > ttl => Decision::Expired,
        0 => Decision::Rotate,
        1 if since <= grace => Decision::Repeat,
        _ => Decision::Reuse,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::auth::keys::KeySet;

    const TTL: Duration = Duration::from_secs(30 * 86_400);
    const GRACE: Duration = Duration::from_secs(30);

    fn now() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).expect("a time")
    }

    fn keys() -> Keys {
        let key = Key::generate(now(), now()).expect("a key");
        Keys::fixed(KeySet::new(vec![key]).expect("a set"))
    }

    const DEVICE: DeviceId = DeviceId(Uuid::from_u128(42));

    #[test]
    fn a_token_says_its_device_and_generation_and_is_the_same_every_time() {
        let keys = keys();
        let token = issue(&keys, DEVICE, 7, now());
        assert_eq!(token, issue(&keys, DEVICE, 7, now() + TTL));
        let presented = Presented { device: DEVICE, generation: 7 };
        assert_eq!(read(&keys, token.expose()), Some(presented));
        assert_ne!(token, issue(&keys, DEVICE, 8, now()));
    }

    #[test]
    fn what_was_tampered_with_is_not_ours() {
        let keys = keys();
        let token = issue(&keys, DEVICE, 7, now());
        let token = token.expose();
        let other = DeviceId(Uuid::from_u128(43)).0.simple().to_string();
        let tampered = [
            token.replace(".7.", ".8."),
            token.replace(".7.", ".99999999999999999999."),
            token.replace(&DEVICE.0.simple().to_string(), &other),
            format!("{token}A"),
            format!("{token}."),
            token[..token.len() - 1].into(),
            token.replace('.', ""),
            String::new(),
            "....".into(),
            "x".repeat(64 * 1024),
        ];
        for token in tampered {
            assert_eq!(read(&keys, &token), None, "{token}");
        }
        assert_eq!(read(&self::keys(), token), None, "another deployment's key");
    }

    #[test]
    fn the_current_one_rotates_the_one_before_is_told_again_older_ones_are_theft() {
        let decide = |presented, since: u64| {
            decide(presented, 5, now(), now() + Duration::from_secs(since), TTL, GRACE)
        };
        assert_eq!(decide(5, 0), Decision::Rotate);
        assert_eq!(decide(5, 29 * 86_400), Decision::Rotate);
        assert_eq!(decide(5, 31 * 86_400), Decision::Expired);
        assert_eq!(decide(4, 0), Decision::Repeat);
        assert_eq!(decide(4, 30), Decision::Repeat);
        assert_eq!(decide(4, 31), Decision::Reuse);
        assert_eq!(decide(3, 0), Decision::Reuse);
        assert_eq!(decide(i64::MIN, 0), Decision::Reuse);
        assert_eq!(decide(6, 0), Decision::Ahead);
        assert_eq!(decide(i64::MAX, 0), Decision::Ahead);
    }
}
