//! Ports for servers that are processes of their own. The system's choice of a
//! port would not do: it must be known before the server runs, and still be
//! there when the server comes back.

use std::sync::atomic::{AtomicU16, Ordering};

use parking_lot::Mutex;
use tokio::net::TcpSocket;

/// Below the range that outgoing connections take their ports from.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that is this process's until it ends, in use or not.
pub fn hold() -> u16 {
    /// Bound, but never listening.
    static HELD: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run side by side begin their search at different places.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        if let Some(socket) = bind(port) {
            HELD.lock().push(socket);
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}

/// Free only if nothing at all is bound there. From then on the address may be
/// shared, with the one kind of socket that asks for it: a server's.
fn bind(port: u16) -> Option<TcpSocket> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind(([127, 0, 0, 1], port).into()).ok()?;
    socket.set_reuseaddr(true).ok()?;
    Some(socket)
}
