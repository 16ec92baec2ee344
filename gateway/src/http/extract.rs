//! What handlers take from a request. Each refuses with a [`Problem`], never
//! with the framework's own words, and never with a 500.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use serde::{Serialize, de::DeserializeOwned};

use super::strict_json;
use crate::{
    model::limits,
    problem::{Code, Problem},
};

/// As large as a frame of the socket.
pub const BODY_BYTES: usize = limits::FRAME_BYTES;
/// What is read of a body that is too large, so that its sender sees our
/// answer rather than a broken connection.
const DRAINED_BYTES: usize = 4 * 1024 * 1024;
const BODY_TIME: Duration = Duration::from_secs(15);
const QUERY_BYTES: usize = 2_048;

/// A JSON body, in either direction. Coming in: `application/json`, not
/// compressed, at most 64 KiB, every field known and none twice.
pub struct Json<T>(pub T);

/// The same, where no body at all means all defaults.
pub struct OptionalJson<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let media = media_type(&parts.headers);
        let bytes = read(&parts.headers, body, BODY_TIME).await?;
        media?;
        parse(&bytes).map(Json)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body, BODY_TIME).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        media_type(&parts.headers)?;
        parse(&bytes).map(Self)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    strict_json::read(bytes).map_err(|error| Problem::misread(&error, error.to_string()))
}

fn media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |detail| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let coding = headers.get(header::CONTENT_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return unsupported("Bodies must not be compressed.");
    }
    let media = headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let media: Option<mime_guess::Mime> = media.and_then(|media| media.parse().ok());
    let json = media.is_some_and(|media| {
        let named = media.type_() == "application"
            && (media.subtype() == "json" || media.suffix().is_some_and(|suffix| suffix == "json"));
        named && media.get_param("charset").is_none_or(|charset| charset == "utf-8")
    });
    if json { Ok(()) } else { unsupported("The Content-Type must be application/json.") }
}

async fn read(headers: &HeaderMap, body: Body, within: Duration) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        let detail = format!("A body has at most {BODY_BYTES} bytes.");
        Problem::new(Code::PayloadTooLarge, detail)
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > DRAINED_BYTES as u64) {
        return Err(too_large());
    }
    let collect = async {
        let mut body = body;
        let (mut bytes, mut seen) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let broken = |_| Problem::invalid("The body broke off.");
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            seen += data.len();
            if seen <= BODY_BYTES {
                bytes.extend_from_slice(&data);
            } else if seen > DRAINED_BYTES {
                break;
            }
        }
        if seen > BODY_BYTES { Err(too_large()) } else { Ok(bytes) }
    };
    match tokio::time::timeout(within, collect).await {
        Ok(read) => read,
        Err(_) => Err(Problem::invalid("The body did not arrive in time.")),
    }
}

/// Parts of the path, by position.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
    }
}

/// The query string; its type says `deny_unknown_fields`.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        if query.len() > QUERY_BYTES {
            let detail = format!("A query string has at most {QUERY_BYTES} bytes.");
            return Err(Problem::invalid(detail));
        }
        if query.contains("%00") || query.contains('\0') {
            return Err(Problem::invalid("A query must not contain the character U+0000."));
        }
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
    }
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
