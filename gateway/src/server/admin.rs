//! The admin listener: probes, metrics, drain, and what other rooms add. It has no authentication; it is
//! bound to the loopback or to a network that only operators reach.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpStream, time::timeout};

use super::Health;
use crate::{metrics::Metrics, shutdown::Shutdown};

/// What the admin listener knows.
#[derive(Clone)]
pub struct Admin {
    pub health: Health,
    pub metrics: Metrics,
    pub shutdown: Shutdown,
}

/// `more`: routes of other rooms.
pub fn router(admin: Admin, more: Router) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/startupz", get(startupz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/admin/drain", get(progress).post(drain))
        .with_state(admin)
        .merge(more)
        .layer(from_fn(no_pages))
}

/// Answers as long as the runtime runs; never asks a dependency, or a shared
/// outage would restart every replica.
async fn livez() -> &'static str {
    "ok\n"
}

async fn startupz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    match admin.health.is_started() {
        true => (StatusCode::OK, "started\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
    }
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let obstacles = admin.health.obstacles();
    let status = match obstacles.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(json!({ "ready": obstacles.is_empty(), "obstacles": obstacles }))).into_response()
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], admin.metrics.render())
}

async fn drain(State(admin): State<Admin>) -> (StatusCode, Json<serde_json::Value>) {
    admin.shutdown.begin_drain("asked by the admin listener");
    (StatusCode::ACCEPTED, progress(State(admin)).await)
}

/// How far a drain is.
async fn progress(State(admin): State<Admin>) -> Json<serde_json::Value> {
    let (draining, connections) = (admin.shutdown.is_draining(), admin.metrics.connections());
    Json(json!({ "draining": draining, "connections": connections }))
}

/// Browsers send these with every request a page makes; without this check any
/// page an operator visits could drain the replica on their own machine.
async fn no_pages(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "not for web pages\n").into_response();
    }
    next.run(request).await
}

/// Why a call to an admin listener brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("nothing answers at {0}: {1}")]
    Unreachable(SocketAddr, String),
    #[error("no answer within {0:?}")]
    TooSlow(Duration),
}

/// Asks the admin listener of a replica: the client of `healthcheck` and
/// `drain` and their like. Returns the status and the start of the body.
pub async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    limit: Duration,
) -> Result<(u16, String), CallError> {
    let asking = async {
        let stream = TcpStream::connect(address).await.map_err(|why| why.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|why| why.to_string())?;
        let connection = tokio::spawn(connection);
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, address.to_string())
            .body(Empty::<Bytes>::new())
            .map_err(|why| why.to_string())?;
        let response = sender.send_request(request).await.map_err(|why| why.to_string())?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), 64 * 1024).collect().await;
        connection.abort();
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Ok::<_, String>((status, String::from_utf8_lossy(&body).into_owned()))
    };
    match timeout(limit, asking).await {
        Ok(answer) => answer.map_err(|why| CallError::Unreachable(address, why)),
        Err(_) => Err(CallError::TooSlow(limit)),
    }
}

/// Where a listener bound to every address is reached from its own host.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}
