//! The API's own description: `/openapi.json` for programs, `/docs` for
//! people, all of it from inside the binary.

use std::sync::{Arc, LazyLock};

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use utoipa_swagger_ui::{Config, serve};

use super::{extract::Path, openapi::openapi, problem::no_such_route};
use crate::problem::{Code, Problem};

static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| openapi().to_json().unwrap_or_else(|_| "{}".into()));

/// The Swagger page sets styles of its own on elements; it runs no script but
/// its own and asks nobody but this host.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// With the slash: the page names its files relative to it.
pub(super) async fn to_index() -> Redirect {
    Redirect::permanent("/docs/")
}

pub(super) async fn index() -> Response {
    page("")
}

pub(super) async fn file(Path(name): Path<String>) -> Response {
    page(&name)
}

fn page(name: &str) -> Response {
    // Never a badge from somebody else's validator.
    let config = Config::from("/openapi.json").validator_url("none");
    let file = match serve(name, Arc::new(config)) {
        Ok(Some(file)) => file,
        Ok(None) => return no_such_route().into_response(),
        Err(error) => {
            tracing::warn!(%error, "the page of the API could not be made");
            return Problem::new(Code::Internal, "The page could not be made.").into_response();
        }
    };
    let media = HeaderValue::from_str(&file.content_type);
    let headers = [
        (header::CONTENT_TYPE, media.unwrap_or(HeaderValue::from_static("text/plain"))),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    (headers, file.bytes.into_owned()).into_response()
}
