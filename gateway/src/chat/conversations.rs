//! Making, naming and listing conversations.

use std::collections::HashSet;

use super::{Chat, page};
use crate::{
    model::*,
    problem::Problem,
    store::{ConversationChange, NewConversation, Select, Written},
};

impl Chat {
    /// The conversation, and whether this call made it (201 or 200).
    pub async fn create_conversation(
        &self,
        who: Principal,
        new: CreateConversation,
    ) -> Result<(Conversation, bool), Problem> {
        let new = self.new_conversation(who, new)?;
        let chat = self.clone();
        self.detached(async move {
            let made = chat.inner.store.create_conversation(&new).await?;
            if made.created {
                let users = new.others.iter().copied().chain([who.user]).collect();
                chat.tell(new.created_at, Written { entries: vec![], users });
            }
            Ok((chat.view(who.user, made.id).await?, made.created))
        })
        .await
    }

    fn new_conversation(
        &self,
        who: Principal,
        new: CreateConversation,
    ) -> Result<NewConversation, Problem> {
        let others: HashSet<_> = new.participant_ids.iter().copied().collect();
        let me_too = others.contains(&who.user);
        let direct = new.kind == ConversationKind::Direct;
        if direct {
            let only_groups = [
                ("client_id", new.client_id.is_some()),
                ("title", new.title.is_some()),
                ("share_history", new.share_history.is_some()),
            ];
            if let Some((field, _)) = only_groups.into_iter().find(|(_, given)| *given) {
                return Err(Problem::field(field, "is for groups only"));
            }
            if new.participant_ids.len() != 1 || me_too {
                let reason = "a direct conversation has exactly one other participant";
                return Err(Problem::field("participant_ids", reason));
            }
        }
        if new.participant_ids.len() > limits::ADDED_AT_ONCE {
            let reason = format!("at most {} at once; add the rest later", limits::ADDED_AT_ONCE);
            return Err(Problem::field("participant_ids", reason));
        }
        let title = new.title.as_deref().map(text::title).transpose()?;
        if !direct && title.is_none() {
            return Err(Problem::field("title", "a group needs one"));
        }
        // As asked, without repetitions and without the creator.
        let mut seen = HashSet::from([who.user]);
        let others = new.participant_ids.into_iter().filter(|id| seen.insert(*id)).collect();
        Ok(NewConversation {
            id: ConversationId::new(),
            event_id: EventId::new(),
            kind: new.kind,
            creator: who.user,
            client_id: new.client_id,
            title,
            share_history: new.share_history.unwrap_or(false),
            others,
            created_at: self.inner.clock.now(),
        })
    }

    pub async fn conversation(
        &self,
        who: Principal,
        id: ConversationId,
    ) -> Result<Conversation, Problem> {
        self.view(who.user, id).await
    }

    /// Newest activity first; `page` is the opaque `next` of the page before.
    pub async fn conversations(
        &self,
        who: Principal,
        page: Option<&str>,
        limit: i64,
    ) -> Result<Page<Conversation>, Problem> {
        let limit = page::check_limit(limit)?;
        let after = page::decode(page)?;
        let select = Select::Newest { after, limit: limit + 1 };
        let summaries = self.inner.store.summaries(who.user, &select).await?;
        let page = page::cut(summaries, limit, |s| (s.last_activity_at, s.conversation.id));
        let items = self.count(who.user, page.items).await?;
        Ok(Page { items: items.into_iter().map(|s| s.conversation).collect(), next: page.next })
    }

    pub async fn set_title(
        &self,
        who: Principal,
        id: ConversationId,
        title: &str,
    ) -> Result<Conversation, Problem> {
        let title = text::title(title)?;
        self.change(who, id, ConversationChange::SetTitle { title }).await?;
        self.view(who.user, id).await
    }

    /// Mutes or pins, for all my devices.
    pub async fn set_settings(
        &self,
        who: Principal,
        id: ConversationId,
        settings: PatchMembership,
    ) -> Result<Settings, Problem> {
        let chat = self.clone();
        self.detached(async move {
            let PatchMembership { muted, pinned } = settings;
            let store = &chat.inner.store;
            let (settings, changed) = store.set_settings(id, who.user, muted, pinned).await?;
            if changed {
                let signal = Signal::Settings { conversation_id: id, settings };
                chat.inner.hub.signal(Topic::User(who.user), signal);
            }
            Ok(settings)
        })
        .await
    }

    /// Changes membership, roles or the title, and tells of it.
    pub(super) async fn change(
        &self,
        who: Principal,
        id: ConversationId,
        change: ConversationChange,
    ) -> Result<(), Problem> {
        let chat = self.clone();
        self.detached(async move {
            let at = chat.inner.clock.now();
            let store = &chat.inner.store;
            let written = store.change_conversation(id, who.user, &change, at).await?;
            chat.tell(at, written);
            Ok(())
        })
        .await
    }
}
