//! Where I am signed in.

use axum::{extract::State, http::StatusCode};

use super::{
    AppState,
    extract::{Json, Path},
};
use crate::{model::*, problem::Problem};

/// My devices, last seen first; all on one page.
#[utoipa::path(
    get, path = "/devices", tag = "devices",
    responses((status = 200, description = "My devices", body = Page<Device>)),
)]
pub(super) async fn list(
    State(state): State<AppState>,
    who: Principal,
) -> Result<Json<Page<Device>>, Problem> {
    let items = state.auth.devices(who).await?;
    Ok(Json(Page { items, next: None }))
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
