//! REST. Handlers take what a request says, ask `auth` or `chat`, and answer;
//! what is decided is decided there.

mod auth;
mod conversations;
mod cookie;
mod devices;
mod docs;
mod extract;
mod headers;
mod messages;
mod openapi;
pub mod origin;
mod page;
mod participants;
mod peer;
mod principal;
mod problem;
mod strict_json;
mod sync;
mod users;
mod web;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::FromRequestParts,
    http::request::Parts,
    middleware,
    routing::{delete, get, patch, post},
};
use ipnet::IpNet;

pub use openapi::openapi;
pub use origin::{AllowedOrigins, Origin};
pub use peer::client;
pub use principal::bearer;
pub use problem::ProblemBody;

use crate::{auth::Auth, cache::limits::Rule, chat::Chat, metrics::Metrics, problem::Problem};

/// What every handler may use; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub auth: Auth,
    pub chat: Chat,
    pub metrics: Metrics,
    pub settings: Arc<HttpSettings>,
}

#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// `PARLEY_ALLOWED_ORIGINS`, beside the own host.
    pub allowed_origins: AllowedOrigins,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// All requests of one user.
    pub rest_per_user: Rule,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            allowed_origins: Arc::new([]),
            trusted_proxies: Vec::new(),
            rest_per_user: Rule::new(300, Duration::from_secs(30)),
        }
    }
}

/// The table of contents. `socket` brings `/ws` and `/asyncapi.json`, which
/// other rooms know; `protect` wraps all routes in the limits of the listener.
pub fn router(state: AppState, socket: Router, protect: impl FnOnce(Router) -> Router) -> Router {
    let api = Router::new()
        .route("/auth/register", post(auth::register))
        .route("/auth/login", post(auth::login))
        .route("/auth/refresh", post(auth::refresh))
        .route("/auth/logout", post(auth::logout))
        .route("/auth/logout-all", post(auth::logout_all))
        .route("/auth/ticket", post(auth::ticket))
        .route("/users", get(users::search))
        .route("/users/me", get(users::me).patch(users::update_me).delete(users::delete_me))
        .route("/users/me/password", post(users::change_password))
        .route("/users/{user_id}", get(users::user))
        .route("/devices", get(devices::list))
        .route("/devices/{device_id}", delete(devices::revoke))
        .route("/conversations", get(conversations::list).post(conversations::create))
        .route(
            "/conversations/{conversation_id}",
            get(conversations::conversation).patch(conversations::rename),
        )
        .route("/conversations/{conversation_id}/me", patch(conversations::settings))
        .route(
            "/conversations/{conversation_id}/participants",
            get(participants::list).post(participants::add),
        )
        .route(
            "/conversations/{conversation_id}/participants/{user_id}",
            delete(participants::remove).patch(participants::set_role),
        )
        .route(
            "/conversations/{conversation_id}/messages",
            get(messages::history).post(messages::send),
        )
        .route(
            "/conversations/{conversation_id}/messages/{seq}",
            patch(messages::edit).delete(messages::delete),
        )
        .route("/conversations/{conversation_id}/read", post(messages::mark_read))
        .route("/sync", post(sync::sync));

    let description = Router::new()
        .route("/openapi.json", get(docs::document))
        .route("/docs", get(docs::to_index))
        .route("/docs/", get(docs::index))
        .route("/docs/{*name}", get(docs::file));

    let web = Router::new()
        .route("/", get(web::shell))
        .route("/login", get(web::shell))
        .route("/register", get(web::shell))
        .route("/settings", get(web::shell))
        .route("/settings/{*rest}", get(web::shell))
        .route("/c/{*rest}", get(web::shell));

    let routes = api
        .merge(description)
        .merge(web)
        .fallback(web::file)
        .with_state(state.clone())
        .merge(socket)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(middleware::from_fn(problem::to_the_end));
    protect(routes)
        .layer(middleware::from_fn_with_state(state.metrics.clone(), problem::log))
        .layer(middleware::from_fn_with_state(state, headers::add))
}

/// The address that attempts are counted by.
struct Client(std::net::IpAddr);

impl FromRequestParts<AppState> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let trusted = &state.settings.trusted_proxies;
        Ok(Self(peer::client(&parts.extensions, &parts.headers, trusted)))
    }
}

/// The page that asks; null for a client that is no browser. A page that may
/// not ask is refused.
struct Browser(Option<Origin>);

impl FromRequestParts<AppState> for Browser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        origin::page(&parts.headers, &state.settings.allowed_origins).map(Self)
    }
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
