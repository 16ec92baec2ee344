//! TLS: of the public listener, with a certificate that is changed while in use,
//! and to Redis.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName},
    },
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message as Raw, client::IntoClientRequest},
};

use crate::support::{
    client::PASSWORD,
    eventually,
    limits::{PROCESS, SOON},
    postgres,
    process::{Serving, run, stderr},
    redis::Server,
};

/// A certificate of the name `localhost` and its key, written to `folder`.
fn write_pair(folder: &Path) -> CertificateDer<'static> {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    // The key first: what reads between the two finds no pair, and waits.
    std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), pair.cert.pem()).unwrap();
    pair.cert.der().clone()
}

/// A gateway with a certificate, and what a client needs to trust it.
struct Secured {
    folder: TempDir,
    serving: Serving,
    certificate: CertificateDer<'static>,
}

impl Secured {
    async fn start() -> Self {
        let folder = tempdir().unwrap();
        let certificate = write_pair(folder.path());
        let serving = Serving::start(folder.path(), &arguments()).await;
        Self { folder, serving, certificate }
    }

    fn host(&self) -> &str {
        self.serving.public.strip_prefix("https://").expect("it says that it is secured")
    }

    /// Over TLS, if the certificate it shows is `trusted`.
    async fn connect(
        &self,
        trusted: &CertificateDer<'static>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(self.host()).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    async fn request(&self, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let stream = self.connect(&self.certificate).await.unwrap();
        let (mut http, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .method(if body.is_some() { "POST" } else { "GET" })
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json");
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let answer = http.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

fn arguments() -> [&'static str; 2] {
    ["--tls-certificate-file=certificate.pem", "--tls-key-file=key.pem"]
}

async fn await_frame<S>(socket: &mut WebSocketStream<S>, kind: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let wanted = format!("\"type\":\"{kind}\"");
    while let Some(frame) = timeout(SOON, socket.next()).await.expect(kind) {
        if frame.expect("the socket lives").to_text().unwrap_or_default().contains(&wanted) {
            return;
        }
    }
    panic!("ended without {kind}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_and_ends_no_socket() {
    let mut secured = Secured::start().await;
    let (status, _) = secured.request("/", None).await;
    assert_eq!(status, StatusCode::OK, "the web client");
    let account = json!({ "username": "ada", "password": PASSWORD });
    let (status, ada) = secured.request("/auth/register", Some(account)).await;
    assert_eq!(status, StatusCode::CREATED, "{ada}");

    let stream = secured.connect(&secured.certificate).await.unwrap();
    let mut upgrade = "wss://localhost/ws".into_client_request().unwrap();
    let bearer = format!("Bearer {}", ada["access_token"].as_str().unwrap());
    upgrade.headers_mut().insert("authorization", bearer.parse().unwrap());
    let (mut socket, _) = client_async(upgrade, stream).await.unwrap();
    let hello = json!({ "type": "hello", "payload": { "cursors": {}, "client": "test" } });
    socket.send(Raw::text(hello.to_string())).await.unwrap();
    await_frame(&mut socket, "live").await;

    // A file that cannot be used changes nothing, and is said once.
    let old = secured.certificate.clone();
    std::fs::write(secured.folder.path().join("certificate.pem"), "none").unwrap();
    secured.serving.line_with("the certificate stays as it was").await;
    secured.connect(&old).await.expect("as before");

    secured.certificate = write_pair(secured.folder.path());
    secured.serving.line_with("the certificate has changed").await;
    secured.connect(&secured.certificate).await.expect("the new one");
    let refused = secured.connect(&old).await.expect_err("the old one is no longer shown");
    assert!(refused.to_string().contains("certificate"), "{refused}");
    let ping = json!({ "type": "ping", "id": "1", "payload": {} });
    socket.send(Raw::text(ping.to_string())).await.unwrap();
    await_frame(&mut socket, "pong").await;
}

#[tokio::test]
async fn who_does_not_speak_tls_gets_nothing_and_keeps_nothing() {
    let secured = Secured::start().await;
    let mut plain = TcpStream::connect(secured.host()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let _ = timeout(SOON, plain.read_to_end(&mut said)).await.expect("it is closed");
    assert!(!said.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&said));

    // Nor may one hold a place by saying nothing.
    let mut silent = TcpStream::connect(secured.host()).await.unwrap();
    let ended = timeout(PROCESS, silent.read(&mut [0; 8])).await.expect("it is closed");
    assert!(matches!(ended, Ok(0) | Err(_)));
    eventually("nothing is left of it", SOON, async || {
        (secured.request("/livez", None).await.0 != StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_an_error_of_the_start() {
    let folder = tempdir().unwrap();
    let start = async |arguments: &[&str]| {
        let mut all = vec!["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
        all.extend(arguments);
        run(folder.path(), &all).await
    };
    for (pair, sentence) in [
        (&arguments()[..], "certificate.pem cannot be read"),
        (&arguments()[..1], "tls_certificate_file and tls_key_file belong together"),
    ] {
        let output = start(pair).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(sentence), "{}", stderr(&output));
    }
    write_pair(folder.path());
    let key = std::fs::read(folder.path().join("key.pem")).unwrap();
    write_pair(folder.path());
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    let output = start(&arguments()).await;
    assert!(stderr(&output).contains("are no pair"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_behind_tls_is_heard() {
    let folder = tempdir().unwrap();
    write_pair(folder.path());
    let (_redis, port) = Server::secured(folder.path()).await;
    let keys = folder.path().join("keys.json");
    let named = format!("--keys-file={}", keys.display());
    assert!(run(folder.path(), &["keys", "generate", &named]).await.status.success());
    let database = format!("--database-url={}", postgres::fresh_database().await);
    let redis = format!("--redis-url=rediss://localhost:{port}");
    // Whom it believes is for the certificates of the system to say.
    let trust = folder.path().join("certificate.pem").display().to_string();
    let arguments = [named.as_str(), &database, &redis];
    let trusting =
        Serving::start_with(folder.path(), &arguments, &[("SSL_CERT_FILE", &trust)]).await;
    let doubting = Serving::start(folder.path(), &arguments).await;
    eventually("its own probe comes back", SOON, async || {
        (trusting.figure("parley_bus_subscription_up ").await? == 1.0).then_some(())
    })
    .await;
    assert_eq!(doubting.figure("parley_bus_subscription_up ").await, Some(0.0));
}
