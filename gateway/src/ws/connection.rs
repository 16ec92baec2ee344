//! The actor that owns one socket, from the upgrade to its cause of death.
//!
//! One task, one loop: what the client sends, what the hub hands over, what
//! the product answers. It writes with back-pressure, holds no queue of its
//! own, and every way out of it has a [`Cause`].

use std::{collections::HashMap, time::Duration};

use axum::extract::ws::Message;
use futures_util::{Sink, Stream, StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout};

use super::{
    commands::{self, Answer},
    frame::{self, Incoming},
    greeting::authenticate,
    outlet::Outlet,
    places::Places,
    typing::Throttle,
    upgrade::SocketState,
};
use crate::{
    auth::Verified,
    cache::LeaseId,
    hub::{Cause, Leave, Mailbox, PULLS, Registered, Taken, Watched},
    model::*,
    problem::Problem,
};

/// How long a peer may take over its half of the closing handshake.
const CLOSING: Duration = Duration::from_secs(2);
/// Pause after the store did not answer.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// Socket of axum, or anything like it in a test.
pub(super) trait Socket:
    Stream<Item = Result<Message, axum::Error>> + Sink<Message> + Unpin + Send
{
}
impl<S> Socket for S where
    S: Stream<Item = Result<Message, axum::Error>> + Sink<Message> + Unpin + Send
{
}

/// One authenticated socket.
pub(super) struct Connection<S> {
    pub(super) state: SocketState,
    pub(super) outlet: Outlet<S>,
    pub(super) registered: Registered,
    pub(super) verified: Verified,
    pub(super) places: Places,
    pub(super) watched: HashMap<UserId, Watched>,
    /// Asked for by `presence.watch`, beside the direct partners.
    pub(super) watch_list: Vec<UserId>,
    /// As the client was last told.
    pub(super) display_name: String,
    /// The account changed while there was no time to look at all of it.
    pub(super) look_later: bool,
    status: SettablePresence,
    typing: Throttle,
    answers: FuturesUnordered<Answer>,
    /// Sent before the client was live: heard after.
    pub(super) early: Option<Message>,
    pub(super) last_heard: Instant,
    /// Frames this client may still send at once.
    allowance: f64,
    allowance_at: Instant,
}

/// Serves a socket to its end.
pub(super) async fn serve<S: Socket>(socket: S, verified: Option<Verified>, state: SocketState) {
    let metrics = state.metrics.clone();
    metrics.connection_opened();
    let outlet = Outlet::new(socket, state.settings.stalled_timeout, metrics.clone());
    let cause = run(outlet, verified, state).await;
    metrics.connection_closed(cause);
}

async fn run<S: Socket>(
    mut outlet: Outlet<S>,
    verified: Option<Verified>,
    state: SocketState,
) -> Cause {
    let verified = match verified {
        Some(verified) => verified,
        None => match Box::pin(authenticate(&mut outlet, &state)).await {
            Ok(verified) => verified,
            Err(cause) => return close(&mut outlet, cause).await,
        },
    };
    let principal = verified.principal;
    let most = state.settings.max_connections_per_user;
    let Some(registered) = state.chat.hub().register(principal, most).await else {
        state.metrics.rate_limited("connections_per_user");
        return close(&mut outlet, Cause::Flooding).await;
    };
    let lease = registered.mailbox.id;
    let chat = state.chat.clone();
    let mut connection = Connection::new(outlet, registered, verified, state);
    let cause = match connection.live().await {
        Ok(never) => match never {},
        Err(cause) => cause,
    };
    tracing::debug!(user = %principal.user, cause = cause.label(), "connection ended");
    // Frees the topics before the peer's half of the handshake is waited for.
    let mut outlet = connection.into_outlet();
    chat.release(principal, lease).await;
    close(&mut outlet, cause).await
}

/// Why the socket yields no more text.
pub(super) fn ended(last: Option<Result<Message, axum::Error>>) -> Cause {
    use tungstenite::Error;
    match last {
        Some(Ok(Message::Close(_))) => Cause::Client,
        Some(Ok(_)) => Cause::BadFrame, // binary
        None => Cause::Lost,
        Some(Err(error)) => match error.into_inner().downcast_ref::<Error>() {
            Some(Error::Capacity(_)) => Cause::TooBig,
            Some(Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => Cause::Lost,
            Some(Error::Protocol(_) | Error::Utf8(_)) => Cause::Protocol,
            _ => Cause::Lost,
        },
    }
}

async fn close<S: Socket>(outlet: &mut Outlet<S>, cause: Cause) -> Cause {
    if cause != Cause::Lost {
        outlet.close(cause, CLOSING).await;
        // Reading on until the peer has closed too: a reset sent for unread
        // bytes could overtake the reason.
        let drained = async { while let Some(Ok(_)) = outlet.socket().next().await {} };
        let _ = timeout(CLOSING, drained).await;
    }
    cause
}

impl<S: Socket> Connection<S> {
    fn new(
        outlet: Outlet<S>,
        registered: Registered,
        verified: Verified,
        state: SocketState,
    ) -> Self {
        let now = Instant::now();
        let allowance = f64::from(state.settings.frame_burst);
        Self {
            state,
            outlet,
            registered,
            verified,
            places: Places::new(),
            watched: HashMap::new(),
            watch_list: Vec::new(),
            display_name: String::new(),
            look_later: false,
            status: SettablePresence::Online,
            typing: Throttle::default(),
            answers: FuturesUnordered::new(),
            early: None,
            last_heard: now,
            allowance,
            allowance_at: now,
        }
    }

    fn into_outlet(self) -> Outlet<S> {
        self.outlet
    }

    pub(super) fn who(&self) -> Principal {
        self.verified.principal
    }

    fn lease(&self) -> LeaseId {
        self.registered.mailbox.id
    }

    /// Says hello, catches the client up, then serves it for as long as both
    /// sides last.
    async fn live(&mut self) -> Result<std::convert::Infallible, Cause> {
        // Boxed, here and below: what happens once, or seldom, must not widen
        // the task of every idle connection.
        Box::pin(self.begin()).await?;
        if let Some(early) = self.early.take() {
            self.hear(Some(Ok(early))).await?;
        }
        loop {
            let mailbox = self.registered.mailbox.clone();
            let room = self.answers.len() < self.state.settings.in_flight;
            tokio::select! {
                () = mailbox.ready() => self.look(mailbox.take()).await?,
                Some(answer) = self.answers.next(), if !self.answers.is_empty() => {
                    self.outlet.frame(&answer).await?;
                }
                message = self.outlet.socket().next(), if room => self.hear(message).await?,
            }
            self.outlet.flush().await?;
        }
    }

    /// What the hub handed over.
    async fn look(&mut self, taken: Taken) -> Result<(), Cause> {
        if let Some(leave) = taken.leave {
            self.ask_to_leave(leave).await?;
        }
        if let Some(cause) = taken.ending {
            return self.end(cause).await;
        }
        // First what must not wait for a slow reader.
        if taken.beat {
            Box::pin(self.beat()).await?;
        }
        if taken.changed {
            let looked = Box::pin(self.look_at_account()).await;
            self.or_later(looked, Mailbox::changed).await?;
        }
        let mailbox = self.registered.mailbox.clone();
        let mut behind = taken.behind;
        let mut items = taken.items.into_iter();
        while let Some(item) = items.next() {
            if let Some(id) = self.tell(item).await? {
                behind.insert(id);
            }
            if mailbox.is_urgent() {
                mailbox.put_back(items);
                break;
            }
        }
        let behind: Vec<_> = behind.into_iter().collect();
        for some in behind.chunks(PULLS) {
            let later = |mailbox: &Mailbox| some.iter().for_each(|id| mailbox.behind(*id));
            if mailbox.is_urgent() {
                later(&mailbox);
                continue;
            }
            let caught_up = Box::pin(self.catch_up(some)).await;
            if let Ok(unfinished) = &caught_up {
                unfinished.iter().for_each(|id| mailbox.behind(*id));
            }
            self.or_later(caught_up.map(drop), later).await?;
        }
        if taken.lease_lost {
            Box::pin(self.renew_lease()).await;
        }
        if taken.presence_stale {
            let told = Box::pin(self.tell_presence()).await;
            self.or_later(told, Mailbox::presence_stale).await?;
        }
        Ok(())
    }

    pub(super) async fn ask_to_leave(&mut self, Leave { after, why }: Leave) -> Result<(), Cause> {
        let after_ms = u64::try_from(after.as_millis()).unwrap_or_default();
        let payload = Reconnect { after_ms, reason: why.to_owned() };
        self.outlet.frame(&ServerFrame::Reconnect { payload }).await
    }

    /// Hears nothing more; what is under way is answered first, for a while.
    pub(super) async fn end(&mut self, cause: Cause) -> Result<(), Cause> {
        if let Some(leave) = self.registered.mailbox.take().leave {
            self.ask_to_leave(leave).await?;
        }
        let answering = async {
            while let Some(answer) = self.answers.next().await {
                self.outlet.frame(&answer).await?;
            }
            Ok(())
        };
        timeout(CLOSING, answering).await.unwrap_or(Ok(()))?;
        Err(cause)
    }

    /// A store that does not answer is no reason to end the connection: what
    /// could not be told now is looked at again.
    async fn or_later(
        &mut self,
        told: Result<(), Cause>,
        again: impl FnOnce(&Mailbox),
    ) -> Result<(), Cause> {
        if told != Err(Cause::Overloaded) {
            return told;
        }
        tokio::time::sleep(STORE_RETRY).await;
        again(&self.registered.mailbox);
        Ok(())
    }

    /// Once per heartbeat: is the peer still there, and still allowed?
    pub(super) async fn beat(&mut self) -> Result<(), Cause> {
        let settings = self.state.settings.clone();
        let silent = self.last_heard.elapsed();
        if silent >= settings.idle_timeout {
            return Err(Cause::Silent);
        }
        let now = self.state.chat.clock().now();
        let outlived = now >= self.verified.expires_at + settings.token_grace;
        if outlived || !self.state.auth.key_known(&self.verified.kid) {
            return Err(Cause::Expired);
        }
        if silent < settings.heartbeat_interval * 2 {
            self.renew_lease().await;
        }
        self.outlet.ping().await?;
        self.outlet.frame(&ServerFrame::Heartbeat { payload: Empty {} }).await
    }

    pub(super) async fn renew_lease(&mut self) {
        let valid_for = self.state.settings.idle_timeout;
        self.state.chat.lease(self.who(), self.lease(), self.status, valid_for).await;
    }

    /// What the client sent.
    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Cause> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                self.last_heard = Instant::now();
                return self.spend();
            }
            other => return Err(ended(other)),
        };
        self.last_heard = Instant::now();
        self.spend()?;
        let Incoming { id, frame, kind } = frame::decode(&text).map_err(|bad| {
            tracing::debug!(reason = bad.0, "bad frame");
            Cause::BadFrame
        })?;
        self.state.metrics.frame_in(kind, text.len());
        match frame {
            Ok(frame) => Box::pin(self.obey(id, frame)).await,
            Err(problem) => self.outlet.frame(&frame::error(id, &problem)).await,
        }
    }

    /// Frames are metered; a flood ends the connection, not its neighbours.
    fn spend(&mut self) -> Result<(), Cause> {
        let settings = &self.state.settings;
        if settings.frame_rate == 0 {
            return Ok(());
        }
        let earned = self.allowance_at.elapsed().as_secs_f64() * f64::from(settings.frame_rate);
        self.allowance = (self.allowance + earned).min(f64::from(settings.frame_burst));
        self.allowance_at = Instant::now();
        if self.allowance < 1.0 {
            self.state.metrics.rate_limited("socket_frames");
            return Err(Cause::Flooding);
        }
        self.allowance -= 1.0;
        Ok(())
    }

    async fn obey(&mut self, id: Option<FrameId>, frame: ClientFrame) -> Result<(), Cause> {
        let who = self.who();
        let outcome = match frame {
            ClientFrame::Ping(_) => {
                return self.outlet.frame(&ServerFrame::Pong { id, payload: Empty {} }).await;
            }
            ClientFrame::AuthRenew(token) => self.renew(&token.access_token).await,
            ClientFrame::UserTyping(typing) => {
                match self.places.get(&typing.conversation_id).map(|place| place.small) {
                    Some(small) => {
                        let UserTyping { conversation_id: id, typing: now } = typing;
                        if small && self.typing.admits(id, now, Instant::now()) {
                            self.state.chat.typing(who, typing);
                        }
                        return Ok(()); // no ack: best effort
                    }
                    None => Err(Problem::not_found()),
                }
            }
            ClientFrame::PresenceSet(set) => {
                self.status = set.status;
                self.renew_lease().await;
                Ok(())
            }
            ClientFrame::PresenceWatch(watch) => self.watch(watch).await?,
            ClientFrame::Hello(_) | ClientFrame::Authenticate(_) => return Err(Cause::BadFrame),
            other => {
                self.answers.extend(commands::start(&self.state.chat, who, id, other));
                return Ok(());
            }
        };
        let answer = commands::answer(id, outcome.map(|()| Ack::Done(Empty {})));
        self.outlet.frame(&answer).await
    }

    /// A fresh token for the same device keeps the socket open.
    async fn renew(&mut self, token: &str) -> Result<(), Problem> {
        let renewed = self.state.auth.authenticate(token).await?;
        if renewed.principal != self.who() {
            return Err(Problem::forbidden("The token belongs to another session."));
        }
        self.verified = renewed;
        Ok(())
    }

    async fn watch(&mut self, watch: PresenceWatch) -> Result<Result<(), Problem>, Cause> {
        if watch.user_ids.len() > limits::WATCHED_USERS {
            let reason = format!("at most {}", limits::WATCHED_USERS);
            return Ok(Err(Problem::field("user_ids", reason)));
        }
        self.watch_list = watch.user_ids;
        self.tell_presence().await?;
        Ok(Ok(()))
    }
}
