//! The rig itself: what breaks things for other tests does break them, and can
//! put them right again.

use std::time::{Duration, Instant};

use parley::config::SecretUrl;
use tempfile::tempdir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::support::{
    client::Person,
    cluster::Cluster,
    eventually,
    limits::{QUIET, SOON},
    postgres,
    process::{Serving, run},
    proxy::Proxy,
    redis::{self, RedisCluster, Server},
};

/// Answers every byte with the same, until its test ends.
async fn echo() -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    Proxy::to(address).await
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// The next bytes; none once the connection is closed.
async fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = vec![0; 64];
    let read = timeout(SOON, stream.read(&mut heard)).await.expect("something");
    heard.truncate(read.unwrap_or(0));
    heard
}

async fn echoes(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    assert_eq!(hear(stream).await, text.as_bytes());
}

async fn hears_nothing(stream: &mut TcpStream) {
    let mut heard = [0];
    assert!(timeout(QUIET, stream.read(&mut heard)).await.is_err(), "{heard:?}");
}

#[tokio::test]
async fn a_cut_proxy_closes_what_it_has_and_what_comes() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    echoes(&mut stream, "whole").await;
    proxy.cut();
    assert!(hear(&mut stream).await.is_empty());
    assert!(hear(&mut connect(&proxy).await).await.is_empty());
    proxy.heal();
    echoes(&mut connect(&proxy).await, "whole again").await;
}

#[tokio::test]
async fn a_blackhole_keeps_connections_and_what_they_said() {
    let proxy = echo().await;
    let mut before = connect(&proxy).await;
    echoes(&mut before, "whole").await;
    proxy.blackhole();
    let mut since = connect(&proxy).await;
    for stream in [&mut before, &mut since] {
        stream.write_all(b"lost?").await.unwrap();
        hears_nothing(stream).await;
    }
    proxy.heal();
    for stream in [&mut before, &mut since] {
        assert_eq!(hear(stream).await, b"lost?");
    }
}

#[tokio::test]
async fn a_half_open_link_brings_nothing_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap()).await;
    let mut client = connect(&proxy).await;
    let (mut server, _) = listener.accept().await.unwrap();
    proxy.half_open();
    client.write_all(b"there").await.unwrap();
    assert_eq!(hear(&mut server).await, b"there");
    server.write_all(b"and back").await.unwrap();
    hears_nothing(&mut client).await;
    proxy.cut();
    assert!(hear(&mut client).await.is_empty());
    assert!(hear(&mut server).await.is_empty());
}

#[tokio::test]
async fn a_slow_link_delays_until_it_is_healed() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    proxy.slow(QUIET);
    let begun = Instant::now();
    echoes(&mut stream, "slow").await;
    assert!(begun.elapsed() >= 2 * QUIET, "there and back");
    proxy.slow(Duration::from_secs(3600));
    stream.write_all(b"quick").await.unwrap();
    hears_nothing(&mut stream).await;
    proxy.heal();
    assert_eq!(hear(&mut stream).await, b"quick");
}

#[tokio::test]
async fn a_proxy_ends_with_its_owner() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    echoes(&mut stream, "whole").await;
    let address = proxy.address();
    drop(proxy);
    assert!(hear(&mut stream).await.is_empty());
    let refused = async || TcpStream::connect(address).await.is_err().then_some(());
    eventually("nobody listens", SOON, refused).await;
}

#[tokio::test]
async fn redis_freezes_thaws_and_forgets() {
    let redis = Server::start().await;
    redis.command(&["SET", "key", "value"]);
    redis.freeze();
    assert!(redis.is_running() && !redis.answers());
    redis.thaw();
    assert_eq!(redis.command(&["GET", "key"]), "value");
    redis.flush();
    assert_eq!(redis.command(&["GET", "key"]), "");
    let refusal = redis.try_command(&["NONSENSE"]).unwrap_err();
    assert!(refusal.starts_with("ERR unknown command"), "{refusal}");
}

#[tokio::test]
async fn redis_comes_back_empty_on_its_port() {
    let redis = Server::start().await;
    let url = redis.url();
    redis.command(&["SET", "key", "value"]);
    redis.freeze();
    redis.kill();
    assert!(!redis.is_running());
    let refused = TcpStream::connect(("127.0.0.1", redis.port())).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    redis.restart().await;
    assert_eq!((redis.url(), redis.command(&["GET", "key"])), (url, String::new()));
}

#[tokio::test]
async fn redis_throws_its_subscribers_out() {
    let redis = Server::start().await;
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).await.unwrap();
    stream.write_all(b"SUBSCRIBE news\r\n").await.unwrap();
    assert!(hear(&mut stream).await.starts_with(b"*3\r\n$9\r\nsubscribe"));
    assert_eq!(redis.figure("pubsub_channels"), 1);
    redis.kill_pubsub();
    assert!(hear(&mut stream).await.is_empty());
}

#[tokio::test]
async fn a_redis_cluster_moves_a_slot_and_fails_over() {
    let cluster = RedisCluster::start().await;
    assert_eq!(cluster.slot_of("123456789"), 0x31C3, "the example of the specification");
    assert_eq!(cluster.slot_of("conv:{a}"), cluster.slot_of("user:{a}"));
    let first = cluster.servers().next().unwrap().port();
    assert!(cluster.url().starts_with(&format!("redis-cluster://127.0.0.1:{first}?node=")));

    let key = "conv:{a}";
    cluster.owner_of(key).command(&["SET", key, "value"]);
    let before = cluster.owner_of(key).port();
    cluster.move_slot_of(key).await;
    let after = cluster.owner_of(key);
    assert_ne!(before, after.port());
    assert_eq!(after.command(&["GET", key]), "value");
    let told = cluster.servers().filter_map(|it| it.try_command(&["GET", key]).err());
    let moved = format!("MOVED {} 127.0.0.1:{}", cluster.slot_of(key), after.port());
    assert!(told.inspect(|told| assert_eq!(*told, moved)).count() > 0);

    // Hashes into what the first master has.
    let key = "{b}";
    assert_eq!(cluster.owner_of(key).port(), first);
    cluster.kill_master_with_replica();
    cluster.await_failover().await;
    assert_eq!(cluster.servers().count(), 3);
    let replica = cluster.servers().last().unwrap();
    assert_eq!(cluster.owner_of(key).port(), replica.port());
    replica.command(&["SET", key, "written after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_has_links_and_an_end_of_its_own() {
    let redis = redis::shared().await;
    assert_eq!(redis, redis::shared().await);
    let mut cluster = Cluster::with_redis(1, &redis).await;
    assert_eq!(cluster.config.redis_url.expose(), redis);
    let database = cluster.config.database_url.expose().to_owned();
    let proxies = [Proxy::before(&database).await, Proxy::before(&redis).await];
    let [database, redis] = [proxies[0].url(&database), proxies[1].url(&redis)];
    let own = |config: &mut parley::config::Config| {
        config.database_url = SecretUrl::new(database);
        config.redis_url = SecretUrl::new(redis);
    };
    cluster.add_configured(own).await;

    let ada = cluster.register("ada").await;
    let there = ada.at(&cluster.replicas[1].url);
    assert!(there.get("/users/me").await.status.is_success());
    proxies[0].cut();
    assert!(ada.get("/users/me").await.status.is_success());
    assert!(!there.get("/users/me").await.status.is_success());
    cluster.kill(1).await;
    let address = cluster.replicas[1].url.trim_start_matches("http://");
    assert!(TcpStream::connect(address).await.is_err());
    assert!(ada.get("/users/me").await.status.is_success());
}

#[tokio::test]
async fn replicas_as_processes_share_accounts_and_keys() {
    let folder = tempdir().unwrap();
    assert!(run(folder.path(), &["keys", "generate"]).await.status.success());
    let keys = folder.path().join("data/keys.json");
    let database = postgres::fresh_database().await;
    let one = Serving::replica(folder.path(), &database, "", &keys).await;
    let two = Serving::replica(folder.path(), &database, "", &keys).await;
    for replica in [&one, &two] {
        let ready = reqwest::get(format!("{}/readyz", replica.admin)).await.unwrap();
        assert_eq!(ready.status(), 200);
    }
    let ada = Person::register(&one.public, "ada").await;
    assert!(ada.at(&two.public).get("/users/me").await.status.is_success());
}
