//! What every answer carries, errors included: nothing is guessed, framed,
//! referred to or kept; and which other origins may read it.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{AppState, Origin};

/// For pages: scripts, styles and connections of this host only. `'self'`
/// covers the WebSocket of the same host.
const PAGES: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
     worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'";

const ALWAYS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, PAGES),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    ),
];

/// Adds what an answer does not say itself, and lets the pages of the
/// allowlist, nobody else's, read it.
pub(super) async fn add(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let friend = friend(&request, &state.settings.allowed_origins);
    let asks_first = *request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match &friend {
        Some(_) if asks_first => permission(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if state.chat.shutdown().is_draining() {
        // Who asks again does so on a connection to somebody else. Not of an
        // upgrade, which has one of its own.
        headers.entry(header::CONNECTION).or_insert(HeaderValue::from_static("close"));
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = friend {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let yes = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        let exposed = HeaderValue::from_static("Retry-After");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

/// The request's `Origin`, if it is on the allowlist.
fn friend(request: &Request, allowed: &[Origin]) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    let parsed = Origin::parse(origin.to_str().ok()?)?;
    allowed.contains(&parsed).then(|| origin.clone())
}

fn permission() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}
