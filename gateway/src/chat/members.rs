//! Who takes part.

use std::collections::HashSet;

use super::{Chat, page};
use crate::{
    model::*,
    problem::{Code, Problem},
    store::{ConversationChange, Select},
};

impl Chat {
    /// Members by when they joined; `page` is the `next` of the page before.
    pub async fn participants(
        &self,
        who: Principal,
        id: ConversationId,
        page: Option<&str>,
        limit: i64,
    ) -> Result<Page<Participant>, Problem> {
        let limit = page::check_limit(limit)?;
        let after = page::decode(page)?;
        let items = self.inner.store.participants(id, who.user, after, limit + 1).await?;
        Ok(page::cut(items, limit, |p| (p.joined_seq, p.user.id)))
    }

    pub async fn add_participants(
        &self,
        who: Principal,
        id: ConversationId,
        users: &[UserId],
    ) -> Result<Conversation, Problem> {
        if users.is_empty() || users.len() > limits::ADDED_AT_ONCE {
            let reason = format!("names 1 to {} users", limits::ADDED_AT_ONCE);
            return Err(Problem::field("user_ids", reason));
        }
        let mut seen = HashSet::new();
        let users = users.iter().copied().filter(|user| seen.insert(*user)).collect();
        self.change(who, id, ConversationChange::Add { users }).await?;
        self.view(who.user, id).await
    }

    /// Removing oneself is leaving.
    pub async fn remove_participant(
        &self,
        who: Principal,
        id: ConversationId,
        user: UserId,
    ) -> Result<(), Problem> {
        self.change(who, id, ConversationChange::Remove { user }).await
    }

    /// Leaves every group; who is left finds an owner among themselves.
    pub async fn leave_groups(&self, who: Principal) -> Result<(), Problem> {
        let mine = Select::Newest { after: None, limit: limits::CONVERSATIONS };
        let all = self.inner.store.summaries(who.user, &mine).await?;
        let groups = all.iter().map(|summary| &summary.conversation);
        for group in groups.filter(|c| c.kind == ConversationKind::Group) {
            match self.remove_participant(who, group.id, who.user).await {
                // Somebody else was quicker.
                Err(problem) if problem.code == Code::NotFound => {}
                left => left?,
            }
        }
        Ok(())
    }

    pub async fn set_role(
        &self,
        who: Principal,
        id: ConversationId,
        user: UserId,
        role: Role,
    ) -> Result<(), Problem> {
        self.change(who, id, ConversationChange::SetRole { user, role }).await
    }
}
