//! What a user changes about their own account.

use super::{Auth, stored};
use crate::{
    model::*,
    problem::{Code, Problem},
    store::Account,
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
        let field = "current_password";
        let checked = self.check_password(who, &change.current_password, field).await?;
        let hash = auth.passwords.hash(&new).await?;
        let changed = auth.store.change_password(&checked, &hash, who.device, auth.now()).await;
        // Else somebody else was quicker, and this must not undo it.
        if changed.map_err(stored)? { Ok(()) } else { Err(wrong(field)) }
    }

    /// The account of whoever knows its password; `field` is where it stood.
    /// Refuses with `bad_credentials`, `invalid_field` or `rate_limited`.
    pub async fn check_password(
        &self,
        who: Principal,
        password: &Secret,
        field: &'static str,
    ) -> Result<Account, Problem> {
        let auth = &self.inner;
        let password = text::password(password.expose())
            .map_err(|invalid| text::InvalidField { field, ..invalid })?;
        let key = format!("password:user:{}", who.user);
        let rule = auth.settings.rates.password_per_user;
        auth.take(&key, rule).await?;
        let account = auth.store.account(who.user).await.map_err(stored)?;
        let hash = account.as_ref().map(|account| account.password_hash.as_str());
        let right = auth.passwords.verify(&password, hash).await?;
        let checked = account.filter(|_| right).ok_or_else(|| wrong(field))?;
        auth.give_back(&key, rule).await;
        Ok(checked)
    }

    /// Frees the name, forgets the person and ends their devices.
    pub async fn delete_account(&self, checked: &Account) -> Result<(), Problem> {
        let auth = &self.inner;
        auth.store.erase_user(checked.user.id, auth.now()).await.map_err(stored)
    }
}

fn wrong(field: &'static str) -> Problem {
    let mut wrong = Problem::new(Code::BadCredentials, "The password is wrong.");
    wrong.field = Some(field);
    wrong
}
