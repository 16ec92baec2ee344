//! A [`Problem`] as HTTP says it: `application/problem+json` (RFC 9457).

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tracing::{Instrument, Span};

use crate::{
    metrics::Metrics,
    problem::{Code, Problem},
    telemetry::traces,
};

/// What every refusal and failure answers.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
#[schema(as = Problem)]
#[ts(rename = "Problem")]
pub struct ProblemBody {
    /// A name for the kind of problem: `urn:parley:problem:` and the code.
    pub r#type: String,
    /// What the code means.
    pub title: String,
    pub status: u16,
    /// What it means here.
    pub detail: String,
    /// Stable; branch on this.
    pub code: String,
    /// The field of the request that is to blame.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[ts(optional)]
    pub field: Option<String>,
    /// Whether the same request may succeed later: see `Retry-After`.
    pub retryable: bool,
    /// `Retry-After` to the millisecond.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[ts(optional)]
    pub retry_after_ms: Option<u64>,
}

impl From<&Problem> for ProblemBody {
    fn from(problem: &Problem) -> Self {
        let code = problem.code;
        Self {
            r#type: format!("urn:parley:problem:{}", code.code()),
            title: code.title().into(),
            status: code.status(),
            detail: problem.detail.clone().into_owned(),
            code: code.code().into(),
            field: problem.field.map(str::to_owned),
            retryable: code.retryable(),
            retry_after_ms: problem.retry_after_ms(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let json = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, json)], body(&self)).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            // Whole seconds: rounded up, or a client comes back too early.
            let seconds = wait.as_millis().div_ceil(1_000).max(1);
            if let Ok(value) = seconds.to_string().parse() {
                headers.insert(header::RETRY_AFTER, value);
            }
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

fn body(problem: &Problem) -> Vec<u8> {
    serde_json::to_vec(&ProblemBody::from(problem)).unwrap_or_default()
}

const STANDARD: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Counts and traces every request, and logs what went wrong, once, with the
/// route's pattern: the path itself may hold what somebody typed.
pub(super) async fn log(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let span = span(&request);
    let response = logged(metrics, request, next).instrument(span.clone()).await;
    traces::answered(&span, response.status().as_u16());
    response
}

fn span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    traces::request(request.method().as_str(), route, header)
}

async fn logged(metrics: Metrics, request: Request, next: Next) -> Response {
    let begun = std::time::Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let pattern = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let status = response.status().as_u16();
    metrics.request_served(pattern, method.as_str(), status, begun.elapsed());
    if let Some(problem) = response.extensions().get::<Problem>() {
        // A client may call its method anything.
        let method = if STANDARD.contains(&method) { method.as_str() } else { "OTHER" };
        let route = route.as_ref().map_or("-", MatchedPath::as_str);
        let (code, status) = (problem.code.code(), problem.code.status());
        // The detail of a refusal may quote what a client sent: a token in the
        // wrong place, a message.
        let (field, misread) = (problem.field, problem.misread.map(tracing::field::display));
        let detail = &problem.detail;
        match status {
            // Expected then, counted elsewhere, and not to be added to by logging.
            _ if matches!(problem.code, Code::Overloaded | Code::Draining) => {
                tracing::debug!(method, route, status, code, "request refused");
            }
            500.. => tracing::error!(method, route, status, code, ?detail, "request failed"),
            401 | 404 => tracing::debug!(method, route, status, code, "request refused"),
            _ => tracing::info!(method, route, status, code, field, misread, "request refused"),
        }
    }
    response
}

/// Runs the request in a task of its own. *A request runs to its end even when
/// its caller goes away*, so that no transaction is left half way; and a panic
/// in it is a 500, not a closed connection.
pub(super) async fn to_the_end(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request).in_current_span()).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(Code::Internal, "The request ran into an error of ours.").into_response()
        }
    }
}

pub(super) fn no_such_route() -> Problem {
    Problem::new(Code::NotFound, "There is nothing at this path.")
}

/// The router adds `Allow`.
pub(super) async fn wrong_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "This path does not answer this method; see Allow.")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waiting_is_told_in_whole_seconds_rounded_up() {
        for (wait, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (59_999, "60")] {
            let response = Problem::rate_limited(Duration::from_millis(wait)).into_response();
            assert_eq!(response.status(), 429);
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn every_code_has_a_status_and_says_the_same_in_the_body() {
        for code in Code::ALL {
            let problem = Problem::new(*code, "detail");
            let body: ProblemBody = serde_json::from_slice(&body(&problem)).expect("JSON");
            let response = problem.into_response();
            assert_eq!(response.status().as_u16(), code.status());
            assert_eq!((body.status, body.code.as_str()), (code.status(), code.code()));
            let unauthorized = response.headers().contains_key(header::WWW_AUTHENTICATE);
            assert_eq!(unauthorized, code.status() == 401);
        }
    }
}
