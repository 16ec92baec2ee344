//! A TCP proxy that breaks links the way networks do.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

/// One address in front of another. A change applies to living connections at
/// once; what was on its way waits in the proxy and in the sockets' buffers,
/// as it would in a network, and comes out when the link is healed.
pub struct Proxy {
    address: SocketAddr,
    target: SocketAddr,
    link: watch::Sender<Link>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq)]
enum Link {
    Whole,
    Cut,
    Blackhole,
    HalfOpen,
    Slow(Duration),
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    ToServer,
    ToClient,
}

impl Proxy {
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (link, seen) = watch::channel(Link::Whole);
        let accepting = tokio::spawn(accept(listener, target, seen));
        Self { address, target, link, accepting }
    }

    /// In front of the server of a URL, `postgres://…` or `redis://…`, whose
    /// host must be an IP address. Not of a Redis Cluster: its nodes tell their
    /// own addresses.
    pub async fn before(url: &str) -> Self {
        let authority = url.split_once("://").expect("a URL").1;
        let authority = authority.split(['/', '?']).next().expect("an authority");
        let address = authority.rsplit('@').next().expect("an address");
        Self::to(address.parse().unwrap_or_else(|why| panic!("{address}: {why}"))).await
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same URL by way of this proxy.
    pub fn url(&self, url: &str) -> String {
        let [target, address] = [self.target, self.address].map(|it| it.to_string());
        assert!(url.contains(&target), "{url} does not lead to {target}");
        url.replacen(&target, &address, 1)
    }

    /// Closes every connection, and new ones as they come.
    pub fn cut(&self) {
        self.link.send_replace(Link::Cut);
    }

    /// Accepts and keeps connections, and forwards nothing, not even their end.
    pub fn blackhole(&self) {
        self.link.send_replace(Link::Blackhole);
    }

    /// Forwards what clients send, and nothing back.
    pub fn half_open(&self) {
        self.link.send_replace(Link::HalfOpen);
    }

    /// Holds each chunk back for a while.
    pub fn slow(&self, delay: Duration) {
        self.link.send_replace(Link::Slow(delay));
    }

    /// Forwards as if nothing had happened.
    pub fn heal(&self) {
        self.link.send_replace(Link::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its connections are owned by the task and end with it.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, link: watch::Receiver<Link>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Of one connection, or of want of descriptors: neither lasts.
            tokio::task::yield_now().await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (mut cut, link) = (link.clone(), link.clone());
        connections.spawn(async move {
            tokio::select! {
                _ = connect(client, target, link) => {}
                _ = cut.wait_for(|link| *link == Link::Cut) => {}
            }
        });
    }
}

async fn connect(
    mut client: TcpStream,
    target: SocketAddr,
    mut link: watch::Receiver<Link>,
) -> io::Result<()> {
    passage(Direction::ToServer, &mut link).await;
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        forward(from_client, to_server, Direction::ToServer, link.clone()),
        forward(from_server, to_client, Direction::ToClient, link),
    )?;
    Ok(())
}

/// Until the sender is done or either side is broken.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    mut link: watch::Receiver<Link>,
) -> io::Result<()> {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut chunk).await?;
        passage(direction, &mut link).await;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&chunk[..read]).await?;
    }
}

/// Returns once the link lets a chunk through in this direction.
async fn passage(direction: Direction, link: &mut watch::Receiver<Link>) {
    loop {
        let now = *link.borrow_and_update();
        let changed = match now {
            Link::Whole => return,
            Link::HalfOpen if direction == Direction::ToServer => return,
            Link::Slow(delay) => match timeout(delay, link.changed()).await {
                Ok(changed) => changed,
                Err(_) => return,
            },
            Link::Cut | Link::Blackhole | Link::HalfOpen => link.changed().await,
        };
        if changed.is_err() {
            // Its owner is gone, and so is this connection in a moment.
            std::future::pending::<()>().await;
        }
    }
}
