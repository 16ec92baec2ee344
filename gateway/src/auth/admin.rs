//! What an operator does to accounts from the command line, beside a running
//! service: no keys are needed, and the feed tells the replicas.

use std::time::Duration;

use super::{Keys, Passwords, Tokens, refresh, stored, token};
use crate::{
    clock::Clock,
    model::*,
    problem::{Code, Problem},
    store::{Account, Store},
};

/// Disabling ends every device; nobody can log in until it is enabled again.
pub async fn set_disabled(
    store: &Store,
    clock: &Clock,
    username: &str,
    disabled: bool,
) -> Result<User, Problem> {
    let user = find(store, username).await?.user;
    store.set_disabled(user.id, disabled, clock.now()).await.map_err(stored)?;
    Ok(user)
}

/// Sets the password and ends every device.
pub async fn reset_password(
    store: &Store,
    clock: &Clock,
    passwords: &Passwords,
    username: &str,
    password: &Secret,
) -> Result<User, Problem> {
    let password = text::password(password.expose())?;
    let user = find(store, username).await?.user;
    let hash = passwords.hash(&password).await?;
    store.set_password(user.id, &hash, clock.now()).await.map_err(stored)?;
    Ok(user)
}

/// Frees the name and forgets the person; what they said stays.
pub async fn delete(store: &Store, clock: &Clock, username: &str) -> Result<User, Problem> {
    let user = find(store, username).await?.user;
    store.erase_user(user.id, clock.now()).await.map_err(stored)?;
    Ok(user)
}

/// Tokens for a device that was just made, without a login: for load tests.
pub fn tokens(
    keys: &Keys,
    who: Principal,
    now: Timestamp,
    ttl: Duration,
) -> Result<Tokens, Problem> {
    let (access, _) = token::issue(keys, token::Kind::Access, who, 0, now, ttl)?;
    let refresh = refresh::issue(keys, who.device, 0, now);
    Ok(Tokens { access, expires_in: ttl, refresh })
}

async fn find(store: &Store, username: &str) -> Result<Account, Problem> {
    let account = store.account_by_username(username).await.map_err(stored)?;
    account.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("There is no user named {username:?}."))
    })
}
