//! The listeners. The accept loop is our own because `axum::serve` sets no
//! header timeout and no TCP_NODELAY, knows no cap, and lets go of upgraded
//! sockets.

mod accept;
pub mod admin;
mod health;
mod protect;
mod stall;
mod tls;

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;

pub use accept::{Acceptor, serve};
pub use health::Health;
pub use protect::protect;
pub use tls::{Tls, TlsError};

use crate::config::Config;

/// Largest head of a request: enough for any token this gateway issues.
pub const HEAD_BYTES: usize = 16 * 1024;
pub const HEADERS: usize = 64;
/// Largest body that is read at all; routes say no much earlier, and why.
pub const BODY_BYTES: usize = 4 * 1024 * 1024;

/// What the public listener is told.
#[derive(Clone, Debug)]
pub struct Settings {
    pub max_connections: usize,
    /// For the head of a request, the first and each later one.
    pub header_timeout: Duration,
    pub request_timeout: Duration,
    /// A peer that takes nothing for this long is gone. Longer than sockets
    /// have: those end by themselves, and say why.
    pub write_timeout: Duration,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            max_connections: config.max_connections,
            header_timeout: config.header_timeout,
            request_timeout: config.request_timeout,
            write_timeout: config.request_timeout.max(config.stalled_timeout * 2),
        }
    }
}

/// Request extension: who is at the other end of the TCP connection, a client
/// or a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Request extension: this connection's place under the cap. A socket keeps it
/// for as long as it lives, or it would not count once upgraded.
#[derive(Clone, Debug)]
pub struct Place(#[expect(dead_code, reason = "held, never read")] Arc<OwnedSemaphorePermit>);
