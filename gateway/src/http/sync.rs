//! Catching up without a socket.

use axum::extract::State;

use super::{AppState, extract::Json};
use crate::{model::*, problem::Problem};

/// What changed since my cursors, in the very frames the socket would send.
#[utoipa::path(
    post, path = "/sync", tag = "sync", request_body = SyncRequest,
    responses((status = 200, description = "Ask again until `complete`", body = SyncResponse)),
)]
pub(super) async fn sync(
    State(state): State<AppState>,
    who: Principal,
    Json(request): Json<SyncRequest>,
) -> Result<Json<SyncResponse>, Problem> {
    if request.cursors.len() > limits::CURSORS {
        return Err(Problem::field("cursors", "has more than 500 entries"));
    }
    state.chat.sync(who, request).await.map(Json)
}
