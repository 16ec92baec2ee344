//! Limits around a router: time, size, and panics. What they answer looks like
//! every other problem of the API.

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, StatusCode, header},
    middleware::map_response,
    response::Response,
};
use tower_http::{
    catch_panic::CatchPanicLayer, limit::RequestBodyLimitLayer, timeout::TimeoutLayer,
};

use super::{BODY_BYTES, Settings};
use crate::{metrics::Metrics, problem::Code};

/// Wraps a router in the limits of the public listener. An upgrade is answered
/// at once, so the time limit does not touch sockets.
pub fn protect(router: Router, settings: &Settings, metrics: &Metrics) -> Router {
    let metrics = metrics.clone();
    let caught = move |_: Box<dyn std::any::Any + Send>| {
        // The hook of the process has logged it, once.
        metrics.panicked("request");
        problem(StatusCode::INTERNAL_SERVER_ERROR)
    };
    router
        .layer(RequestBodyLimitLayer::new(BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            settings.request_timeout,
        ))
        .layer(CatchPanicLayer::custom(caught))
        .layer(map_response(explained))
}

/// Bare statuses of the layers become problems.
async fn explained(response: Response) -> Response {
    let json = HeaderValue::from_static("application/problem+json");
    let ours = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| *kind == json || !kind.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE if !ours => problem(StatusCode::PAYLOAD_TOO_LARGE),
        StatusCode::SERVICE_UNAVAILABLE if !ours => problem(StatusCode::SERVICE_UNAVAILABLE),
        _ => response,
    }
}

fn problem(status: StatusCode) -> Response {
    let (code, detail) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => (Code::PayloadTooLarge, "The body has more than 4 MiB."),
        StatusCode::SERVICE_UNAVAILABLE => {
            (Code::Unavailable, "The request took too long and was given up.")
        }
        _ => (Code::Internal, "The request could not be finished; it has been noted."),
    };
    let body = serde_json::json!({
        "type": format!("urn:parley:problem:{}", code.code()),
        "title": code.title(),
        "status": code.status(),
        "code": code.code(),
        "detail": detail,
        "retryable": code.retryable(),
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if code.retryable() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
