//! The use cases. The only room that combines store, bus and cache, and the
//! only caller of the store's writing operations: what is written is told.

use crate::{model::*, problem::Problem, store::Around};

/// Handle to the product; cheap to clone. Whatever it starts runs to its end
/// even when the caller goes away.
#[derive(Clone)]
pub struct Chat {}

#[allow(unused_variables, clippy::todo)]
impl Chat {
    // ---- conversations.rs
    /// The conversation, and whether this call made it (201 or 200).
    pub async fn create_conversation(
        &self,
        who: Principal,
        new: CreateConversation,
    ) -> Result<(Conversation, bool), Problem> {
        todo!()
    }
    pub async fn conversation(
        &self,
        who: Principal,
        id: ConversationId,
    ) -> Result<Conversation, Problem> {
        todo!()
    }
    /// `page` is the opaque `next` of the page before.
    pub async fn conversations(
        &self,
        who: Principal,
        page: Option<&str>,
        limit: i64,
    ) -> Result<Page<Conversation>, Problem> {
        todo!()
    }
    pub async fn set_title(
        &self,
        who: Principal,
        id: ConversationId,
        title: &str,
    ) -> Result<Conversation, Problem> {
        todo!()
    }
    pub async fn set_settings(
        &self,
        who: Principal,
        id: ConversationId,
        settings: PatchMembership,
    ) -> Result<Settings, Problem> {
        todo!()
    }

    // ---- members.rs
    pub async fn participants(
        &self,
        who: Principal,
        id: ConversationId,
        page: Option<&str>,
        limit: i64,
    ) -> Result<Page<Participant>, Problem> {
        todo!()
    }
    pub async fn add_participants(
        &self,
        who: Principal,
        id: ConversationId,
        users: &[UserId],
    ) -> Result<Conversation, Problem> {
        todo!()
    }
    /// Removing oneself is leaving.
    pub async fn remove_participant(
        &self,
        who: Principal,
        id: ConversationId,
        user: UserId,
    ) -> Result<(), Problem> {
        todo!()
    }
    pub async fn set_role(
        &self,
        who: Principal,
        id: ConversationId,
        user: UserId,
        role: Role,
    ) -> Result<(), Problem> {
        todo!()
    }

    // ---- messages.rs
    /// The ack, and the message itself when this call wrote it.
    pub async fn send(
        &self,
        who: Principal,
        send: MessageSend,
    ) -> Result<(SendAck, Option<Message>), Problem> {
        todo!()
    }
    pub async fn edit(&self, who: Principal, edit: MessageEdit) -> Result<ChangeAck, Problem> {
        todo!()
    }
    pub async fn delete(
        &self,
        who: Principal,
        delete: MessageDelete,
    ) -> Result<ChangeAck, Problem> {
        todo!()
    }
    /// One message in its current state.
    pub async fn message(
        &self,
        who: Principal,
        id: ConversationId,
        seq: Seq,
    ) -> Result<Message, Problem> {
        todo!()
    }
    pub async fn history(
        &self,
        who: Principal,
        id: ConversationId,
        page: Around,
        limit: i64,
    ) -> Result<History, Problem> {
        todo!()
    }
    pub async fn mark_read(
        &self,
        who: Principal,
        read: ConversationRead,
    ) -> Result<ReadAck, Problem> {
        todo!()
    }

    // ---- sync.rs
    pub async fn sync(
        &self,
        who: Principal,
        request: SyncRequest,
    ) -> Result<SyncResponse, Problem> {
        todo!()
    }

    // ---- people.rs
    pub async fn user(&self, who: Principal, id: UserId) -> Result<User, Problem> {
        todo!()
    }
    pub async fn search_users(
        &self,
        who: Principal,
        query: &str,
        page: Option<&str>,
        limit: i64,
    ) -> Result<Page<User>, Problem> {
        todo!()
    }
    pub async fn set_display_name(&self, who: Principal, name: &str) -> Result<User, Problem> {
        todo!()
    }
    /// Tells this user's sessions, everywhere, to look at their account again:
    /// devices revoked, epoch moved, disabled.
    pub async fn account_changed(&self, user: UserId) {
        todo!()
    }
}
