//! Messages after they were sent: edit, delete, history.

use super::{Chat, page};
use crate::{
    model::*,
    problem::Problem,
    store::{Around, Written},
};

impl Chat {
    pub async fn edit(&self, who: Principal, edit: MessageEdit) -> Result<ChangeAck, Problem> {
        let MessageEdit { conversation_id, seq, body } = edit;
        let body = text::body(&body)?;
        let chat = self.clone();
        self.detached(async move {
            let (event_id, at) = (EventId::new(), chat.inner.clock.now());
            let store = &chat.inner.store;
            let written =
                store.edit_message(conversation_id, who.user, seq, &body, event_id, at).await?;
            Ok(chat.changed(conversation_id, seq, at, written))
        })
        .await
    }

    pub async fn delete(
        &self,
        who: Principal,
        delete: MessageDelete,
    ) -> Result<ChangeAck, Problem> {
        let MessageDelete { conversation_id, seq } = delete;
        let chat = self.clone();
        self.detached(async move {
            let (event_id, at) = (EventId::new(), chat.inner.clock.now());
            let store = &chat.inner.store;
            let written =
                store.delete_message(conversation_id, who.user, seq, event_id, at).await?;
            Ok(chat.changed(conversation_id, seq, at, written))
        })
        .await
    }

    fn changed(
        &self,
        conversation_id: ConversationId,
        seq: Seq,
        at: Timestamp,
        written: Written,
    ) -> ChangeAck {
        let duplicate = written.entries.is_empty();
        self.tell(at, written);
        ChangeAck { conversation_id, seq, duplicate }
    }

    /// One message in its current state.
    pub async fn message(
        &self,
        who: Principal,
        id: ConversationId,
        seq: Seq,
    ) -> Result<Message, Problem> {
        let page = self.inner.store.history(id, who.user, Around::Around(seq), 1).await?;
        page.messages.into_iter().find(|m| m.seq == seq).ok_or_else(Problem::not_found)
    }

    /// A page of history, ascending, of what this member may see.
    pub async fn history(
        &self,
        who: Principal,
        id: ConversationId,
        page: Around,
        limit: i64,
    ) -> Result<History, Problem> {
        let limit = page::check_limit(limit)?;
        if let Around::Before(seq) | Around::After(seq) | Around::Around(seq) = page
            && seq < 0
        {
            return Err(Problem::field("seq", "must not be negative"));
        }
        Ok(self.inner.store.history(id, who.user, page, limit).await?)
    }
}
