//! What the commands that make accounts share.

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Failure;
use crate::{
    auth::{PasswordSettings, Passwords},
    config::Config,
    model::*,
    store::{Appended, NewDevice, NewMessage, NewUser, Revoke, Store},
};

pub(super) struct NewAccount {
    pub username: String,
    pub display_name: String,
    pub password_hash: String,
    pub created_at: Timestamp,
}

/// Makes an account on which nobody is signed in.
pub(super) async fn create(store: &Store, new: NewAccount) -> Result<UserId, Failure> {
    let (user, at) = (UserId::new(), new.created_at);
    // An account comes with a device; this one is nobody's, and ends at once.
    let device = device(user, "Command line", at)?;
    store.create_user(&new_user(user, new), &device).await?;
    store.revoke_devices(user, Revoke::One(device.id), at).await?;
    Ok(user)
}

pub(super) fn new_user(id: UserId, new: NewAccount) -> NewUser {
    NewUser {
        id,
        username: new.username,
        display_name: new.display_name,
        password_hash: new.password_hash,
        created_at: new.created_at,
    }
}

/// A device whose secret nobody has.
pub(super) fn device(user_id: UserId, label: &str, at: Timestamp) -> Result<NewDevice, Failure> {
    Ok(NewDevice {
        id: DeviceId::new(),
        user_id,
        label: label.to_owned(),
        secret_hash: random(32)?,
        created_at: at,
    })
}

pub(super) fn passwords(config: &Config) -> Result<Passwords, Failure> {
    let settings = PasswordSettings { workers: config.password_hashers, ..Default::default() };
    Ok(Passwords::new(settings)?)
}

pub(super) async fn hash(config: &Config, password: &str) -> Result<String, Failure> {
    Ok(passwords(config)?.hash(password).await?)
}

/// 20 characters that nobody can guess.
pub(super) fn new_password() -> Result<String, Failure> {
    Ok(URL_SAFE_NO_PAD.encode(random(15)?))
}

/// Appends messages of one conversation; the seq of the last.
pub(super) async fn append(store: &Store, messages: &[NewMessage]) -> Result<Seq, Failure> {
    let mut last = 0;
    for outcome in store.append(messages).await? {
        last = match outcome? {
            Appended::New { seq, .. } | Appended::Repeat { seq, .. } => seq,
        };
    }
    Ok(last)
}

/// Refuses a database that somebody may care for.
pub(super) async fn require_empty(store: &Store) -> Result<(), Failure> {
    if store.list_users(None, 1).await?.is_empty() {
        return Ok(());
    }
    Err(Failure::runtime(
        "The database holds users already. Use another one (--data-dir, --database-url), or \
         --force to add to it.",
    ))
}

fn random(bytes: usize) -> Result<Vec<u8>, Failure> {
    let mut random = vec![0; bytes];
    rand::fill(&mut random).map_err(|_| Failure::runtime("The system has no random bytes."))?;
    Ok(random)
}
