//! Signing in and out. A page keeps its refresh token in a cookie it cannot
//! read; any other client has it in the body.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
};

use super::{
    AppState, Browser, Client, cookie,
    extract::{Json, OptionalJson},
    origin::{self, Origin},
};
use crate::{
    auth::{Refreshed, SignedIn, Tokens, Verified},
    model::*,
    problem::{Code, Problem},
};

/// Make an account, and sign in with it.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", security(()),
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "Made, and signed in", body = AuthResponse),
        (status = 403, description = "`registration_closed`, `origin_refused`"),
        (status = 409, description = "`username_taken`"),
    ),
)]
pub(super) async fn register(
    State(state): State<AppState>,
    Client(address): Client,
    Browser(page): Browser,
    body: Result<Json<RegisterRequest>, Problem>,
) -> Result<(StatusCode, HeaderMap, Json<AuthResponse>), Problem> {
    let signed_in = state.auth.register(with_password(body)?, address).await?;
    let (headers, answer) = signed_in_answer(&state, page, signed_in);
    Ok((StatusCode::CREATED, headers, answer))
}

/// Sign in: every login is a device of its own.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", security(()),
    request_body = LoginRequest,
    responses(
        (status = 200, description = "Signed in", body = AuthResponse),
        (status = 401, description = "`bad_credentials`"),
        (status = 403, description = "`forbidden`: the account is disabled; `origin_refused`"),
    ),
)]
pub(super) async fn login(
    State(state): State<AppState>,
    Client(address): Client,
    Browser(page): Browser,
    body: Result<Json<LoginRequest>, Problem>,
) -> Result<(HeaderMap, Json<AuthResponse>), Problem> {
    let signed_in = state.auth.login(with_password(body)?, address).await?;
    if signed_in.displaced {
        state.chat.account_changed(signed_in.user.id).await;
    }
    Ok(signed_in_answer(&state, page, signed_in))
}

/// A new access token for a refresh token, which a new one replaces.
///
/// The one before the current is answered again for 30 s, so that a lost
/// answer or a second tab signs nobody out. An older one ends the device.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", security(()),
    request_body = Option<RefreshRequest>,
    responses(
        (status = 200, description = "New tokens", body = TokenResponse),
        (status = 401, description = "`unauthenticated`, `signed_out`"),
        (status = 403, description = "`origin_refused`"),
    ),
)]
pub(super) async fn refresh(
    State(state): State<AppState>,
    Browser(page): Browser,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson<RefreshRequest>,
) -> Result<(HeaderMap, Json<TokenResponse>), Problem> {
    let token = presented(&page, &headers, body)?.ok_or_else(|| {
        let detail = "There is no refresh token in the body and none in a cookie.";
        Problem::new(Code::Unauthenticated, detail)
    })?;
    match state.auth.refresh(&token).await? {
        Refreshed::Tokens(tokens) => Ok(token_answer(&state, page, tokens)),
        Refreshed::Revoked(user) => {
            state.chat.account_changed(user).await;
            Err(Problem::new(Code::SignedOut, "This session has ended; sign in again."))
        }
    }
}

/// Sign this device out: the one of the access token, else of the refresh
/// token.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", security((), ("bearer" = [])),
    request_body = Option<RefreshRequest>,
    responses(
        (status = 204, description = "Signed out"),
        (status = 401, description = "Neither token is one of ours"),
        (status = 403, description = "`origin_refused`"),
    ),
)]
pub(super) async fn logout(
    State(state): State<AppState>,
    Browser(page): Browser,
    who: Result<Principal, Problem>,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson<RefreshRequest>,
) -> Result<(StatusCode, HeaderMap), Problem> {
    let user = match (who, presented(&page, &headers, body)?) {
        (Ok(who), _) => {
            state.auth.logout(who).await?;
            Some(who.user)
        }
        (Err(_), Some(token)) => state.auth.logout_by_refresh(&token).await?,
        (Err(problem), None) => return Err(problem),
    };
    if let Some(user) = user {
        state.chat.account_changed(user).await;
    }
    Ok((StatusCode::NO_CONTENT, cookie::forget(page)))
}

/// Sign every device of mine out.
#[utoipa::path(
    post, path = "/auth/logout-all", tag = "auth",
    responses((status = 204, description = "Signed out everywhere")),
)]
pub(super) async fn logout_all(
    State(state): State<AppState>,
    Browser(page): Browser,
    who: Principal,
) -> Result<(StatusCode, HeaderMap), Problem> {
    state.auth.logout_all(who).await?;
    state.chat.account_changed(who.user).await;
    Ok((StatusCode::NO_CONTENT, cookie::forget(page)))
}

/// A ticket for `/ws?token=`: a page cannot send headers with an upgrade.
#[utoipa::path(
    post, path = "/auth/ticket", tag = "auth",
    responses((status = 200, description = "Valid once", body = Ticket)),
)]
pub(super) async fn ticket(
    State(state): State<AppState>,
    who: Verified,
) -> Result<Json<Ticket>, Problem> {
    let (ticket, ttl) = state.auth.ticket(&who).await?;
    Ok(Json(Ticket { ticket, expires_in: ttl.as_secs() }))
}

/// A password of a megabyte is a password that breaks its rule: 400.
fn with_password<T>(body: Result<Json<T>, Problem>) -> Result<T, Problem> {
    match body {
        Ok(Json(body)) => Ok(body),
        Err(problem) if problem.code == Code::PayloadTooLarge => {
            let detail = "The request is too long: a password has at most 128 characters.";
            Err(Problem { field: Some("password"), ..Problem::invalid(detail) })
        }
        Err(problem) => Err(problem),
    }
}

/// The refresh token of the body, else of the cookie. A cookie comes along
/// with whatever asks, so it counts for a page of ours only.
fn presented(
    page: &Option<Origin>,
    headers: &HeaderMap,
    body: RefreshRequest,
) -> Result<Option<Secret>, Problem> {
    if body.refresh_token.is_some() {
        return Ok(body.refresh_token);
    }
    match cookie::refresh_token(headers) {
        Some(_) if page.is_none() => Err(origin::refused()),
        token => Ok(token),
    }
}

fn signed_in_answer(
    state: &AppState,
    page: Option<Origin>,
    signed_in: SignedIn,
) -> (HeaderMap, Json<AuthResponse>) {
    let SignedIn { tokens, device_secret, user, device, .. } = signed_in;
    let (headers, Json(tokens)) = token_answer(state, page, tokens);
    let TokenResponse { access_token, refresh_token, token_type, expires_in } = tokens;
    let answer = AuthResponse {
        access_token,
        refresh_token,
        token_type,
        expires_in,
        device_secret,
        user,
        device,
    };
    (headers, Json(answer))
}

fn token_answer(
    state: &AppState,
    page: Option<Origin>,
    tokens: Tokens,
) -> (HeaderMap, Json<TokenResponse>) {
    let mut headers = HeaderMap::new();
    let refresh_token = match page {
        None => Some(tokens.refresh),
        Some(page) => {
            let lifetime = state.auth.settings().refresh_ttl;
            headers.insert(header::SET_COOKIE, cookie::set(&page, &tokens.refresh, lifetime));
            None
        }
    };
    let answer = TokenResponse {
        access_token: tokens.access,
        refresh_token,
        token_type: "Bearer".into(),
        expires_in: tokens.expires_in.as_secs(),
    };
    (headers, Json(answer))
}
