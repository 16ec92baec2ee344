//! Real replicas behind a real HAProxy with the reference configuration, under
//! load: they are restarted one after the other, and become more.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::{Router, routing::get};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use tempfile::{TempDir, tempdir};
use tokio::net::TcpListener;

use super::load::{Load, Size};
use crate::support::{
    eventually,
    haproxy::{Haproxy, Place},
    limits::PROCESS,
    postgres,
    process::{Serving, run, stderr, stdout},
    redis,
};

/// Replicas that share a database, a Redis and keys; their places are known to
/// the load balancer from the start.
struct Site {
    balancer: Haproxy,
    places: Vec<Place>,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Site {
    async fn with_room_for(replicas: usize) -> Self {
        let places: Vec<_> = (0..replicas).map(|_| Place::hold()).collect();
        let folder = tempdir().unwrap();
        let keys: PathBuf = folder.path().join("keys.json");
        parley::auth::key_file::generate(&keys, parley::clock::Clock::default().now()).unwrap();
        let arguments = vec![
            format!("--database-url={}", postgres::fresh_database().await),
            format!("--redis-url={}", redis::shared().await),
            format!("--keys-file={}", keys.display()),
            "--database-max-connections=5".into(),
            "--rate-limits=off".into(),
            "--trusted-proxies=127.0.0.1/32".into(),
            "--drain-window=4s".into(),
        ];
        Self { balancer: Haproxy::before(&places).await, places, arguments, folder }
    }

    async fn start(&self, index: usize) -> Serving {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        Serving::start_at(self.places[index], self.folder.path(), &arguments, &[]).await
    }

    /// Runs a command of the gateway for a replica; what it printed.
    async fn tell(&self, replica: &Serving, command: &[&str]) -> String {
        let admin = replica.admin_listen();
        let done = run(self.folder.path(), &[command, &[&admin]].concat()).await;
        assert!(done.status.success(), "{command:?}: {}", stderr(&done));
        stdout(&done)
    }
}

async fn connections(replicas: &[Serving]) -> Vec<u32> {
    let figures = join_all(replicas.iter().map(|replica| replica.figure("parley_connections")));
    figures.await.into_iter().map(|figure| figure.unwrap() as u32).collect()
}

/// Largest and smallest number of connections, one as a multiple of the other.
fn imbalance(connections: &[u32]) -> f64 {
    let (most, least) = (connections.iter().max().unwrap(), connections.iter().min().unwrap());
    f64::from(*most) / f64::from(*least)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_nothing_and_refuses_nobody() {
    let site = Site::with_room_for(3).await;
    let mut replicas = join_all((0..3).map(|n| site.start(n))).await;
    site.balancer.reaches(&[0, 1, 2]).await;
    let load = Load::start(&site.balancer.url(), Size { people: 6, readers: 4, senders: 3 }).await;
    for (n, replica) in replicas.iter_mut().enumerate() {
        // By the command or by the signal: it is the same.
        match n {
            0 => assert!(site.tell(replica, &["drain"]).await.ends_with("has ended.\n")),
            _ => replica.signal("TERM"),
        }
        assert_eq!(replica.ended().await, Some(0));
        *replica = site.start(n).await;
        site.balancer.reaches(&[0, 1, 2]).await;
        load.gets_on().await;
    }
    let (retried, redispatched) =
        (site.balancer.sum("wretr").await, site.balancer.sum("wredis").await);
    println!("HAProxy tried again {retried} times, {redispatched} of them elsewhere");
    load.judge().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_more_get_their_share() {
    let site = Site::with_room_for(6).await;
    let mut replicas = join_all((0..3).map(|n| site.start(n))).await;
    site.balancer.reaches(&[0, 1, 2]).await;
    let load = Load::start(&site.balancer.url(), Size { people: 15, readers: 9, senders: 2 }).await;
    let before = connections(&replicas).await;
    replicas.extend(join_all((3..6).map(|n| site.start(n))).await);
    site.balancer.reaches(&[0, 1, 2, 3, 4, 5]).await;

    // Half of those on the old ones; then whatever HAProxy's slow start left
    // to be moved.
    let mut rounds = vec![before];
    for share in ["--share=0.5", "--share=0.3", "--share=0.2", "--share=0.2", "--share=0.2"] {
        let command = ["rebalance", share];
        join_all(replicas[..3].iter().map(|replica| site.tell(replica, &command))).await;
        rounds.push(connections(&replicas).await);
        if imbalance(&rounds[rounds.len() - 1]) < 1.3 {
            break;
        }
    }
    println!("connections, from round to round: {rounds:?}");
    let settled = eventually("each has its share", PROCESS, async || {
        let now = connections(&replicas).await;
        (imbalance(&now) < 1.3).then_some(now)
    })
    .await;
    println!("max/min {:.2}", imbalance(&settled));
    load.gets_on().await;
    load.judge().await;
}

#[tokio::test]
async fn the_balancer_repeats_what_reads_and_no_write() {
    let places = [Place::hold(), Place::hold()];
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let refusing = async move || {
        count.fetch_add(1, Relaxed);
        StatusCode::SERVICE_UNAVAILABLE
    };
    let refusing = Router::new().route("/readyz", get(async || "ready")).fallback(refusing);
    for port in places.iter().flat_map(|place| [place.public, place.admin]) {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let refusing = refusing.clone();
        tokio::spawn(async move { axum::serve(listener, refusing).await });
    }
    let balancer = Haproxy::before(&places).await;
    balancer.reaches(&[0, 1]).await;
    let client = reqwest::Client::new();
    for (method, attempts) in
        [(Method::POST, 1), (Method::PATCH, 1), (Method::DELETE, 1), (Method::GET, 3)]
    {
        let answer = client.request(method.clone(), balancer.url()).send().await.unwrap();
        assert_eq!(
            (answer.status(), asked.swap(0, Relaxed)),
            (StatusCode::SERVICE_UNAVAILABLE, attempts),
            "{method}"
        );
    }
}
