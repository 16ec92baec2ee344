//! What an operator does to accounts from the command line, beside a running
//! service: no keys are needed, and the feed tells the replicas.

use super::{Passwords, stored};
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
    store.set_password(user.id, &hash, None, clock.now()).await.map_err(stored)?;
    Ok(user)
}

/// Frees the name and forgets the person; what they said stays.
pub async fn delete(store: &Store, clock: &Clock, username: &str) -> Result<User, Problem> {
    let user = find(store, username).await?.user;
    store.erase_user(user.id, clock.now()).await.map_err(stored)?;
    Ok(user)
}

async fn find(store: &Store, username: &str) -> Result<Account, Problem> {
    let account = store.account_by_username(username).await.map_err(stored)?;
    account.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("There is no user named {username:?}."))
    })
}
