//! Limits around a router: time, size, and panics. What they answer looks like
//! every other problem of the API.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
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
        problem(Code::Internal, "The request could not be finished; it has been noted.")
    };
    router
        .layer(RequestBodyLimitLayer::new(BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            settings.request_timeout,
        ))
        .layer(CatchPanicLayer::custom(caught))
        .layer(from_fn(explained))
}

/// Bare statuses of the layers become problems.
async fn explained(request: Request, next: Next) -> Response {
    let only_reads = request.method().is_safe();
    let response = next.run(request).await;
    let json = HeaderValue::from_static("application/problem+json");
    let ours = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| *kind == json || !kind.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE if !ours => {
            problem(Code::PayloadTooLarge, "The body has more than 4 MiB.")
        }
        StatusCode::SERVICE_UNAVAILABLE if !ours && only_reads => {
            problem(Code::Unavailable, "The request took too long and was given up.")
        }
        // Writes run to their end whoever waits: this one may still commit.
        StatusCode::SERVICE_UNAVAILABLE if !ours => {
            let detail = "The request took too long. Repeat the same one to learn what happened.";
            problem(Code::OutcomeUnknown, detail)
        }
        _ => response,
    }
}

fn problem(code: Code, detail: &str) -> Response {
    let body = serde_json::json!({
        "type": format!("urn:parley:problem:{}", code.code()),
        "title": code.title(),
        "status": code.status(),
        "code": code.code(),
        "detail": detail,
        "retryable": code.retryable(),
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if code.retryable() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
