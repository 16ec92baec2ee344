//! From the upgrade to `live`: who it is, where their device stands, and their
//! turn to resume. *Who has not said hello holds no place that others wait for.*

use std::time::Duration;

use axum::extract::ws::Message;
use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    commands,
    connection::{Connection, Socket, ended},
    frame::{self, Incoming},
    outlet::Outlet,
    upgrade::SocketState,
};
use crate::{
    auth::Verified,
    chat::Admitted,
    hub::{Cause, Leave},
    model::*,
    problem::{Code, Problem},
    store::UserState,
};

/// Waits for the first frame of a socket that came without a token.
pub(super) async fn authenticate<S: Socket>(
    outlet: &mut Outlet<S>,
    state: &SocketState,
) -> Result<Verified, Cause> {
    let text = timeout(state.settings.authenticate_timeout, next_text(outlet));
    let text = text.await.map_err(|_| Cause::Silent)??;
    let Incoming { id, frame, .. } = frame::decode(&text).map_err(|_| Cause::BadFrame)?;
    let Ok(ClientFrame::Authenticate(AccessToken { access_token })) = frame else {
        return Err(Cause::BadFrame);
    };
    let verified = match state.auth.authenticate(&access_token).await {
        Ok(verified) => check_share(state, &verified).map(|()| verified),
        Err(problem) => Err(problem),
    };
    let answer = commands::answer(
        id,
        verified.as_ref().map(|_| Ack::Done(Empty {})).map_err(Problem::clone),
    );
    outlet.frame(&answer).await?;
    outlet.flush().await?;
    verified.map_err(|problem| match problem.code {
        Code::TokenExpired => Cause::Expired,
        Code::RateLimited => Cause::Flooding,
        Code::Unavailable | Code::Internal => Cause::Overloaded,
        _ => Cause::SignedOut,
    })
}

/// One user's sockets must not crowd out everyone else's. This is only early:
/// what counts is whether there is a place when the connection registers.
pub(super) fn check_share(state: &SocketState, verified: &Verified) -> Result<(), Problem> {
    let held = state.chat.hub().connections_of(verified.principal.user);
    if held < state.settings.max_connections_per_user {
        return Ok(());
    }
    let detail = format!("You have {held} connections open already; close one.");
    Err(Problem::new(Code::RateLimited, detail).after(Duration::from_secs(5)))
}

/// The next text frame, passing over control frames.
async fn next_text<S: Socket>(outlet: &mut Outlet<S>) -> Result<String, Cause> {
    loop {
        match outlet.socket().next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => return Err(ended(other)),
        }
    }
}

impl<S: Socket> Connection<S> {
    pub(super) async fn begin(&mut self) -> Result<(), Cause> {
        let begun = Instant::now();
        let account = self.account().await?;
        self.tell_ready(&account).await?;
        let hello = self.hello().await?;
        let place = self.turn().await?;
        self.resume(hello, account, place).await?;
        self.renew_lease().await;
        self.tell_presence().await?;
        self.outlet.flush().await?;
        self.state.metrics.went_live(begun.elapsed());
        Ok(())
    }

    async fn tell_ready(&mut self, account: &UserState) -> Result<(), Cause> {
        self.display_name.clone_from(&account.user.display_name);
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or_default();
        let payload = Ready {
            user: account.user.clone(),
            device: self.who().device,
            server_time: self.state.chat.clock().now(),
            heartbeat_interval_ms: millis(self.state.settings.heartbeat_interval),
            max_frame_bytes: limits::FRAME_BYTES as u64,
        };
        self.outlet.frame(&ServerFrame::Ready { payload }).await?;
        self.outlet.flush().await
    }

    /// Waits for where the client stands.
    async fn hello(&mut self) -> Result<Hello, Cause> {
        let limit = Instant::now() + self.state.settings.hello_timeout;
        let mailbox = self.registered.mailbox.clone();
        let mut woken = false;
        let text = loop {
            tokio::select! {
                text = next_text(&mut self.outlet) => break text?,
                () = mailbox.ready() => {
                    woken = true;
                    self.heed().await?;
                    self.outlet.flush().await?;
                }
                () = sleep_until(limit) => return Err(Cause::Silent),
            }
        };
        if woken {
            mailbox.wake_again();
        }
        let Incoming { frame, .. } = frame::decode(&text).map_err(|_| Cause::BadFrame)?;
        self.last_heard = Instant::now();
        match frame {
            Ok(ClientFrame::Hello(hello))
                if hello.cursors.len() <= limits::CURSORS
                    && hello.client.as_ref().is_none_or(|c| c.chars().count() <= 64) =>
            {
                Ok(hello)
            }
            _ => Err(Cause::BadFrame),
        }
    }

    /// Waits for this client's turn to resume, for as long as it is there.
    async fn turn(&mut self) -> Result<Admitted, Cause> {
        let admission = self.state.chat.admission().clone();
        let mailbox = self.registered.mailbox.clone();
        let turn = admission.admit();
        tokio::pin!(turn);
        let mut woken = false;
        let admitted = loop {
            tokio::select! {
                biased;
                admitted = &mut turn => break admitted,
                () = mailbox.ready() => {
                    woken = true;
                    self.heed().await?;
                    self.outlet.flush().await?;
                }
                message = self.outlet.socket().next(), if self.early.is_none() => match message {
                    Some(Ok(text @ Message::Text(_))) => self.early = Some(text),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                        self.last_heard = Instant::now();
                    }
                    other => return Err(ended(other)),
                },
            }
        };
        if woken {
            mailbox.wake_again();
        }
        match admitted {
            Ok(admitted) => Ok(admitted),
            Err(problem) => {
                let after = problem.retry_after.unwrap_or_default();
                self.ask_to_leave(Leave { after, why: Cause::Overloaded.label() }).await?;
                Err(Cause::Overloaded)
            }
        }
    }
}
