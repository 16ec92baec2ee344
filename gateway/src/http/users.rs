//! People: me, and those I can find.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;

use super::{
    AppState, Browser, cookie,
    extract::{Json, Path, Query},
    page::PageQuery,
};
use crate::{model::*, problem::Problem};

const QUERY_CHARS: usize = 64;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchQuery {
    /// The start of a username or of a word of a display name; at most 64
    /// characters.
    query: String,
    /// `next` of the page before.
    after: Option<String>,
    /// 50 when absent, at most 200.
    limit: Option<i64>,
}

/// Find people by name.
#[utoipa::path(
    get, path = "/users", tag = "users", params(SearchQuery),
    responses((status = 200, description = "By username", body = Page<User>)),
)]
pub(super) async fn search(
    State(state): State<AppState>,
    who: Principal,
    Query(SearchQuery { query, after, limit }): Query<SearchQuery>,
) -> Result<Json<Page<User>>, Problem> {
    let query = query.trim();
    if query.is_empty() || query.chars().count() > QUERY_CHARS {
        return Err(Problem::field("query", "has 1 to 64 characters"));
    }
    let page = PageQuery::new(after, limit);
    state.chat.search_users(who, query, page.after()?, page.limit()?).await.map(Json)
}

/// Me, as others see me.
#[utoipa::path(
    get, path = "/users/me", tag = "users",
    responses((status = 200, description = "Me", body = User)),
)]
pub(super) async fn me(
    State(state): State<AppState>,
    who: Principal,
) -> Result<Json<User>, Problem> {
    state.chat.user(who, who.user).await.map(Json)
}

/// Change how others see me.
#[utoipa::path(
    patch, path = "/users/me", tag = "users", request_body = PatchUser,
    responses((status = 200, description = "Me, changed", body = User)),
)]
pub(super) async fn update_me(
    State(state): State<AppState>,
    who: Principal,
    Json(body): Json<PatchUser>,
) -> Result<Json<User>, Problem> {
    let name = text::display_name(&body.display_name)?;
    state.chat.set_display_name(who, &name).await.map(Json)
}

/// Delete my account, for good: I leave my groups, my name is free again, and
/// what I said stays without it.
#[utoipa::path(
    delete, path = "/users/me", tag = "users", request_body = DeleteAccount,
    responses((status = 204, description = "Deleted, and signed out everywhere")),
)]
pub(super) async fn delete_me(
    State(state): State<AppState>,
    Browser(page): Browser,
    who: Principal,
    Json(body): Json<DeleteAccount>,
) -> Result<(StatusCode, HeaderMap), Problem> {
    let checked = state.auth.check_password(who, &body.password, "password").await?;
    let AppState { chat, auth, .. } = state.clone();
    // To its end, also for who does not wait for the answer; what an error
    // leaves undone, asking again does.
    let deletion = async move {
        chat.leave_groups(who).await?;
        auth.delete_account(&checked).await?;
        chat.profile_changed(who.user).await
    };
    state.chat.detached(deletion).await?;
    Ok((StatusCode::NO_CONTENT, cookie::forget(page)))
}

/// Change my password; my other devices are signed out.
#[utoipa::path(
    post, path = "/users/me/password", tag = "users", request_body = ChangePassword,
    responses((status = 204, description = "Changed")),
)]
pub(super) async fn change_password(
    State(state): State<AppState>,
    who: Principal,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode, Problem> {
    state.auth.change_password(who, body).await?;
    state.chat.account_changed(who.user).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody, as others see them.
#[utoipa::path(
    get, path = "/users/{user_id}", tag = "users", params(("user_id" = UserId, Path)),
    responses((status = 200, description = "The user", body = User)),
)]
pub(super) async fn user(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<UserId>,
) -> Result<Json<User>, Problem> {
    state.chat.user(who, id).await.map(Json)
}
