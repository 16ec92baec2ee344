//! What is said in a conversation, and how far I have read.

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page,
};
use crate::{
    model::*,
    problem::{Code, Problem},
    store::Around,
};

/// At most one of `before`, `after` and `around`; the newest page without.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// Messages below this seq: load more.
    before: Option<Seq>,
    /// Messages above this seq.
    after: Option<Seq>,
    /// Messages on both sides of this seq, and the one at it.
    around: Option<Seq>,
    /// 50 when absent, at most 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

impl HistoryQuery {
    fn page(&self) -> Result<Around, Problem> {
        match (self.before, self.after, self.around) {
            (None, None, None) => Ok(Around::Newest),
            (Some(seq), None, None) => Ok(Around::Before(seq)),
            (None, Some(seq), None) => Ok(Around::After(seq)),
            (None, None, Some(seq)) => Ok(Around::Around(seq)),
            _ => Err(Problem::invalid("At most one of before, after and around may be given.")),
        }
    }
}

/// A send's answer when the message was there already.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum Sent {
    /// As it is now.
    Message(Message),
    /// To who has left since: the fields of the ack and no more.
    Ack(SendAck),
}

/// A page of history, ascending.
#[utoipa::path(
    get, path = "/conversations/{conversation_id}/messages", tag = "messages",
    params(("conversation_id" = ConversationId, Path), HistoryQuery),
    responses((status = 200, description = "A stretch of the log", body = History)),
)]
pub(super) async fn history(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<ConversationId>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<History>, Problem> {
    let limit = page::limit(query.limit)?;
    state.chat.history(who, id, query.page()?, limit).await.map(Json)
}

/// Say something.
///
/// Idempotent by `client_msg_id`, for ever: repeat it until there is an
/// answer.
#[utoipa::path(
    post, path = "/conversations/{conversation_id}/messages", tag = "messages",
    params(("conversation_id" = ConversationId, Path)), request_body = PostMessage,
    responses(
        (status = 201, description = "Said", body = Message),
        (status = 200, description = "It had been said already", body = Sent),
        (status = 409, description = "`client_msg_id_reused`: for another message"),
    ),
)]
pub(super) async fn send(
    State(state): State<AppState>,
    who: Principal,
    Path(conversation_id): Path<ConversationId>,
    Json(PostMessage { client_msg_id, body, reply_to_seq }): Json<PostMessage>,
) -> Result<(StatusCode, Json<Sent>), Problem> {
    let send = MessageSend { conversation_id, client_msg_id, body, reply_to_seq };
    let (ack, message) = state.chat.send(who, send).await?;
    if let Some(message) = message {
        return Ok((StatusCode::CREATED, Json(Sent::Message(message))));
    }
    let sent = match state.chat.message(who, conversation_id, ack.seq).await {
        Ok(message) => Sent::Message(message),
        Err(problem) if problem.code == Code::NotFound => Sent::Ack(ack),
        Err(problem) => return Err(problem),
    };
    Ok((StatusCode::OK, Json(sent)))
}

/// Change what I said.
#[utoipa::path(
    patch, path = "/conversations/{conversation_id}/messages/{seq}", tag = "messages",
    params(("conversation_id" = ConversationId, Path), ("seq" = Seq, Path)),
    request_body = PatchMessage,
    responses(
        (status = 200, description = "Changed", body = ChangeAck),
        (status = 403, description = "`forbidden`"),
        (status = 409, description = "`conflict`"),
    ),
)]
pub(super) async fn edit(
    State(state): State<AppState>,
    who: Principal,
    Path((conversation_id, seq)): Path<(ConversationId, Seq)>,
    Json(PatchMessage { body }): Json<PatchMessage>,
) -> Result<Json<ChangeAck>, Problem> {
    state.chat.edit(who, MessageEdit { conversation_id, seq, body }).await.map(Json)
}

/// Take back what was said; its place stays.
#[utoipa::path(
    delete, path = "/conversations/{conversation_id}/messages/{seq}", tag = "messages",
    params(("conversation_id" = ConversationId, Path), ("seq" = Seq, Path)),
    responses(
        (status = 200, description = "Taken back", body = ChangeAck),
        (status = 403, description = "`forbidden`"),
        (status = 409, description = "`conflict`"),
    ),
)]
pub(super) async fn delete(
    State(state): State<AppState>,
    who: Principal,
    Path((conversation_id, seq)): Path<(ConversationId, Seq)>,
) -> Result<Json<ChangeAck>, Problem> {
    state.chat.delete(who, MessageDelete { conversation_id, seq }).await.map(Json)
}

/// I have read up to here. Never moves back, never beyond the log.
#[utoipa::path(
    post, path = "/conversations/{conversation_id}/read", tag = "messages",
    params(("conversation_id" = ConversationId, Path)), request_body = PostRead,
    responses((status = 200, description = "Where my mark is now", body = ReadAck)),
)]
pub(super) async fn mark_read(
    State(state): State<AppState>,
    who: Principal,
    Path(conversation_id): Path<ConversationId>,
    Json(PostRead { seq }): Json<PostRead>,
) -> Result<Json<ReadAck>, Problem> {
    state.chat.mark_read(who, ConversationRead { conversation_id, seq }).await.map(Json)
}
