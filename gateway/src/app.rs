//! The composition root: opens what the configuration names, wires it, serves.

use std::time::Duration;

use axum::{Router, routing::get};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    config::Config,
    metrics::Metrics,
    server::{self, Acceptor, Health, admin},
    shutdown::Shutdown,
    startup::{self, StartError},
};

/// Beyond the drain window: for the last sockets' close handshakes.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);

/// Runs one replica until it has drained or was killed.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    info!(version = crate::version::VERSION, replica = config.replica, "starting");
    if !config.rate_limits {
        warn!("RATE LIMITS ARE OFF: anybody may guess passwords and flood this replica");
    }
    if !config.is_embedded() && config.redis_url.is_empty() {
        warn!("no Redis: replicas hear of each other's messages by the database feed alone");
    }
    startup::require_keys_file(&config)?;
    let metrics = Metrics::new();
    let settings = server::Settings::from(&config);
    let acceptor = Acceptor::new(settings.clone(), metrics.clone());
    let health = Health::new(shutdown.clone(), acceptor.clone());

    // Ports first: a taken one is the likeliest mistake, and probes need an
    // answer while the database is waited for.
    let listener = startup::bind("listen", config.listen).await?;
    let admin_listener = startup::bind("admin_listen", config.admin_listen).await?;
    let admin = admin::Admin {
        health: health.clone(),
        metrics: metrics.clone(),
        shutdown: shutdown.clone(),
    };
    let admin_acceptor = Acceptor::new(
        server::Settings { max_connections: 256, ..settings.clone() },
        Metrics::new(),
    );
    let kill = shutdown.kill_token();
    shutdown.supervise(
        "admin listener",
        server::serve(admin_listener, admin::router(admin), admin_acceptor, kill),
    );

    let store = startup::open_store(&config)?;
    let _claim = startup::claim(&config)?;
    tokio::select! {
        prepared = startup::await_schema(&config, &store) => prepared?,
        () = shutdown.draining() => {}
    }
    health.set_started();

    let stop = CancellationToken::new();
    let router = Router::new().route("/", get(async || "Parley\n"));
    let router = server::protect(router, &settings, &metrics);
    let address = listener.local_addr().map_err(|why| StartError::Runtime(why.to_string()))?;
    shutdown.supervise("listener", server::serve(listener, router, acceptor, stop.clone()));
    info!("listening on http://{address}");

    shutdown.draining().await;
    metrics.drain_began();
    // The port stays open while sockets leave: who comes now is told 503 and
    // to come back, not refused.
    if !shutdown.work_ended(config.drain_window + DRAIN_MARGIN).await {
        warn!(left = shutdown.working(), "not everybody left in time");
    }
    stop.cancel();
    let ended = shutdown.finish().await;
    store.close().await;
    info!("ended");
    ended.map_err(|died| StartError::Runtime(format!("Ended because {died}.")))
}
