//! The web client, inside the binary. `web/dist` is embedded as it was when
//! this was compiled; without it there is a page that says so.

use std::borrow::Cow;

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::no_such_route;

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Dist;

const SHELL: &str = "index.html";
/// The build names these after their content.
const HASHED: &str = "assets/";
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK: &str = "no-cache";
/// Made beside each file by the build, best first.
const CODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <title>Parley</title></head><body><h1>Parley</h1>\
    <p>The gateway is running. The web client was not built into this binary: \
    run <code>make build</code>.</p>\
    <p><a href=\"/docs/\">The REST API</a></p></body></html>";

/// The one page, for every path that the client itself routes.
pub(super) async fn shell(headers: HeaderMap) -> Response {
    match Dist::get(SHELL) {
        Some(file) => answer(SHELL, file, &headers),
        None => ([(header::CACHE_CONTROL, "no-store")], Html(NOT_BUILT)).into_response(),
    }
}

/// Everything that is no route: a file of the client, or nothing. Names are
/// looked up in a list made at compile time; there is no folder to climb out
/// of.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let name = uri.path().trim_start_matches('/');
    let variant = CODINGS.iter().any(|(_, suffix)| name.ends_with(suffix));
    let reads = method == Method::GET || method == Method::HEAD;
    match Dist::get(name).filter(|_| reads && !variant) {
        Some(file) => answer(name, file, &headers),
        None => no_such_route().into_response(),
    }
}

fn answer(name: &str, plain: EmbeddedFile, request: &HeaderMap) -> Response {
    let accepted = request.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok());
    let (file, coding) = CODINGS
        .iter()
        .filter(|(coding, _)| accepts(accepted.unwrap_or_default(), coding))
        .find_map(|(coding, suffix)| Some((Dist::get(&format!("{name}{suffix}"))?, Some(*coding))))
        .unwrap_or((plain, None));
    let tag = URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..16]);
    let tag = format!("\"{tag}\"");
    let caching = if name.starts_with(HASHED) { FOREVER } else { ASK };

    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    insert(&mut headers, header::ETAG, &tag);
    if names(request, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    insert(&mut headers, header::CONTENT_TYPE, &content_type(name));
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    let body = match file.data {
        Cow::Borrowed(bytes) => bytes.into(),
        Cow::Owned(bytes) => axum::body::Bytes::from(bytes),
    };
    (headers, body).into_response()
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        headers.insert(name, value);
    }
}

/// Whether the caller holds this very content already.
fn names(request: &HeaderMap, tag: &str) -> bool {
    let held = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
    held.flat_map(|value| value.split(',')).any(|held| {
        let held = held.trim();
        held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag
    })
}

fn content_type(name: &str) -> String {
    let media = mime_guess::from_path(name).first_or_octet_stream();
    match media.type_().as_str() {
        "text" => format!("{media}; charset=utf-8"),
        _ => media.to_string(),
    }
}

/// Whether `Accept-Encoding` lists this coding and does not refuse it.
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let refused = parts.any(|p| {
            let weight = p.strip_prefix("q=").or_else(|| p.strip_prefix("Q="));
            weight.and_then(|q| q.trim().parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        });
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_taken_as_the_caller_says() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(accepts("BR;q=0.5", "br"));
        assert!(!accepts("gzip, br;q=0", "br"));
        assert!(!accepts("gzip, br; q=0.0", "br"));
        assert!(!accepts("brotli", "br"));
        assert!(!accepts("", "gzip"));
    }

    #[test]
    fn texts_say_their_charset() {
        assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("assets/a.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("icon.svg"), "image/svg+xml");
        assert_eq!(content_type("x"), "application/octet-stream");
    }

    #[tokio::test]
    async fn there_is_always_a_page_and_never_another_file() {
        assert_eq!(shell(HeaderMap::new()).await.status(), 200);
        for path in ["/../Cargo.toml", "/..%2f..%2fCargo.toml", "//etc/passwd", "/assets/../../x"] {
            let uri: Uri = path.parse().expect("a path");
            let answer = file(Method::GET, uri, HeaderMap::new()).await;
            assert_eq!(answer.status(), 404, "{path}");
        }
    }
}
