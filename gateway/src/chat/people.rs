//! Finding people, and being one.

use super::{Chat, page};
use crate::{model::*, problem::Problem};

/// Longest search text looked at.
const QUERY_CHARS: usize = 64;

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
    pub async fn user_state(
        &self,
        user: UserId,
    ) -> Result<Option<crate::store::UserState>, Problem> {
        Ok(self.inner.store.user_states(&[user]).await?.into_iter().next())
    }

    pub async fn direct_partners(&self, user: UserId) -> Result<Vec<UserId>, Problem> {
        Ok(self.inner.store.direct_partners(user).await?)
    }
}
