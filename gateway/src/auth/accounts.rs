//! What a user changes about their own account.

use super::{Auth, stored};
use crate::{
    model::*,
    problem::{Code, Problem},
};

impl Auth {
    /// Replaces the password and ends the user's other devices. Refuses with
    /// `bad_credentials` (the current one is wrong), `invalid_field` or
    /// `rate_limited`.
    pub async fn change_password(
        &self,
        who: Principal,
        change: ChangePassword,
    ) -> Result<(), Problem> {
        let auth = &self.inner;
        let new = text::password(change.new_password.expose())
            .map_err(|invalid| text::InvalidField { field: "new_password", ..invalid })?;
        let current = text::password(change.current_password.expose())
            .map_err(|invalid| text::InvalidField { field: "current_password", ..invalid })?;
        let key = format!("password:user:{}", who.user);
        let rule = auth.settings.rates.password_per_user;
        auth.take(&key, rule).await?;

        let account = auth.store.account(who.user).await.map_err(stored)?;
        let hash = account.as_ref().map(|account| account.password_hash.as_str());
        let right = auth.passwords.verify(&current, hash).await?;
        let checked = account.filter(|_| right).ok_or_else(wrong)?;
        auth.give_back(&key, rule).await;
        let hash = auth.passwords.hash(&new).await?;
        let changed = auth.store.change_password(&checked, &hash, who.device, auth.now()).await;
        // Else somebody else was quicker, and this must not undo it.
        if changed.map_err(stored)? { Ok(()) } else { Err(wrong()) }
    }
}

fn wrong() -> Problem {
    let mut wrong = Problem::new(Code::BadCredentials, "The current password is wrong.");
    wrong.field = Some("current_password");
    wrong
}
