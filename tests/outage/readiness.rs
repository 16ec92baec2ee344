//! What `/readyz` says while something is down: a fault of one replica takes
//! that one out of the load balancer, a fault that all share takes out none.

use tempfile::{TempDir, tempdir};

use super::*;
use crate::support::{limits::PROCESS, process::Serving};

/// Two replicas, the first of which goes its own ways to Redis and Postgres.
struct Two {
    odd: Serving,
    other: Serving,
    _folder: TempDir,
}

impl Two {
    async fn start(database: [&str; 2], redis: [&str; 2]) -> Self {
        let folder = tempdir().unwrap();
        let keys = folder.path().join("keys.json");
        parley::auth::key_file::generate(&keys, parley::clock::Clock::default().now()).unwrap();
        let start =
            async |n: usize| Serving::replica(folder.path(), database[n], redis[n], &keys).await;
        let (odd, other) = (start(0).await, start(1).await);
        Self { odd, other, _folder: folder }
    }
}

async fn is_ready(replica: &Serving) -> bool {
    replica.ready().await.unwrap().0 == 200
}

async fn becomes_ready(replica: &Serving) {
    let ready = async || is_ready(replica).await.then_some(());
    eventually("it takes connections again", PROCESS, ready).await;
}

/// What keeps it from taking connections.
async fn obstacle(replica: &Serving) -> String {
    let unready = async || replica.ready().await.filter(|ready| ready.0 == 503);
    eventually("it takes no connections", PROCESS, unready).await.1
}

async fn reaches(replica: &Serving, dependency: &str, reached: bool) {
    let name = format!("parley_dependency_up{{dependency=\"{dependency}\"}}");
    let wanted = Some(f64::from(u8::from(reached)));
    let seen = async || (replica.figure(&name).await == wanted).then_some(());
    eventually("the metric tells", PROCESS, seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_deaf_alone_is_not_ready() {
    let redis = Server::start().await;
    redis.command(&["ACL", "SETUSER", "odd", "on", ">secret", "~*", "&*", "+@all", "-subscribe"]);
    let database = postgres::fresh_database().await;
    let own = redis.url().replace("redis://", "redis://odd:secret@");
    let two = Two::start([&database; 2], [&own, &redis.url()]).await;
    assert!(is_ready(&two.odd).await, "not at once: it may pass");
    let why = obstacle(&two.odd).await;
    assert!(why.contains("bus: nothing is heard here"), "{why}");
    // Redis is there, and says so.
    reaches(&two.odd, "redis", true).await;
    assert_eq!(two.odd.figure("parley_bus_subscription_up").await, Some(0.0));
    assert!(is_ready(&two.other).await);

    redis.command(&["ACL", "SETUSER", "odd", "+subscribe"]);
    becomes_ready(&two.odd).await;
    assert_eq!(two.odd.figure("parley_bus_subscription_up").await, Some(1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_are_all_deaf_stay_ready() {
    let redis = Server::start().await;
    let database = postgres::fresh_database().await;
    let two = Two::start([&database; 2], [&redis.url(); 2].map(String::as_str)).await;
    redis.command(&["ACL", "SETUSER", "default", "-subscribe"]);
    redis.kill_pubsub();
    for replica in [&two.odd, &two.other] {
        // Longer than one that is deaf alone would be believed.
        let lost = async || replica.figure("parley_bus_probes_lost_total").await;
        let long = async || lost().await.filter(|lost| *lost >= 14.0);
        eventually("many probes are lost", PROCESS, long).await;
        assert!(is_ready(replica).await);
    }
    // Nor without any Redis.
    redis.kill();
    reaches(&two.odd, "redis", false).await;
    assert!(is_ready(&two.odd).await && is_ready(&two.other).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_alone_is_cut_off_from_postgres_is_not_ready() {
    let redis = Server::start().await;
    let database = postgres::fresh_database().await;
    let proxy = Proxy::before(&database).await;
    let own = {
        let (scheme, rest) = database.split_once("://").unwrap();
        let (authority, name) = rest.split_once('/').unwrap();
        let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
        format!("{scheme}://{user}{}/{name}", proxy.address())
    };
    let two = Two::start([&own, &database], [&redis.url(); 2].map(String::as_str)).await;
    let (ada, bo) =
        (Person::register(&two.other.public, "ada").await, Person::register(&two.odd.public, "bo"));
    let bo = bo.await;
    let id = ada.direct(&bo).await.id;
    // It listens to the conversation for as long as somebody is connected.
    let _there = bo.connect().await;
    proxy.cut();
    reaches(&two.odd, "database", false).await;
    assert!(is_ready(&two.odd).await, "all may have lost it");
    let why = eventually("it takes no connections", PROCESS, async || {
        ada.say(id, "it works here").await;
        two.odd.ready().await.filter(|ready| ready.0 == 503)
    })
    .await;
    assert!(why.1.contains("database: not reached from here"), "{}", why.1);
    assert!(is_ready(&two.other).await);

    proxy.heal();
    becomes_ready(&two.odd).await;
    reaches(&two.odd, "database", true).await;
}
