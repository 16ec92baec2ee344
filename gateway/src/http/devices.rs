//! Where I am signed in.

use axum::{extract::State, http::StatusCode};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::PageQuery,
};
use crate::{model::*, problem::Problem};

/// My devices, last seen first.
#[utoipa::path(
    get, path = "/devices", tag = "devices", params(PageQuery),
    responses((status = 200, description = "My devices", body = Page<Device>)),
)]
pub(super) async fn list(
    State(state): State<AppState>,
    who: Principal,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Device>>, Problem> {
    state.chat.devices(who, page.after()?, page.limit()?).await.map(Json)
}

/// Sign one of my devices out.
#[utoipa::path(
    delete, path = "/devices/{device_id}", tag = "devices",
    params(("device_id" = DeviceId, Path)),
    responses((status = 204, description = "Signed out")),
)]
pub(super) async fn revoke(
    State(state): State<AppState>,
    who: Principal,
    Path(device): Path<DeviceId>,
) -> Result<StatusCode, Problem> {
    state.auth.revoke_device(who, device).await?;
    state.chat.account_changed(who.user).await;
    Ok(StatusCode::NO_CONTENT)
}
