//! The socket: upgrade, frames in and out, and the connection that owns one.

mod asyncapi;
mod commands;
mod connection;
mod frame;
mod greeting;
mod outlet;
mod places;
mod rebalance;
mod resume;
mod typing;
mod upgrade;

pub use asyncapi::asyncapi;
pub use rebalance::rebalance_router;
pub use upgrade::{SocketState, router};

use std::time::Duration;

/// Numbers of the socket path; from the configuration.
#[derive(Clone, Debug)]
pub struct SocketSettings {
    /// Time for `authenticate`, when no token came with the upgrade.
    pub authenticate_timeout: Duration,
    /// Time for `hello` after that.
    pub hello_timeout: Duration,
    /// Between two heartbeats.
    pub heartbeat_interval: Duration,
    /// A peer not heard of for this long is gone.
    pub idle_timeout: Duration,
    /// A write that makes no progress for this long ends the connection.
    pub stalled_timeout: Duration,
    /// How long a socket outlives its access token.
    pub token_grace: Duration,
    pub max_connections_per_user: usize,
    /// Frames per second a client may send on average, and at once.
    pub frame_rate: u32,
    pub frame_burst: u32,
    /// Requests of one connection under way at once; more wait in the socket.
    pub in_flight: usize,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            authenticate_timeout: Duration::from_secs(5),
            hello_timeout: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(25),
            idle_timeout: Duration::from_secs(60),
            stalled_timeout: Duration::from_secs(15),
            token_grace: Duration::from_secs(60),
            max_connections_per_user: 50,
            frame_rate: 50,
            frame_burst: 200,
            in_flight: 64,
        }
    }
}
