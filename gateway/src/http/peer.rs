//! Whose attempts are counted: the address a request comes from.

use std::net::IpAddr;

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

use crate::server::Peer;

/// The client's address. `X-Forwarded-For` is believed as far as trusted
/// proxies wrote it: the rightmost address that is not one of theirs.
pub fn client(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    // Without a peer everybody counts as one, which is the safe mistake.
    let unknown = IpAddr::from([0, 0, 0, 0]);
    let peer = extensions.get::<Peer>().map_or(unknown, |peer| peer.0.to_canonical());
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer;
    let hops = headers.get_all("x-forwarded-for").iter().rev();
    let hops = hops.flat_map(|value| value.to_str().unwrap_or("").rsplit(','));
    for hop in hops {
        if !is_trusted(&client) {
            break;
        }
        // What a trusted proxy did not understand either says nothing.
        let Some(address) = address(hop.trim()) else { break };
        client = address;
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let parsed =
        plain.parse().or_else(|_| text.parse::<std::net::SocketAddr>().map(|address| address.ip()));
    parsed.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_of(peer: &str, forwarded: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().expect("an address")));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a value"));
        }
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a net")).into();
        client(&extensions, &headers, &trusted).to_string()
    }

    #[test]
    fn who_is_not_trusted_speaks_for_nobody() {
        assert_eq!(client_of("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client_of("::ffff:192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn the_rightmost_address_that_is_not_a_proxys_counts() {
        assert_eq!(client_of("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client_of("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client_of("10.0.0.1", &["1.1.1.1", "198.51.100.7", "10.0.0.2"]), "198.51.100.7");
        assert_eq!(client_of("fd00::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client_of("10.0.0.1", &["198.51.100.7:1234"]), "198.51.100.7");
        assert_eq!(client_of("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn nonsense_ends_the_chain() {
        assert_eq!(client_of("10.0.0.1", &["198.51.100.7, unknown"]), "10.0.0.1");
        assert_eq!(client_of("10.0.0.1", &[""]), "10.0.0.1");
        assert_eq!(client_of("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        let nobody = client(&Extensions::new(), &HeaderMap::new(), &[]);
        assert_eq!(nobody.to_string(), "0.0.0.0");
    }
}
