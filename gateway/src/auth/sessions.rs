//! What becomes of a device after its login.

use super::{
    Auth, Inner, Tokens,
    refresh::{self, Decision, Presented},
    signed_out, stored, token,
};
use crate::{
    model::*,
    problem::{Code, Problem},
    store::{DeviceState, Revoke},
};

/// How often a refresh looks again when another one was quicker.
const ATTEMPTS: usize = 4;

/// What a refresh came to.
#[derive(Clone, Debug)]
pub enum Refreshed {
    Tokens(Tokens),
    /// A token that was used up long ago: somebody holds a copy, and the
    /// device has been revoked. Tell this user's sessions; the caller is
    /// signed out.
    Revoked(UserId),
}

impl Auth {
    /// Refuses with `unauthenticated` what is no token of ours, with
    /// `signed_out` what leads nowhere any more, with `rate_limited`.
    pub async fn refresh(&self, token: &Secret) -> Result<Refreshed, Problem> {
        let auth = &self.inner;
        let presented =
            refresh::read(&auth.keys, token.expose()).ok_or_else(token::unauthenticated)?;
        let rule = auth.settings.rates.refresh_per_device;
        auth.take(&format!("refresh:device:{}", presented.device), rule).await?;
        for _ in 0..ATTEMPTS {
            let device = auth.living(presented.device).await?;
            let (now, settings) = (auth.now(), &auth.settings);
            let who = Principal { user: device.user_id, device: presented.device };
            let current = device.refresh_generation;
            let decision = refresh::decide(
                presented.generation,
                current,
                device.refresh_rotated_at,
                device.shared_now.unwrap_or(now),
                settings.refresh_ttl,
                settings.refresh_grace,
            );
            let tokens = |generation| auth.tokens(who, device.token_epoch, generation);
            match decision {
                Decision::Rotate => {
                    let moved = auth.store.rotate_refresh(who.device, current, now).await;
                    if moved.map_err(stored)? {
                        auth.store.touch_device(who.device, now).await.map_err(stored)?;
                        return Ok(Refreshed::Tokens(tokens(current + 1)?));
                    }
                    // Another one was quicker: look where it got to.
                }
                Decision::Repeat => return Ok(Refreshed::Tokens(tokens(current)?)),
                Decision::Reuse => return auth.reused(who, presented).await,
                Decision::Expired | Decision::Ahead => return Err(signed_out()),
            }
        }
        Err(Problem::new(Code::Overloaded, "Too many refreshes of one device at once."))
    }

    /// Ends the device that holds this refresh token, of whatever generation;
    /// whose it was. Ending it twice is no error.
    pub async fn logout_by_refresh(&self, token: &Secret) -> Result<Option<UserId>, Problem> {
        let auth = &self.inner;
        let presented =
            refresh::read(&auth.keys, token.expose()).ok_or_else(token::unauthenticated)?;
        let state = auth.store.device_state(presented.device).await.map_err(stored)?;
        let Some(state) = state.filter(|device| !device.revoked) else { return Ok(None) };
        auth.revoke(state.user_id, Revoke::One(presented.device)).await?;
        Ok(Some(state.user_id))
    }

    /// Ends the device that asks.
    pub async fn logout(&self, who: Principal) -> Result<(), Problem> {
        self.inner.revoke(who.user, Revoke::One(who.device)).await.map(drop)
    }

    /// Ends every device of the user, and voids every token they hold.
    pub async fn logout_all(&self, who: Principal) -> Result<(), Problem> {
        self.inner.revoke(who.user, Revoke::All).await.map(drop)
    }

    /// Ends one device of the user's; `not_found` when there is none of theirs.
    pub async fn revoke_device(&self, who: Principal, device: DeviceId) -> Result<(), Problem> {
        let revoked = self.inner.revoke(who.user, Revoke::One(device)).await?;
        if revoked.is_empty() {
            return Err(Problem::new(Code::NotFound, "You have no such device signed in."));
        }
        Ok(())
    }
}

impl Inner {
    async fn living(&self, device: DeviceId) -> Result<DeviceState, Problem> {
        let state = self.store.device_state(device).await.map_err(stored)?;
        state.filter(|device| !device.revoked && !device.user_disabled).ok_or_else(signed_out)
    }

    async fn revoke(&self, user: UserId, which: Revoke) -> Result<Vec<DeviceId>, Problem> {
        self.store.revoke_devices(user, which, self.now()).await.map_err(stored)
    }

    async fn reused(&self, who: Principal, presented: Presented) -> Result<Refreshed, Problem> {
        let generation = presented.generation;
        tracing::warn!(
            device = %who.device, user = %who.user, generation,
            "a used refresh token came back: the device has been revoked"
        );
        self.revoke(who.user, Revoke::One(who.device)).await?;
        Ok(Refreshed::Revoked(who.user))
    }
}
