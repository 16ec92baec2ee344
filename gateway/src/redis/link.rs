//! One client of Redis, and whether it can be relied on just now.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fred::{
    prelude::*,
    types::{
        RespVersion,
        config::{Options, ReconnectPolicy, UnresponsiveConfig},
    },
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::planted::{self, Bug};

/// Time for an answer: far above what a healthy Redis takes, far below what a
/// person notices.
pub const ANSWER_LIMIT: Duration = Duration::from_millis(500);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const PING_EVERY: Duration = Duration::from_millis(500);
const RECONNECT_MS: u32 = 250;
/// An answer that is due for longer means a connection that is dead without
/// knowing it: it is made anew.
const UNRESPONSIVE: Duration = Duration::from_secs(3);
/// Messages received and not looked at yet, before some are dropped and a gap
/// is reported. The library's default of 32 loses any burst.
const MESSAGES: usize = 16_384;
/// The same of a client that listens to nothing: connections come and go.
const EVENTS: usize = 64;

/// The URL of Redis is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redis_url cannot be used: {0}")]
pub struct BadUrl(String);

/// Redis did not answer, or said no; whatever it was asked for must be done
/// without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis is not available")]
pub struct Unavailable;

/// Handle to one client; cheap to clone.
#[derive(Clone)]
pub struct Link {
    /// For logs: what it is for.
    name: &'static str,
    client: Client,
    clustered: bool,
    up: Arc<watch::Sender<bool>>,
    refused: Arc<AtomicU64>,
}

impl Link {
    /// Connects to nothing yet: [`follow`](Self::follow) does.
    pub fn new(name: &'static str, url: &str) -> Result<Self, BadUrl> {
        Self::open(name, url, EVENTS)
    }

    /// One that listens on channels.
    pub fn listening(name: &'static str, url: &str) -> Result<Self, BadUrl> {
        let room = if planted::has(Bug::DiesOnLagged) { 4 } else { MESSAGES };
        Self::open(name, url, room)
    }

    /// Every kind of event of the client has room for `events`, from the start.
    fn open(name: &'static str, url: &str, events: usize) -> Result<Self, BadUrl> {
        let bad = |why: Error| BadUrl(why.details().to_owned());
        let mut config = Config::from_url(url).map_err(bad)?;
        // Answers and pushed messages are told apart by the protocol itself, so
        // that a subscriber can be pinged.
        config.version = RespVersion::RESP3;
        config.fail_fast = false;
        let clustered = config.server.is_clustered();
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                connection.connection_timeout = CONNECT_LIMIT;
                connection.internal_command_timeout = CONNECT_LIMIT;
                connection.max_command_attempts = 1;
                connection.tcp.nodelay = Some(true);
                connection.unresponsive = UnresponsiveConfig {
                    max_timeout: Some(UNRESPONSIVE),
                    interval: Duration::from_secs(1),
                };
            })
            .with_performance_config(|performance| {
                performance.default_command_timeout = ANSWER_LIMIT;
                performance.broadcast_channel_capacity = events;
            })
            .set_policy(ReconnectPolicy::new_constant(0, RECONNECT_MS))
            .build()
            .map_err(bad)?;
        let up = Arc::new(watch::Sender::new(false));
        Ok(Self { name, client, clustered, up, refused: Arc::default() })
    }

    /// Whether it answered when it was last asked.
    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Wakes when it goes down or comes back.
    pub fn changes(&self) -> watch::Receiver<bool> {
        self.up.subscribe()
    }

    /// Whether it is a Redis Cluster.
    pub fn clustered(&self) -> bool {
        self.clustered
    }

    /// For streams of events; commands go through [`ask`](Self::ask).
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Asks what `command` says, unless the link is down. A command that is not
    /// answered takes the link down.
    pub async fn ask<T, F>(&self, command: impl FnOnce(Asking) -> F) -> Result<T, Unavailable>
    where
        F: Future<Output = FredResult<T>>,
    {
        if !self.is_up() {
            return Err(Unavailable);
        }
        self.ask_anyway(command).await
    }

    async fn ask_anyway<T, F>(&self, command: impl FnOnce(Asking) -> F) -> Result<T, Unavailable>
    where
        F: Future<Output = FredResult<T>>,
    {
        match timeout(ANSWER_LIMIT * 2, command(self.asking())).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(why)) if says_no(&why) => {
                // One that refuses everything must not flood the log.
                let before = self.refused.fetch_add(1, Ordering::Relaxed);
                if (before + 1).is_power_of_two() {
                    tracing::warn!(link = self.name, %why, "Redis refused a command");
                }
            }
            Ok(Err(why)) => self.set_up(false, why.details()),
            Err(_) => self.set_up(false, "no answer in time"),
        }
        Err(Unavailable)
    }

    /// A client whose commands fail rather than wait for a reconnect: what was
    /// asked then is stale.
    fn asking(&self) -> Asking {
        self.client.with_options(&Options {
            fail_fast: true,
            max_attempts: Some(1),
            timeout: Some(ANSWER_LIMIT),
            ..Options::default()
        })
    }

    /// Throws the connection away and makes a new one.
    pub async fn reconnect(&self) {
        self.set_up(false, "made anew");
        // It fails when there is nobody to connect to; then it is being tried
        // again already.
        let _ = timeout(CONNECT_LIMIT, self.client.force_reconnection()).await;
    }

    /// Connects, and asks time and again whether it still answers, until `stop`.
    pub async fn follow(self, stop: CancellationToken) {
        // Ends with `quit`; reconnects by itself until then.
        let mut connection = self.client.connect();
        let mut ticks = interval(PING_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            if connection.is_finished() {
                // What the library holds for hopeless may have been mended.
                connection = self.client.connect();
            }
            let pinged = self.ask_anyway(|redis| async move { redis.ping::<()>(None).await });
            if pinged.await.is_ok() {
                self.set_up(true, "");
            }
        }
        let _ = timeout(ANSWER_LIMIT, self.client.quit()).await;
        connection.abort();
    }

    fn set_up(&self, up: bool, why: &str) {
        let changed = self.up.send_if_modified(|was| std::mem::replace(was, up) != up);
        match (changed, up) {
            (true, true) => tracing::info!(link = self.name, "Redis answers"),
            (true, false) => tracing::warn!(link = self.name, why, "Redis does not answer"),
            (false, _) => {}
        }
    }
}

/// Whether Redis itself answered, with an error: it is there.
fn says_no(why: &Error) -> bool {
    use fred::error::ErrorKind::*;
    let loading = why.details().starts_with("LOADING");
    matches!(why.kind(), Unknown | InvalidArgument | InvalidCommand | Parse | NotFound) && !loading
}

/// What commands are asked of.
pub type Asking = fred::clients::WithOptions<Client>;
