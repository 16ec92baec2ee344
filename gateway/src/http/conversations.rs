//! Conversations: making them, finding them, and my own settings in them.

use axum::{extract::State, http::StatusCode};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::PageQuery,
};
use crate::{model::*, problem::Problem};

/// My conversations, newest activity first.
#[utoipa::path(
    get, path = "/conversations", tag = "conversations", params(PageQuery),
    responses((status = 200, description = "My conversations", body = Page<Conversation>)),
)]
pub(super) async fn list(
    State(state): State<AppState>,
    who: Principal,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Conversation>>, Problem> {
    state.chat.conversations(who, page.after()?, page.limit()?).await.map(Json)
}

/// Start a conversation.
///
/// A direct one is made once per pair, a group once per `client_id`.
#[utoipa::path(
    post, path = "/conversations", tag = "conversations", request_body = CreateConversation,
    responses(
        (status = 201, description = "Made", body = Conversation),
        (status = 200, description = "It exists already", body = Conversation),
        (status = 409, description = "`client_id_reused`"),
    ),
)]
pub(super) async fn create(
    State(state): State<AppState>,
    who: Principal,
    Json(new): Json<CreateConversation>,
) -> Result<(StatusCode, Json<Conversation>), Problem> {
    let (conversation, created) = state.chat.create_conversation(who, new).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(conversation)))
}

/// One conversation of mine.
#[utoipa::path(
    get, path = "/conversations/{conversation_id}", tag = "conversations",
    params(("conversation_id" = ConversationId, Path)),
    responses((status = 200, description = "The conversation", body = Conversation)),
)]
pub(super) async fn conversation(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<ConversationId>,
) -> Result<Json<Conversation>, Problem> {
    state.chat.conversation(who, id).await.map(Json)
}

/// Rename a group: its owner and admins.
#[utoipa::path(
    patch, path = "/conversations/{conversation_id}", tag = "conversations",
    params(("conversation_id" = ConversationId, Path)), request_body = PatchConversation,
    responses(
        (status = 200, description = "Renamed", body = Conversation),
        (status = 403, description = "`forbidden`"),
    ),
)]
pub(super) async fn rename(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<ConversationId>,
    Json(body): Json<PatchConversation>,
) -> Result<Json<Conversation>, Problem> {
    state.chat.set_title(who, id, &body.title).await.map(Json)
}

/// Mute or pin it for myself, on all my devices.
#[utoipa::path(
    patch, path = "/conversations/{conversation_id}/me", tag = "conversations",
    params(("conversation_id" = ConversationId, Path)), request_body = PatchMembership,
    responses((status = 200, description = "My settings", body = Settings)),
)]
pub(super) async fn settings(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<ConversationId>,
    Json(body): Json<PatchMembership>,
) -> Result<Json<Settings>, Problem> {
    state.chat.set_settings(who, id, body).await.map(Json)
}
