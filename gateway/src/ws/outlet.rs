//! Writing to a socket: coalesced, and never for longer than the peer makes
//! progress.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use futures_util::{Sink, SinkExt};

use crate::{
    hub::Cause,
    metrics::Metrics,
    model::{Encoded, ServerFrame},
};

/// The sending half of a connection.
pub(super) struct Outlet<S> {
    socket: S,
    stalled_timeout: Duration,
    metrics: Metrics,
}

impl<S: Sink<Message> + Unpin> Outlet<S> {
    pub(super) fn new(socket: S, stalled_timeout: Duration, metrics: Metrics) -> Self {
        Self { socket, stalled_timeout, metrics }
    }

    /// Hands a frame to the socket's buffer; [`flush`](Self::flush) sends it.
    pub(super) async fn frame(&mut self, frame: &ServerFrame) -> Result<(), Cause> {
        self.encoded(&Encoded::new(frame)).await
    }

    pub(super) async fn encoded(&mut self, frame: &Encoded) -> Result<(), Cause> {
        self.metrics.frame_out(frame.bytes().len());
        let text = Utf8Bytes::try_from(frame.bytes().clone()).map_err(|_| Cause::Internal)?;
        let fed = tokio::time::timeout(self.stalled_timeout, self.socket.feed(Message::Text(text)));
        written(fed.await)
    }

    pub(super) async fn ping(&mut self) -> Result<(), Cause> {
        let ping = self.socket.feed(Message::Ping(Default::default()));
        written(tokio::time::timeout(self.stalled_timeout, ping).await)
    }

    pub(super) async fn flush(&mut self) -> Result<(), Cause> {
        written(tokio::time::timeout(self.stalled_timeout, self.socket.flush()).await)
    }

    /// Says why, as far as the peer still listens.
    pub(super) async fn close(&mut self, cause: Cause, wait: Duration) {
        let frame = CloseFrame { code: cause.close_code(), reason: cause.reason().into() };
        let close = self.socket.send(Message::Close(Some(frame)));
        let _ = tokio::time::timeout(wait, close).await;
    }

    pub(super) fn socket(&mut self) -> &mut S {
        &mut self.socket
    }
}

fn written<T, E>(outcome: Result<Result<T, E>, tokio::time::error::Elapsed>) -> Result<(), Cause> {
    match outcome {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(Cause::Lost),
        Err(_) => Err(Cause::TooSlow),
    }
}
