//! Who takes part in a conversation.

use axum::{extract::State, http::StatusCode};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::PageQuery,
};
use crate::{model::*, problem::Problem};

/// Everybody in it, by when they joined.
#[utoipa::path(
    get, path = "/conversations/{conversation_id}/participants", tag = "participants",
    params(("conversation_id" = ConversationId, Path), PageQuery),
    responses((status = 200, description = "Participants", body = Page<Participant>)),
)]
pub(super) async fn list(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<ConversationId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Participant>>, Problem> {
    state.chat.participants(who, id, page.after()?, page.limit()?).await.map(Json)
}

/// Add people to a group: its owner and admins.
#[utoipa::path(
    post, path = "/conversations/{conversation_id}/participants", tag = "participants",
    params(("conversation_id" = ConversationId, Path)), request_body = AddParticipants,
    responses(
        (status = 200, description = "The conversation with them", body = Conversation),
        (status = 403, description = "`forbidden`: your role, or a direct conversation"),
        (status = 409, description = "`conflict`: a full group"),
    ),
)]
pub(super) async fn add(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<ConversationId>,
    Json(body): Json<AddParticipants>,
) -> Result<Json<Conversation>, Problem> {
    state.chat.add_participants(who, id, &body.user_ids).await.map(Json)
}

/// Remove somebody, or leave.
#[utoipa::path(
    delete, path = "/conversations/{conversation_id}/participants/{user_id}",
    tag = "participants",
    params(("conversation_id" = ConversationId, Path), ("user_id" = UserId, Path)),
    responses(
        (status = 204, description = "No longer in it"),
        (status = 403, description = "`forbidden`: your role, or a direct conversation"),
        (status = 409, description = "`conflict`: the state does not allow it"),
    ),
)]
pub(super) async fn remove(
    State(state): State<AppState>,
    who: Principal,
    Path((id, user)): Path<(ConversationId, UserId)>,
) -> Result<StatusCode, Problem> {
    state.chat.remove_participant(who, id, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change somebody's role: the owner.
#[utoipa::path(
    patch, path = "/conversations/{conversation_id}/participants/{user_id}",
    tag = "participants",
    params(("conversation_id" = ConversationId, Path), ("user_id" = UserId, Path)),
    request_body = PatchParticipant,
    responses(
        (status = 204, description = "Changed"),
        (status = 403, description = "`forbidden`: your role, or a direct conversation"),
        (status = 409, description = "`conflict`"),
    ),
)]
pub(super) async fn set_role(
    State(state): State<AppState>,
    who: Principal,
    Path((id, user)): Path<(ConversationId, UserId)>,
    Json(body): Json<PatchParticipant>,
) -> Result<StatusCode, Problem> {
    state.chat.set_role(who, id, user, body.role).await?;
    Ok(StatusCode::NO_CONTENT)
}
