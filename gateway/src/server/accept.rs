//! Accepting connections and speaking HTTP/1.1 on them, over TLS or not.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{ServiceExt, util::MapRequest};
use tracing::debug;

use super::{
    HEAD_BYTES, HEADERS, Peer, Place, Settings, Tls,
    stall::Impatient,
    tls::{Stream, secured},
};
use crate::metrics::Metrics;

/// How many of those turned away are told so at the same time; the others are
/// just closed.
const TOLD_AT_ONCE: usize = 256;

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    content-length: 89\r\n\
    retry-after: 5\r\n\
    connection: close\r\n\
    \r\n\
    {\"status\":503,\"code\":\"overloaded\",\"title\":\"Too busy; try again shortly\",\"retryable\":true}";

/// The places of a listener, shared with who wants to know whether it is full.
#[derive(Clone)]
pub struct Acceptor {
    places: Arc<Semaphore>,
    told: Arc<Semaphore>,
    settings: Settings,
    tls: Option<Tls>,
    metrics: Metrics,
}

impl Acceptor {
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        // Semaphores have an upper bound of their own, far above any use.
        let places = settings.max_connections.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            told: Arc::new(Semaphore::new(TOLD_AT_ONCE)),
            settings,
            tls: None,
            metrics,
        }
    }

    /// Speaks TLS alone.
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Ready for the first request, if the peer gets there in time.
    fn open(&self, stream: TcpStream) -> impl Future<Output = Option<Stream>> + Send + use<> {
        // Small frames must not wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        let Settings { header_timeout, write_timeout, .. } = self.settings;
        let opening = secured(self.tls.clone(), Impatient::new(stream, write_timeout));
        async move {
            match timeout(header_timeout, opening).await {
                Ok(Ok(stream)) => Some(stream),
                Ok(Err(why)) => {
                    debug!(%why, "handshake failed");
                    None
                }
                Err(_) => None,
            }
        }
    }

    /// Whether the next connection would be turned away.
    pub fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }
}

/// Accepts until `stop`, then lets the requests under way finish. Sockets that
/// were upgraded are no longer this function's: who took them tracks them.
///
/// *A connection that cannot be accepted never stops the next one, and never
/// makes the loop spin.*
pub async fn serve(
    listener: TcpListener,
    router: Router,
    acceptor: Acceptor,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let mut backoff = Backoff::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(why) if of_the_connection(&why) => continue,
            Err(why) => {
                // Out of descriptors or memory: waiting is all that helps.
                let wait = backoff.longer();
                acceptor.metrics.accept_failed(&why, wait);
                tokio::select! {
                    () = sleep(wait) => continue,
                    () = stop.cancelled() => break,
                }
            }
        };
        backoff = Backoff::default();
        match acceptor.places.clone().try_acquire_owned() {
            Ok(permit) => {
                let place = Place(Arc::new(permit));
                let stream = acceptor.open(stream);
                let (router, settings) = (router.clone(), acceptor.settings.clone());
                let stop = stop.clone();
                connections.spawn(async move {
                    if let Some(stream) = stream.await {
                        connection(stream, peer, place, router, settings, stop).await;
                    }
                });
            }
            Err(_) => turn_away(stream, &acceptor),
        }
    }
    // From here the port is free: a successor may bind it.
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// One connection from its first byte to its end or upgrade.
async fn connection(
    stream: Stream,
    peer: SocketAddr,
    place: Place,
    router: Router,
    settings: Settings,
    stop: CancellationToken,
) {
    let marked: MapRequest<_, _> = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip().to_canonical()));
        request.extensions_mut().insert(place.clone());
        request.map(axum::body::Body::new)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS);
    let serving = http
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(marked))
        .with_upgrades();
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(why) = ended {
        // Clients that vanish or speak nonsense: their trouble, not ours.
        debug!(%why, "connection ended with an error");
    }
}

/// Says 503 and closes, without letting the peer take our time.
fn turn_away(stream: TcpStream, acceptor: &Acceptor) {
    acceptor.metrics.connection_refused();
    let Ok(permit) = acceptor.told.clone().try_acquire_owned() else { return };
    let stream = acceptor.open(stream);
    tokio::spawn(async move {
        let _permit = permit;
        let Some(mut stream) = stream.await else { return };
        let farewell = async {
            // An answer before the question confuses clients; closing with
            // unread bytes would reset the connection before they read it.
            let mut request = [0; 1024];
            if stream.read(&mut request).await? == 0 {
                return Ok(());
            }
            stream.write_all(FULL).await?;
            stream.shutdown().await?;
            while stream.read(&mut request).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = timeout(Duration::from_secs(1), farewell).await;
    });
}

/// Errors that concern the one connection that was about to be accepted.
fn of_the_connection(why: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(why.kind(), ConnectionAborted | ConnectionReset | ConnectionRefused | Interrupted)
}

#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    /// 50 ms, doubling to 1.6 s.
    fn longer(&mut self) -> Duration {
        let wait = Duration::from_millis(50) * 2_u32.pow(self.0);
        self.0 = (self.0 + 1).min(5);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farewell_has_the_length_it_says() {
        let text = String::from_utf8_lossy(FULL);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }

    #[test]
    fn the_backoff_has_an_end() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.longer().as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 1600, 1600]);
    }
}
