//! Which web pages may speak for their visitor: those of this host, and those
//! of the allowlist. Clients that are no browsers send no `Origin`.

use axum::http::{HeaderMap, Uri, header};

use crate::problem::{Code, Problem};

/// `scheme://host[:port]`, the port made explicit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

/// The operator's allowlist: `PARLEY_ALLOWED_ORIGINS`.
pub type AllowedOrigins = std::sync::Arc<[Origin]>;

impl Origin {
    /// As browsers write it: no path, no user, `http` or `https`.
    pub fn parse(text: &str) -> Option<Self> {
        let (secure, rest) = match text.split_once("://")? {
            (scheme, rest) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            (scheme, rest) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            _ => return None,
        };
        let (host, port) = host_and_port(rest)?;
        Some(Self { secure, host, port: port.unwrap_or(default_port(secure)) })
    }

    /// Whether the page came over TLS: its cookie may then not leave it.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// A `Host` without a port means the default one of the page's scheme:
    /// behind a proxy, ours is not known here.
    fn is_of_host(&self, host: &str) -> bool {
        host_and_port(host).is_some_and(|(host, port)| {
            host == self.host && port.unwrap_or(default_port(self.secure)) == self.port
        })
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// Lower case; an IPv6 host keeps its brackets. Null for anything with more in
/// it than a host and a port.
fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if authority.is_empty() || authority.len() > 255 || !authority.chars().all(plain) {
        return None;
    }
    let parsed: Uri = format!("http://{authority}/").parse().ok()?;
    let parsed = parsed.authority()?;
    let host = parsed.host();
    let port = match authority.strip_prefix(host)? {
        "" => None,
        rest => Some(rest.strip_prefix(':')?.parse().ok()?),
    };
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
}

/// The page that a request comes from; null for clients that are no browsers.
/// Refuses a page of a host that is neither ours nor allowed: 403
/// `origin_refused`.
pub fn page(headers: &HeaderMap, allowed: &[Origin]) -> Result<Option<Origin>, Problem> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(None) };
    let origin = origin.to_str().ok().and_then(Origin::parse).ok_or_else(refused)?;
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let ours = host.is_some_and(|host| origin.is_of_host(host));
    let alone = origins.next().is_none() && hosts.next().is_none();
    if alone && (ours || allowed.contains(&origin)) { Ok(Some(origin)) } else { Err(refused()) }
}

/// For an upgrade: [`page`], where an absent `Origin` is as good.
pub fn check(headers: &HeaderMap, allowed: &[Origin]) -> Result<(), Problem> {
    page(headers, allowed).map(drop)
}

pub(super) fn refused() -> Problem {
    let detail = "Pages of this origin may not use the service; see PARLEY_ALLOWED_ORIGINS.";
    Problem::new(Code::OriginRefused, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a value"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a value"));
        }
        headers
    }

    fn accepted(host: &str, origin: &str) -> bool {
        let allowed = [Origin::parse("https://app.example:8443").expect("an origin")];
        check(&headers(host, Some(origin)), &allowed).is_ok()
    }

    #[test]
    fn the_own_host_is_accepted() {
        assert!(accepted("chat.example", "https://chat.example"));
        assert!(accepted("chat.example", "http://chat.example"));
        assert!(accepted("chat.example:443", "https://chat.example"));
        assert!(accepted("chat.example", "https://chat.example:443"));
        assert!(accepted("Chat.Example", "https://chat.EXAMPLE"));
        assert!(accepted("localhost:8080", "http://localhost:8080"));
        assert!(accepted("[::1]:8080", "http://[::1]:8080"));
        assert!(accepted("127.0.0.1:8080", "http://127.0.0.1:8080"));
    }

    #[test]
    fn others_are_not() {
        for origin in [
            "null",
            "",
            "https://chat.example.evil.example",
            "https://evil-chat.example",
            "https://chat.example:8443",
            "http://chat.example:8080",
            "https://chat.example@evil.example",
            "https://evil.example/chat.example",
            "https://chat.example/",
            "https://chat.example?",
            "https://chat.example#",
            "https://chat.example:",
            "https://chat.example:443:443",
            "https://chat.example:99999",
            "https://chat.example.",
            "ftp://chat.example",
            "file://",
            "//chat.example",
            "chat.example",
            "https://",
            "https:// chat.example",
            "https://*.example",
        ] {
            assert!(!accepted("chat.example", origin), "{origin}");
        }
        assert!(!accepted("chat.example:8080", "http://chat.example"));
        assert!(!accepted("[::1]:8080", "http://[::2]:8080"));
    }

    #[test]
    fn the_allowlist_is_exact() {
        assert!(accepted("chat.example", "https://app.example:8443"));
        assert!(!accepted("chat.example", "http://app.example:8443"));
        assert!(!accepted("chat.example", "https://app.example"));
    }

    #[test]
    fn no_origin_is_no_page_and_two_are_refused() {
        assert_eq!(page(&headers("chat.example", None), &[]), Ok(None));
        let mut two = headers("chat.example", Some("https://chat.example"));
        two.append(header::ORIGIN, "https://evil.example".parse().expect("a value"));
        assert!(check(&two, &[]).is_err());
        let mut hostless = headers("chat.example", Some("https://chat.example"));
        hostless.remove(header::HOST);
        assert!(check(&hostless, &[]).is_err());
    }
}
