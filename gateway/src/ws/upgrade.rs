//! `GET /ws`: who may open a socket, decided before there is one.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{Query, State, WebSocketUpgrade, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;

use super::{SocketSettings, connection, greeting};
use crate::{
    auth::{Auth, Verified},
    chat::Chat,
    http::{AllowedOrigins, origin},
    metrics::Metrics,
    model::limits,
    problem::{Code, Problem},
    server::Place,
};

/// What every socket shares; cheap to clone.
#[derive(Clone)]
pub struct SocketState {
    pub auth: Auth,
    pub chat: Chat,
    pub metrics: Metrics,
    pub settings: Arc<SocketSettings>,
    pub allowed_origins: AllowedOrigins,
}

/// Bytes tungstenite reads at once; its default of 128 KiB would be held, and
/// zeroed at every read, by each socket.
const READ_BUFFER: usize = 1024;
/// Frames are written together up to this size.
const WRITE_BUFFER: usize = 2 * 1024;
/// What a peer that does not read can make us hold.
const MAX_WRITE_BUFFER: usize = 128 * 1024;

pub fn router(state: SocketState) -> Router {
    Router::new()
        .route("/ws", get(upgrade))
        .route("/asyncapi.json", get(async || Json(super::asyncapi())))
        .with_state(state)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// An access token or a ticket; else `Authorization`, else the first frame.
    token: Option<String>,
}

async fn upgrade(
    State(state): State<SocketState>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
    place: Option<Extension<Place>>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let admitted = admit(&state, parameters, &headers).await;
    // Held until here, they would pin the whole buffer of the request's head.
    drop(headers);
    let verified = match admitted {
        Ok(verified) => verified,
        Err(problem) => {
            // Who is only early is nobody who failed.
            if !matches!(problem.code, Code::Overloaded | Code::Draining) {
                state.metrics.auth_failed(problem.code.code());
            }
            return problem.into_response();
        }
    };
    let Ok(upgrade) = upgrade else {
        let detail = "This path speaks WebSocket (RFC 6455, version 13) only.";
        return Problem::invalid(detail).into_response();
    };
    let shutdown = state.chat.shutdown().clone();
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        // One more than allowed, so that the frame too large can be named.
        .max_frame_size(limits::FRAME_BYTES)
        .max_message_size(limits::FRAME_BYTES)
        .on_upgrade(async move |socket| {
            // A drain waits for sockets to end; the place under the cap is
            // given back with this one.
            shutdown.track(connection::serve(socket, verified, state)).await;
            drop(place);
        })
}

async fn admit(
    state: &SocketState,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<Option<Verified>, Problem> {
    let Query(parameters) =
        parameters.map_err(|_| Problem::invalid("The only query parameter is `token`."))?;
    origin::check(headers, &state.allowed_origins)?;
    if state.chat.shutdown().is_draining() {
        let detail = "This replica is going away; connect again.";
        return Err(Problem::new(Code::Draining, detail).after(Duration::from_secs(1)));
    }
    state.chat.admission().check()?;
    let bearer = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")))
        .map(|token| token.ok_or_else(|| Problem::invalid("Authorization must be `Bearer …`.")))
        .transpose()?;
    let Some(token) = bearer.or(parameters.token.as_deref()) else { return Ok(None) };
    let verified = state.auth.authenticate_socket(token).await?;
    greeting::check_share(state, &verified)?;
    Ok(Some(verified))
}
