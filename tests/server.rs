//! The listeners: limits, the cap, the end; and the probes.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Extension, Router,
    extract::ws::WebSocketUpgrade,
    routing::{any, get, post},
};
use parley::{
    metrics::Metrics,
    server::{self, Acceptor, Health, Peer, Place, Settings, admin},
    shutdown::Shutdown,
};
use reqwest::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;

use crate::support::{eventually, limits};

struct Server {
    address: SocketAddr,
    acceptor: Acceptor,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            max_connections: 100,
            header_timeout: limits::ANSWER,
            request_timeout: limits::ANSWER,
            write_timeout: limits::ANSWER,
        };
        change(&mut settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Metrics::new();
        let router = server::protect(router, &settings, &metrics);
        let acceptor = Acceptor::new(settings, metrics);
        let stop = CancellationToken::new();
        let serving = server::serve(listener, router, acceptor.clone(), stop.clone());
        Self { address, acceptor, stop, ended: tokio::spawn(serving) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// What the server still says until it closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    timeout(limits::ANSWER, stream.read_to_end(&mut text)).await.expect("closes").unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

fn echo() -> Router {
    // The place is held for as long as the socket lives.
    let upgrade = async |Extension(place): Extension<Place>, upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |mut socket| {
            let _place = place;
            while let Some(Ok(message)) = socket.recv().await {
                let _ = socket.send(message).await;
            }
        })
    };
    Router::new().route("/ws", get(upgrade)).route("/", get(async || "here"))
}

#[tokio::test]
async fn a_request_carries_its_peer() {
    let peer = async |Extension(Peer(ip)): Extension<Peer>| ip.to_string();
    let server = Server::start(Router::new().route("/", get(peer)), |_| {}).await;
    let answer = reqwest::get(server.url("/")).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "127.0.0.1");
}

#[tokio::test]
async fn slow_headers_are_cut_off() {
    let quick = Duration::from_millis(200);
    let server = Server::start(echo(), |settings| settings.header_timeout = quick).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-never: en").await.unwrap();
    rest(&mut slow).await;
    // Between two requests as well.
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut idle).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up() {
    let large = async || vec![0_u8; 64 * 1024 * 1024];
    let quick = Duration::from_millis(300);
    let server = Server::start(Router::new().route("/", get(large)), |settings| {
        settings.max_connections = 1;
        settings.write_timeout = quick;
    })
    .await;
    let mut stalled = server.connect().await;
    stalled.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    stalled.readable().await.unwrap();
    assert!(server.acceptor.is_full());
    let gone = async || (!server.acceptor.is_full()).then_some(());
    eventually("it was given up", limits::ANSWER, gone).await;
}

#[tokio::test]
async fn large_heads_and_bodies_are_refused() {
    let router = echo().route("/", post(async |body: String| body));
    let server = Server::start(router, |_| {}).await;
    let client = reqwest::Client::new();
    let head = client.get(server.url("/")).header("x-large", "x".repeat(64 * 1024));
    assert_eq!(head.send().await.unwrap().status(), 431);
    let body = client.post(server.url("/")).body("x".repeat(server::BODY_BYTES + 1));
    let answer = body.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "payload_too_large");
}

#[tokio::test]
async fn a_slow_answer_and_a_panic_are_problems() {
    let router = Router::new()
        .route("/slow", any(std::future::pending::<()>))
        .route("/panic", any(async || -> () { panic!("on purpose") }));
    let quick = Duration::from_millis(100);
    let server = Server::start(router, |settings| settings.request_timeout = quick).await;
    for (method, path, status, code) in [
        (Method::GET, "/slow", 503, "unavailable"),
        // What it wrote may still be committed.
        (Method::POST, "/slow", 503, "outcome_unknown"),
        (Method::PATCH, "/slow", 503, "outcome_unknown"),
        (Method::DELETE, "/slow", 503, "outcome_unknown"),
        (Method::GET, "/panic", 500, "internal"),
    ] {
        let request = reqwest::Client::new().request(method, server.url(path));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["retryable"]), (&code.into(), &true.into()));
    }
}

#[tokio::test]
async fn above_the_cap_one_is_told_to_come_back() {
    let server = Server::start(echo(), |settings| settings.max_connections = 1).await;
    let (mut socket, _) = connect_async(format!("ws://{}/ws", server.address)).await.unwrap();
    assert!(server.acceptor.is_full(), "an upgraded socket keeps its place");
    let answer = reqwest::get(server.url("/")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["code"], "overloaded");

    socket.close(None).await.unwrap();
    drop(socket);
    eventually("the place is free again", limits::ANSWER, async || {
        (!server.acceptor.is_full()).then_some(())
    })
    .await;
    assert!(reqwest::get(server.url("/")).await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_stop_finishes_requests_and_leaves_sockets_alone() {
    use futures_util::{SinkExt, StreamExt};

    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let finish = std::sync::Arc::new(tokio::sync::Notify::new());
    let told = finish.clone();
    let long = async move || {
        begun.send(()).await.unwrap();
        told.notified().await;
        "finished"
    };
    let server = Server::start(echo().route("/long", get(long)), |_| {}).await;
    let (mut socket, _) = connect_async(format!("ws://{}/ws", server.address)).await.unwrap();
    let request = tokio::spawn(reqwest::get(server.url("/long")));
    has_begun.recv().await.unwrap();

    server.stop.cancel();
    eventually("the port is closed", limits::ANSWER, async || {
        TcpStream::connect(server.address).await.is_err().then_some(())
    })
    .await;
    assert!(!server.ended.is_finished(), "a request is under way");
    finish.notify_one();
    assert_eq!(request.await.unwrap().unwrap().text().await.unwrap(), "finished");
    timeout(limits::ANSWER, server.ended).await.unwrap().unwrap();

    socket.send(Message::text("still there")).await.unwrap();
    let echoed = timeout(limits::ANSWER, socket.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(echoed.into_text().unwrap().as_str(), "still there");
}

#[tokio::test]
async fn probes_tell_of_this_replica_only() {
    let public = Server::start(echo(), |settings| settings.max_connections = 1).await;
    let shutdown = Shutdown::new();
    let health = Health::new(shutdown.clone(), public.acceptor.clone());
    let metrics = Metrics::new();
    let state = admin::Admin { health: health.clone(), metrics, shutdown: shutdown.clone() };
    let admin = Server::start(admin::router(state, Router::new()), |_| {}).await;
    let status = async |path: &str| reqwest::get(admin.url(path)).await.unwrap().status().as_u16();
    let ready = async || {
        let answer = reqwest::get(admin.url("/readyz")).await.unwrap();
        answer.json::<serde_json::Value>().await.unwrap()["obstacles"].clone()
    };

    assert_eq!((status("/livez").await, status("/startupz").await), (200, 503));
    assert_eq!(ready().await, serde_json::json!(["starting"]));
    health.set_started();
    assert_eq!((status("/startupz").await, status("/readyz").await), (200, 200));

    let held = public.connect().await;
    eventually("the cap is reached", limits::ANSWER, async || {
        (status("/readyz").await == 503).then_some(())
    })
    .await;
    assert_eq!(ready().await, serde_json::json!(["connection cap reached"]));
    drop(held);
    eventually("the place is free", limits::ANSWER, async || {
        (status("/readyz").await == 200).then_some(())
    })
    .await;

    health.set_fault("disk", "full");
    assert_eq!(ready().await, serde_json::json!(["disk: full"]));
    health.clear_fault("disk");
    let scraped = reqwest::get(admin.url("/metrics")).await.unwrap();
    assert!(scraped.text().await.unwrap().contains("parley_build_info"));

    let drain = reqwest::Client::new().post(admin.url("/admin/drain"));
    let page = drain.try_clone().unwrap().header("origin", "http://evil.example");
    assert_eq!(page.send().await.unwrap().status(), 403);
    assert!(!shutdown.is_draining());
    assert_eq!(drain.send().await.unwrap().status(), 202);
    assert_eq!(ready().await, serde_json::json!(["draining"]));
    assert_eq!(status("/livez").await, 200);
}

#[tokio::test]
async fn the_commands_talk_to_the_admin_listener() {
    let shutdown = Shutdown::new();
    let acceptor = Acceptor::new(
        Settings {
            max_connections: 1,
            header_timeout: limits::ANSWER,
            request_timeout: limits::ANSWER,
            write_timeout: limits::ANSWER,
        },
        Metrics::new(),
    );
    let health = Health::new(shutdown.clone(), acceptor);
    let state = admin::Admin { health, metrics: Metrics::new(), shutdown: shutdown.clone() };
    let admin = Server::start(admin::router(state, Router::new()), |_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let address = admin.address.to_string();
    let run = async |command: &[&str]| {
        let arguments = [command, &["--admin-listen", &address]].concat();
        crate::support::process::run(folder.path(), &arguments).await.status.code()
    };
    assert_eq!(run(&["healthcheck"]).await, Some(0));
    assert_eq!(run(&["healthcheck", "--ready"]).await, Some(1), "it has not started");
    assert_eq!(run(&["drain", "--no-wait"]).await, Some(0));
    assert!(shutdown.is_draining());
}
