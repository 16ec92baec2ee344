//! From a token to who is asking.

use super::{
    Auth, Inner, LEEWAY, signed_out, stored,
    token::{self, Claims, Kind},
};
use crate::{model::*, problem::Problem};

/// A token that holds, of a device that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub principal: Principal,
    /// Once the user's `token_epoch` is above this, the token is void.
    pub token_epoch: i64,
    /// When the token ends; for a ticket, when an access token issued with it
    /// would.
    pub expires_at: Timestamp,
    /// The key it was signed with: see [`Auth::key_known`].
    pub kid: String,
}

impl Auth {
    /// An access token. Refuses with `token_expired`, `signed_out` (device
    /// revoked, all devices signed out since, account disabled) or
    /// `unauthenticated`.
    pub async fn authenticate(&self, token: &str) -> Result<Verified, Problem> {
        let auth = &self.inner;
        let (claims, kid) = token::verify(&auth.keys, token, &[Kind::Access], auth.now())?;
        auth.alive(&claims).await?;
        Ok(verified(&claims, claims.expires_at(), kid))
    }

    /// An access token, or a ticket, which is spent by this.
    pub async fn authenticate_socket(&self, token: &str) -> Result<Verified, Problem> {
        let auth = &self.inner;
        let now = auth.now();
        let (claims, kid) = token::verify(&auth.keys, token, &[Kind::Access, Kind::Ticket], now)?;
        auth.alive(&claims).await?;
        if claims.typ == Kind::Access {
            return Ok(verified(&claims, claims.expires_at(), kid));
        }
        if !auth.spend(&claims, now).await? {
            return Err(token::unauthenticated());
        }
        Ok(verified(&claims, now + auth.settings.access_ttl, kid))
    }

    /// For a socket: a signed token that holds for half a minute, once; and
    /// for how long.
    pub async fn ticket(&self, who: &Verified) -> Result<(Secret, std::time::Duration), Problem> {
        let auth = &self.inner;
        let ttl = auth.settings.ticket_ttl;
        let (kind, now) = (Kind::Ticket, auth.now());
        let (ticket, _) = token::issue(&auth.keys, kind, who.principal, who.token_epoch, now, ttl)?;
        Ok((ticket, ttl))
    }
}

impl Inner {
    /// Whether a ticket is spent by this call: noted in the cache that all
    /// replicas share, or else in the store.
    async fn spend(&self, claims: &Claims, now: Timestamp) -> Result<bool, Problem> {
        // Longer than the slowest clock takes it, by the fastest.
        let good_for = claims.expires_at().since(now) + LEEWAY * 2;
        match self.cache.spend_ticket(claims.jti, good_for).await {
            Some(spent) => Ok(spent),
            None => {
                let spent = self.store.spend_ticket(claims.jti, claims.expires_at(), now).await;
                spent.map_err(stored)
            }
        }
    }

    async fn alive(&self, claims: &Claims) -> Result<(), Problem> {
        let device = self.store.device_state(claims.did).await.map_err(stored)?;
        let device = device.ok_or_else(signed_out)?;
        let ended = device.revoked
            || device.user_disabled
            || device.user_id != claims.sub
            || claims.epoch < device.token_epoch;
        if ended { Err(signed_out()) } else { Ok(()) }
    }
}

fn verified(claims: &Claims, expires_at: Timestamp, kid: String) -> Verified {
    Verified { principal: claims.principal(), token_epoch: claims.epoch, expires_at, kid }
}
