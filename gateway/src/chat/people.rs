//! Finding people, and being one.

use std::collections::HashMap;

use super::{Chat, page};
use crate::{
    merge::Merge,
    model::*,
    problem::Problem,
    shutdown::Shutdown,
    store::{Result as StoreResult, Store, StoreError, UserState},
};

/// Longest search text looked at.
const QUERY_CHARS: usize = 64;

/// Accounts read by one statement.
const ACCOUNTS_AT_ONCE: usize = 64;

/// Reads of accounts, for all connections that look at theirs.
pub(super) type Accounts = Merge<UserId, StoreResult<Option<UserState>>>;

pub(super) fn accounts(store: &Store, shutdown: &Shutdown) -> Accounts {
    let store = store.clone();
    Merge::start(shutdown, "accounts", ACCOUNTS_AT_ONCE, move |users: Vec<UserId>| {
        let store = store.clone();
        async move {
            match store.user_states(&users).await {
                Ok(states) => {
                    let states: HashMap<_, _> =
                        states.into_iter().map(|state| (state.user.id, state)).collect();
                    users.iter().map(|user| Ok(states.get(user).cloned())).collect()
                }
                Err(error) => users.iter().map(|_| Err(error.clone())).collect(),
            }
        }
    })
}

impl Chat {
    pub async fn user(&self, _who: Principal, id: UserId) -> Result<User, Problem> {
        let users = self.inner.store.users(&[id]).await?;
        users.into_iter().next().ok_or_else(Problem::not_found)
    }

    /// People whose username, or a word of whose name, starts with `query`.
    pub async fn search_users(
        &self,
        _who: Principal,
        query: &str,
        page: Option<&str>,
        limit: i64,
    ) -> Result<Page<User>, Problem> {
        let limit = page::check_limit(limit)?;
        let after: Option<String> = page::decode(page)?;
        let query = query.trim();
        if query.contains('\0') || query.chars().count() > QUERY_CHARS {
            let reason = format!("at most {QUERY_CHARS} characters, none of them U+0000");
            return Err(Problem::field("query", reason));
        }
        let found = self.inner.store.search_users(query, after.as_deref(), limit + 1).await?;
        Ok(page::cut(found, limit, |user| user.username.clone()))
    }

    pub async fn set_display_name(&self, who: Principal, name: &str) -> Result<User, Problem> {
        let name = text::display_name(name)?;
        let chat = self.clone();
        self.detached(async move {
            let user = chat.inner.store.set_display_name(who.user, &name).await?;
            let signal = Signal::Profile { user: user.clone() };
            chat.inner.hub.signal(Topic::User(who.user), signal);
            Ok(user)
        })
        .await
    }

    /// Tells whoever sees this user how they are seen now, and their own
    /// sessions to look at their account.
    pub async fn profile_changed(&self, user: UserId) -> Result<(), Problem> {
        for user in self.inner.store.users(&[user]).await? {
            self.inner.hub.signal(Topic::User(user.id), Signal::Profile { user });
        }
        self.account_changed(user).await;
        Ok(())
    }

    /// Tells this user's sessions, everywhere, to look at their account again:
    /// devices revoked, epoch moved, disabled.
    pub async fn account_changed(&self, user: UserId) {
        self.inner.hub.signal(Topic::User(user), Signal::Changed);
    }

    /// Account, devices and memberships of a user, as they are now.
    pub async fn user_state(&self, user: UserId) -> Result<Option<UserState>, Problem> {
        let ending = || StoreError::Unavailable("the replica ends".into());
        Ok(self.inner.accounts.ask(user).await.ok_or_else(ending)??)
    }

    /// My living devices, last seen first.
    pub async fn devices(
        &self,
        who: Principal,
        page: Option<&str>,
        limit: i64,
    ) -> Result<Page<Device>, Problem> {
        let limit = page::check_limit(limit)?;
        let after = page::decode(page)?;
        let mut devices = self.inner.store.devices(who.user, after, limit + 1).await?;
        devices.iter_mut().for_each(|device| device.current = device.id == who.device);
        Ok(page::cut(devices, limit, |device| (device.last_seen_at, device.id)))
    }

    pub async fn direct_partners(&self, user: UserId) -> Result<Vec<UserId>, Problem> {
        Ok(self.inner.store.direct_partners(user).await?)
    }
}
