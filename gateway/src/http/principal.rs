//! Who is asking. *Every route that is not meant for strangers takes one of
//! these.*

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::AppState;
use crate::{
    auth::Verified,
    model::Principal,
    problem::{Code, Problem},
};

impl FromRequestParts<AppState> for Verified {
    type Rejection = Problem;

    /// `Authorization: Bearer` and nothing else: a token in a URL ends up in
    /// logs, and one in a cookie is sent by other people's pages.
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let verified = state.auth.authenticate(bearer(&parts.headers)?).await?;
        state.auth.pace(verified.principal.user, state.settings.rest_per_user).await?;
        Ok(verified)
    }
}

impl FromRequestParts<AppState> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Verified::from_request_parts(parts, state).await.map(|verified| verified.principal)
    }
}

/// The one bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        let detail = "This needs an access token: Authorization: Bearer ….";
        Problem::new(Code::Unauthenticated, detail)
    };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(missing()) };
    let (scheme, token) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    Ok(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_of(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().expect("a value"));
        }
        bearer(&headers).ok().map(str::to_owned)
    }

    #[test]
    fn one_bearer_token_or_none() {
        assert_eq!(token_of(&["Bearer a.b.c"]).as_deref(), Some("a.b.c"));
        assert_eq!(token_of(&["bearer  a.b.c "]).as_deref(), Some("a.b.c"));
        for bad in [&[][..], &["a.b.c"], &["Basic a.b.c"], &["Bearer"], &["Bearer a", "Bearer b"]] {
            assert_eq!(token_of(bad), None, "{bad:?}");
        }
    }
}
