//! Access tokens and tickets: JWTs signed with HS256 by a key of ours. What
//! they say is checked here; whether the device still lives, is not.

use std::{sync::Once, time::Duration};

use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LEEWAY, keyring::Keys};
use crate::{
    model::*,
    problem::{Code, Problem},
};

const PARTY: &str = "parley";
/// Ours have about 500 bytes; what is longer is not looked at.
const MAX_BYTES: usize = 2_048;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Access,
    /// Opens one socket, once.
    Ticket,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub did: DeviceId,
    pub epoch: i64,
    /// Seconds since 1970, as is `exp`.
    pub iat: i64,
    pub exp: i64,
    pub jti: Uuid,
    pub typ: Kind,
    /// By whose clock it is dated; tickets only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Uuid>,
}

impl Claims {
    pub fn principal(&self) -> Principal {
        Principal { user: self.sub, device: self.did }
    }

    pub fn expires_at(&self) -> Timestamp {
        // `verify` let no other one through.
        Timestamp::from_millis(self.exp.saturating_mul(1_000)).unwrap_or_else(far_past)
    }
}

fn far_past() -> Timestamp {
    Timestamp::new(Default::default())
}

/// A signed token, and when it expires.
pub(super) fn issue(
    keys: &Keys,
    kind: Kind,
    who: Principal,
    epoch: i64,
    now: Timestamp,
    ttl: Duration,
) -> Result<(Secret, Timestamp), Problem> {
    choose_provider();
    let claims = Claims {
        iss: PARTY.into(),
        aud: PARTY.into(),
        sub: who.user,
        did: who.device,
        epoch,
        iat: now.seconds(),
        exp: (now + ttl).seconds(),
        jti: Uuid::now_v7(),
        typ: kind,
        by: (kind == Kind::Ticket).then(|| keys.holder()),
    };
    let key = keys.signing(now);
    let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::HS256) };
    let token = jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(|error| {
        tracing::warn!(%error, "a token could not be signed");
        Problem::new(Code::Internal, "The token could not be made.")
    })?;
    Ok((Secret::new(token), claims.expires_at()))
}

/// The claims of a token of ours of one of `kinds`, and the `kid` it was
/// signed with. Refuses with `token_expired` what was one once, with
/// `unauthenticated` everything else.
pub(super) fn verify(
    keys: &Keys,
    token: &str,
    kinds: &[Kind],
    now: Timestamp,
) -> Result<(Claims, String), Problem> {
    let (claims, kid) = read(keys, token).ok_or_else(unauthenticated)?;
    let ours = claims.iss == PARTY && claims.aud == PARTY && kinds.contains(&claims.typ);
    if !ours {
        return Err(unauthenticated());
    }
    // Half a minute is exact only by the clock that it began by: a load
    // balancer may bring a ticket to a replica that is a minute ahead.
    let leeway = match claims.typ {
        Kind::Ticket if claims.by == Some(keys.holder()) => Duration::ZERO,
        Kind::Access | Kind::Ticket => LEEWAY,
    };
    let valid_until = Timestamp::from_millis(claims.exp.checked_mul(1_000).unwrap_or(-1))
        .ok_or_else(unauthenticated)?;
    if now.millis() >= valid_until.millis() + leeway.as_millis() as i64 {
        return Err(Problem::new(Code::TokenExpired, "The access token has expired; refresh it."));
    }
    Ok((claims, kid))
}

pub(super) fn unauthenticated() -> Problem {
    Problem::new(Code::Unauthenticated, "The token is not a valid one.")
}

/// Signature and shape only. Which key, is decided by the `kid`; with which
/// algorithm, by us.
fn read(keys: &Keys, token: &str) -> Option<(Claims, String)> {
    choose_provider();
    if token.len() > MAX_BYTES {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    let key = keys.find(header.kid.as_deref()?)?;
    let mut validation = Validation::new(Algorithm::HS256);
    // The library would compare with the system's clock; `verify` compares
    // with ours, and the claims' types make each of them required.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let data = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation).ok()?;
    Some((data.claims, key.kid.clone()))
}

/// Left to itself the library panics at first use when some other crate of
/// the build switches its second provider on.
fn choose_provider() {
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| {
        // An error says that there is one already.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
