//! Where a browser keeps its refresh token: out of reach of scripts, and never
//! sent along by another site's page.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite, time};

use super::origin::Origin;
use crate::model::Secret;

const NAME: &str = "parley_refresh";
const PATH: &str = "/auth";

/// Null when there is none, or several: then somebody has slipped one in.
pub(super) fn refresh_token(headers: &HeaderMap) -> Option<Secret> {
    let values = headers.get_all(header::COOKIE).iter();
    let pairs = values.filter_map(|value| value.to_str().ok()).flat_map(Cookie::split_parse);
    let mut ours = pairs.filter_map(Result::ok).filter(|cookie| cookie.name() == NAME);
    let token = ours.next().map(|cookie| Secret::new(cookie.value()));
    token.filter(|_| ours.next().is_none())
}

/// For the page that signed in.
pub(super) fn set(page: &Origin, token: &Secret, lifetime: std::time::Duration) -> HeaderValue {
    let lifetime = time::Duration::seconds(lifetime.as_secs() as i64);
    write(page, token.expose().to_owned(), lifetime)
}

/// For the page that signed out; other clients have none.
pub(super) fn forget(page: Option<Origin>) -> HeaderMap {
    let clear = |page| (header::SET_COOKIE, write(&page, String::new(), time::Duration::ZERO));
    page.map(clear).into_iter().collect()
}

fn write(page: &Origin, value: String, lifetime: time::Duration) -> HeaderValue {
    let cookie = Cookie::build((NAME, value))
        .path(PATH)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(page.is_secure())
        .max_age(lifetime);
    // Refresh tokens are plain ASCII; anything else would be no token.
    HeaderValue::from_str(&cookie.to_string()).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_of(cookies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in cookies {
            headers.append(header::COOKIE, value.parse().expect("a value"));
        }
        refresh_token(&headers).map(|token| token.expose().to_owned())
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        assert_eq!(token_of(&["a=1; parley_refresh=x.1.k.m; b=2"]).as_deref(), Some("x.1.k.m"));
        assert_eq!(token_of(&["a=1", "parley_refresh=x"]).as_deref(), Some("x"));
        for none in [&[][..], &["a=1"], &["parley_refresh=x; parley_refresh=y"], &["=;;;"]] {
            assert_eq!(token_of(none), None, "{none:?}");
        }
    }

    #[test]
    fn no_script_and_no_other_site_gets_it() {
        let page = |origin| Origin::parse(origin).expect("an origin");
        let month = std::time::Duration::from_secs(30 * 86_400);
        let set = |origin| {
            let value = set(&page(origin), &Secret::new("x.1.k.m"), month);
            value.to_str().expect("text").to_owned()
        };
        let plain =
            "parley_refresh=x.1.k.m; HttpOnly; SameSite=Strict; Path=/auth; Max-Age=2592000";
        assert_eq!(set("http://localhost:8080"), plain);
        let secure = "parley_refresh=x.1.k.m; HttpOnly; SameSite=Strict; Secure; Path=/auth; \
                      Max-Age=2592000";
        assert_eq!(set("https://chat.example"), secure);
        let cleared = forget(Some(page("https://chat.example")));
        let cleared = cleared[header::SET_COOKIE].to_str().expect("text");
        assert!(
            cleared.starts_with("parley_refresh=;") && cleared.ends_with("Max-Age=0"),
            "{cleared}"
        );
    }
}
