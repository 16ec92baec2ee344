//! The composition root: opens what the configuration names, wires it, serves.

use std::{sync::Arc, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    auth::{Auth, AuthSettings, BusKeys, Keys, PasswordSettings},
    bus::{Arrivals, Bus, RedisBus},
    cache::{
        Cache, RedisCache, RedisLimits,
        limits::{Limits, LocalLimits},
    },
    chat::{AdmissionSettings, Chat},
    clock::Clock,
    config::{Config, Registration},
    http::{self, AllowedOrigins, AppState, HttpSettings, Origin},
    hub::{self, DepartureSettings, Hub},
    metrics::Metrics,
    redis::BadUrl,
    server::{self, Acceptor, Health, admin},
    shutdown::Shutdown,
    startup::{self, StartError},
    store::Store,
    telemetry,
    ws::{self, SocketSettings, SocketState},
};

/// Beyond the drain window: for the last sockets' close handshakes.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);
/// How soon changed keys and certificates are noticed.
const FILES_INTERVAL: Duration = Duration::from_secs(2);
/// How soon a fault of this replica alone makes it not ready.
const FAULTS_INTERVAL: Duration = Duration::from_secs(1);
/// Accounts, devices and addresses whose attempts are counted at once.
const LIMITED_KEYS: usize = 100_000;

/// What replicas share beside the database, or what stands in for it.
struct Shared {
    bus: Bus,
    arrivals: Arrivals,
    cache: Cache,
    limits: Limits,
}

impl Shared {
    fn open(
        config: &Config,
        origin: u64,
        keys: &Keys,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let url = config.redis_url.expose();
        let local = LocalLimits::new(LIMITED_KEYS);
        let (bus, arrivals, cache, limits) = if url.is_empty() {
            let (bus, arrivals) = Bus::local();
            let cache = Cache::local(config.is_embedded(), config.presence_offline_after);
            (bus, arrivals, cache, Limits::Local(local))
        } else {
            let bad = |why: BadUrl| StartError::Configuration(format!("{why}."));
            let seals = Arc::new(BusKeys { keys: keys.clone(), clock: clock.clone() });
            let (bus, arrivals) =
                RedisBus::open(url, origin, seals, metrics.clone()).map_err(bad)?;
            let cache = Arc::new(RedisCache::new(url, origin).map_err(bad)?);
            let limits = Limits::Redis(RedisLimits::new(local, &cache));
            (Bus::Redis(bus), arrivals, Cache::redis(cache, config.presence_offline_after), limits)
        };
        let limits = if config.rate_limits { limits } else { Limits::Off };
        Ok(Self { bus, arrivals, cache, limits })
    }
}

/// One replica, wired but not yet serving. Building it waits for no server.
pub struct App {
    pub store: Store,
    pub auth: Auth,
    pub chat: Chat,
    pub clock: Clock,
    pub metrics: Metrics,
    keys: Keys,
    arrivals: Arrivals,
    config: Config,
    shutdown: Shutdown,
}

impl App {
    pub fn build(config: Config, clock: Clock, shutdown: Shutdown) -> Result<Self, StartError> {
        let keys = startup::open_keys(&config, &clock)?;
        let store = startup::open_store(&config)?;
        let metrics = Metrics::new();
        let origin = hub::new_origin();
        let shared = Shared::open(&config, origin, &keys, &clock, &metrics)?;
        let Shared { bus, arrivals, cache, limits } = shared;
        let settings = auth_settings(&config);
        let auth =
            Auth::new(store.clone(), clock.clone(), keys.clone(), limits, cache.clone(), settings)
                .map_err(|why| StartError::Runtime(why.to_string()))?;
        bus.start(&shutdown);
        cache.start(&shutdown);
        let hub = Hub::new(
            store.clone(),
            bus,
            origin,
            clock.clone(),
            metrics.clone(),
            shutdown.clone(),
            departure_settings(&config),
        );
        let chat = Chat::new(
            store.clone(),
            cache,
            hub,
            clock.clone(),
            metrics.clone(),
            shutdown.clone(),
            AdmissionSettings {
                at_once: config.resumes_at_once,
                waiting: config.resumes_waiting,
                patience: config.resume_patience,
            },
        );
        Ok(Self { store, auth, chat, clock, metrics, keys, arrivals, config, shutdown })
    }

    /// Everything a client can reach.
    pub fn router(&self) -> Router {
        let config = &self.config;
        let allowed_origins: AllowedOrigins =
            config.allowed_origins.iter().filter_map(|origin| Origin::parse(origin)).collect();
        let socket = SocketState {
            auth: self.auth.clone(),
            chat: self.chat.clone(),
            metrics: self.metrics.clone(),
            settings: Arc::new(socket_settings(config)),
            allowed_origins: allowed_origins.clone(),
        };
        let settings = HttpSettings {
            allowed_origins,
            trusted_proxies: config.trusted_proxies.clone(),
            ..HttpSettings::default()
        };
        let (auth, chat) = (self.auth.clone(), self.chat.clone());
        let metrics = self.metrics.clone();
        let state = AppState { auth, chat, metrics, settings: Arc::new(settings) };
        http::router(state, ws::router(socket), |routes| {
            server::protect(routes, &server::Settings::from(config), &self.metrics)
        })
    }

    /// Serves until the replica has drained or was killed. The schema must be
    /// prepared.
    pub async fn serve(self, listener: TcpListener, acceptor: Acceptor) {
        let router = self.router();
        let Self { chat, config, shutdown, keys, arrivals, metrics, .. } = self;
        let hub = chat.hub().clone();
        let kill = || shutdown.kill_token();
        shutdown.supervise("bus", hub.clone().listen(arrivals, kill()));
        shutdown.supervise("feed", hub.clone().follow_feed(config.feed_interval, kill()));
        shutdown.supervise("heartbeat", hub.clone().beat(config.heartbeat_interval, kill()));
        shutdown.supervise("presence", chat.clone().sweep_presence(kill()));
        shutdown.supervise("read marks", chat.clone().tell_held_marks(kill()));
        shutdown.supervise("key file", until_killed(keys.follow(FILES_INTERVAL), &shutdown));
        let stop = CancellationToken::new();
        let listening = server::serve(listener, router, acceptor, stop.clone());
        let listening = shutdown.supervise("listener", listening);

        shutdown.draining().await;
        metrics.drain_began();
        // The port stays open while sockets leave: who comes now is told 503
        // and to come back, not refused.
        tokio::select! {
            () = hub.drain() => {}
            () = shutdown.killed() => {}
        }
        if !shutdown.work_ended(DRAIN_MARGIN).await {
            warn!(left = shutdown.working(), "not everybody left in time");
        }
        // Requests may have come until here: they are answered before the parts
        // that answer them end.
        stop.cancel();
        tokio::select! {
            _ = timeout(DRAIN_MARGIN, listening) => {}
            () = shutdown.killed() => {}
        }
        hub.flush().await;
    }
}

/// Runs one replica until it has drained or was killed.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    info!(version = crate::version::VERSION, replica = config.replica, "starting");
    if !config.rate_limits {
        warn!("RATE LIMITS ARE OFF: anybody may guess passwords and flood this replica");
    }
    if let Some(needed) = drain_of_a_full_replica(&config) {
        warn!(
            ?needed,
            "full, this replica drains for longer than drain_window, because of drain_rate; \
             whoever ends it must wait for that long"
        );
    }
    if !config.is_embedded() && config.redis_url.is_empty() {
        warn!("no Redis: replicas hear of each other's messages by the database feed alone");
    }
    let app = App::build(config.clone(), Clock::default(), shutdown.clone())?;
    let settings = server::Settings::from(&config);
    let tls = startup::open_tls(&config)?;
    let acceptor = Acceptor::new(settings.clone(), app.metrics.clone()).with_tls(tls.clone());
    let health = Health::new(shutdown.clone(), acceptor.clone());

    // Ports first: a taken one is the likeliest mistake, and probes need an
    // answer while the database is waited for.
    let listener = startup::bind("listen", config.listen).await?;
    let admin_listener = startup::bind("admin_listen", config.admin_listen).await?;
    let admin = admin::Admin {
        health: health.clone(),
        metrics: app.metrics.clone(),
        shutdown: shutdown.clone(),
    };
    let admin_acceptor =
        Acceptor::new(server::Settings { max_connections: 256, ..settings }, Metrics::new());
    let more = ws::rebalance_router(app.chat.hub().clone());
    shutdown.supervise("log repeats", until_killed(telemetry::report_repeats(), &shutdown));
    let kill = shutdown.kill_token();
    let watched = watch_faults(app.chat.hub().clone(), health.clone(), shutdown.clone());
    shutdown.supervise("faults", watched);
    shutdown.supervise(
        "admin listener",
        server::serve(admin_listener, admin::router(admin, more), admin_acceptor, kill),
    );

    let store = app.store.clone();
    let _claim = startup::claim(&config)?;
    tokio::select! {
        prepared = startup::await_schema(&config, &store) => prepared?,
        () = shutdown.draining() => {}
    }
    health.set_started();
    let address = listener.local_addr().map_err(|why| StartError::Runtime(why.to_string()))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    info!("listening on {scheme}://{address}");
    if let Some(tls) = tls {
        shutdown.supervise("certificate", until_killed(tls.follow(FILES_INTERVAL), &shutdown));
    }
    app.serve(listener, acceptor).await;
    let ended = shutdown.finish().await;
    store.close().await;
    info!("ended");
    ended.map_err(|died| StartError::Runtime(format!("Ended because {died}.")))
}

/// What goes on for ever, until the kill.
fn until_killed(
    work: impl Future<Output = ()> + Send + 'static,
    shutdown: &Shutdown,
) -> impl Future<Output = ()> + Send + 'static {
    let kill = shutdown.kill_token();
    async move {
        kill.run_until_cancelled(work).await;
    }
}

/// What is wrong with this replica alone keeps new connections away from it.
async fn watch_faults(hub: Hub, health: Health, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(FAULTS_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.draining() => return,
        }
        for (part, fault) in hub.faults() {
            match fault {
                Some(why) => health.set_fault(part, why),
                None => health.clear_fault(part),
            }
        }
    }
}

fn auth_settings(config: &Config) -> AuthSettings {
    AuthSettings {
        registration_open: config.registration == Registration::Open,
        access_ttl: config.access_token_ttl,
        refresh_ttl: config.refresh_token_ttl,
        max_devices: i64::from(config.max_devices_per_user),
        passwords: PasswordSettings {
            workers: config.password_hashers,
            ..PasswordSettings::default()
        },
        ..AuthSettings::default()
    }
}

/// What `drain_rate` makes of a drain, where that is more than the window.
fn drain_of_a_full_replica(config: &Config) -> Option<Duration> {
    let sockets = u32::try_from(config.max_connections).unwrap_or(u32::MAX);
    let pause = Duration::from_secs(1).checked_div(config.drain_rate)?;
    Some(pause * sockets).filter(|needed| *needed > config.drain_window)
}

fn departure_settings(config: &Config) -> DepartureSettings {
    DepartureSettings {
        window: config.drain_window,
        rate: config.drain_rate,
        max_age: config.max_connection_age,
    }
}

fn socket_settings(config: &Config) -> SocketSettings {
    let defaults = SocketSettings::default();
    SocketSettings {
        heartbeat_interval: config.heartbeat_interval,
        idle_timeout: config.idle_timeout,
        stalled_timeout: config.stalled_timeout,
        max_connections_per_user: config.max_connections_per_user,
        frame_rate: if config.rate_limits { defaults.frame_rate } else { 0 },
        ..defaults
    }
}
