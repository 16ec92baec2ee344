//! Traces, as a collector gets them from real replicas.

mod siblings;

use std::path::Path;

use parley::model::*;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;

use crate::support::{
    client::{Person, open_with},
    limits::ANSWER,
    otlp::{Collector, Exported},
    postgres,
    process::{Serving, finished, gateway, stderr, stdout},
    redis,
};

/// A replica on the embedded database, in an environment.
async fn alone(folder: &Path, environment: &[(&str, &str)]) -> Serving {
    let arguments = ["--replica=one", "--rate-limits=off", "--drain-window=0s"];
    Serving::start_with(folder, &arguments, environment).await
}

/// Export at once, not every five seconds.
const AT_ONCE: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "50");

/// Two replicas on one Postgres, and on a Redis unless its URL is empty, that
/// export to one collector.
struct Two {
    collector: Collector,
    one: Serving,
    two: Serving,
    _folder: TempDir,
}

impl Two {
    async fn start(redis: &str) -> Self {
        let (collector, folder) = (Collector::start().await, tempdir().unwrap());
        let keys = folder.path().join("keys.json");
        parley::auth::key_file::generate(&keys, parley::clock::Clock::default().now()).unwrap();
        let database = format!("--database-url={}", postgres::fresh_database().await);
        let redis = format!("--redis-url={redis}");
        let keys = format!("--keys-file={}", keys.display());
        let replica = async |name: &str| {
            let name = format!("--replica={name}");
            let arguments = ["--rate-limits=off", &database, &redis, &keys, &name];
            let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url), AT_ONCE];
            Serving::start_with(folder.path(), &arguments, &environment).await
        };
        let (one, two) = (replica("one").await, replica("two").await);
        Self { collector, one, two, _folder: folder }
    }

    /// Ada says something on one replica to Bo, who has two devices on the
    /// other; its `message.send`, once both have it.
    async fn send_across(&self) -> Exported {
        let ada = Person::register(&self.one.public, "ada").await;
        let bo = Person::register(&self.two.public, "bo").await;
        let id = ada.direct(&bo).await.id;
        let mut here = ada.connect().await;
        let (mut first, mut second) = (bo.connect().await, bo.connect().await);
        here.send(id, "hello").await;
        first.message(id).await;
        second.message(id).await;
        sent(&self.collector, id, "one").await
    }
}

/// The trace of a message: its root, and that its replica committed and
/// published it in the same trace.
async fn sent(collector: &Collector, id: ConversationId, replica: &str) -> Exported {
    let id = id.to_string();
    let of_it = |span: &Exported| {
        span.name == "message.send"
            && span.attributes.get("messaging.message.conversation_id") == Some(&id)
    };
    let send = collector.span("message.send", of_it).await;
    assert_eq!(send.attribute("messaging.system"), "parley");
    let append = collector.span_in(&send.trace_id, "store.append").await;
    let publish = collector.span_in(&send.trace_id, "publish").await;
    assert_eq!(publish.kind, "producer");
    assert_eq!(publish.attribute("messaging.destination.name"), format!("conv:{id}"));
    for child in [&append, &publish] {
        assert_eq!(child.parent_id, send.span_id, "{child:#?}");
    }
    for span in [&send, &append, &publish] {
        assert_eq!(span.replica(), replica);
        assert_eq!(span.resource["service.name"], "parley");
    }
    send
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_one_trace_from_its_frame_on() {
    let two = Two::start("").await;
    let send = two.send_across().await;
    assert_eq!((send.parent_id.as_str(), send.kind), ("", "internal"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_at_the_other_replica() {
    let server = redis::Server::start().await;
    let mut two = Two::start(&server.url()).await;
    for replica in [&mut two.one, &mut two.two] {
        replica.line_with(r#""dependency is up","dependency":"redis""#).await;
    }
    let send = two.send_across().await;
    let publish = two.collector.span_in(&send.trace_id, "publish").await;
    let process = two.collector.span_in(&send.trace_id, "process").await;
    assert_eq!((process.replica(), process.kind), ("two", "consumer"));
    assert_eq!(process.parent_id, publish.span_id);
    assert_eq!(process.attribute("parley.recipients"), "2", "one span for both devices");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_span_in_its_callers_trace() {
    let (collector, folder) = (Collector::start().await, tempdir().unwrap());
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url), AT_ONCE];
    let mut replica = alone(folder.path(), &environment).await;
    let ada = Person::register(&replica.public, "ada").await;
    let id = ada.group("Alone", &[]).await.id;
    let path = format!("/conversations/{id}/messages");
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let post = async |body: Value| {
        let request = ada.request(reqwest::Method::POST, &path).header("traceparent", &parent);
        ada.run(request.json(&body)).await
    };
    let body = json!({ "client_msg_id": ClientMessageId::new(), "body": "hello" });
    assert_eq!(post(body).await.status, 201);
    let send = sent(&collector, id, "one").await;
    let request = collector.span_in(trace, "POST /conversations/{conversation_id}/messages").await;
    assert_eq!((request.parent_id.as_str(), request.kind), ("b7ad6b7169203331", "server"));
    assert_eq!(request.attribute("http.response.status_code"), "201");
    assert_eq!(send.parent_id, request.span_id);

    // What the log says of a request names its trace.
    let body = json!({ "client_msg_id": ClientMessageId::new(), "body": "" });
    assert_eq!(post(body).await.status, 422);
    let line = replica.line_with("request refused").await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["trace_id"], trace);
    let span_id = line["span_id"].as_str().unwrap().to_owned();
    let refused = collector.span("the refused request", |span| span.span_id == span_id).await;
    assert_eq!(refused.attribute("http.response.status_code"), "422");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_ends_at_the_101_and_tells_no_token() {
    let (collector, folder) = (Collector::start().await, tempdir().unwrap());
    // This variable is the whole address of the endpoint.
    let endpoint = format!("{}/v1/traces", collector.url);
    let environment = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*endpoint), AT_ONCE];
    let replica = alone(folder.path(), &environment).await;
    let ada = Person::register(&replica.public, "ada").await;
    let token = ada.token.clone().unwrap();
    let query = format!("?token={token}");
    let _open = open_with(&replica.public, &query, Default::default()).await.unwrap();
    let upgrade = collector.span("the upgrade", |span| span.name == "GET /ws").await;
    assert_eq!(upgrade.attribute("http.response.status_code"), "101");
    let told = format!("{:?}", collector.spans());
    assert!(!told.contains(&token), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_traces_are_handed_over_at_the_end() {
    let (collector, folder) = (Collector::start().await, tempdir().unwrap());
    let never = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url), never];
    let mut replica = alone(folder.path(), &environment).await;
    let ada = Person::register(&replica.public, "ada").await;
    let id = ada.group("Alone", &[]).await.id;
    ada.say(id, "last words").await;
    assert!(collector.spans().is_empty());
    replica.signal("TERM");
    assert_eq!(replica.ended().await, Some(0));
    sent(&collector, id, "one").await;
}

async fn nothing_is_traced(environment: &[(&str, &str)]) {
    let folder = tempdir().unwrap();
    let mut replica = alone(folder.path(), environment).await;
    let ada = Person::register(&replica.public, "ada").await;
    let id = ada.group("Alone", &[]).await.id;
    ada.say(id, "hello").await;
    let refused = ada.post(&format!("/conversations/{id}/messages"), json!({})).await;
    assert!(refused.status.is_client_error());
    let line = replica.line_with("request refused").await;
    assert!(!line.contains("trace_id"), "{line}");
    // Who has no exporter connects to no collector.
    let threads = replica.threads();
    assert!(threads.iter().any(|name| name.starts_with("tokio")), "{threads:?}");
    assert!(!threads.iter().any(|name| name.starts_with("OpenTelemetry")), "{threads:?}");
    replica.signal("TERM");
    assert_eq!(replica.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_are_off_unless_a_collector_is_named() {
    nothing_is_traced(&[("OTEL_SERVICE_NAME", "parley")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_are_off_when_the_environment_says_so() {
    let collector = Collector::start().await;
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url);
    nothing_is_traced(&[endpoint, ("OTEL_SDK_DISABLED", "true")]).await;
    assert!(collector.spans().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_cannot_be_spoken_to_is_a_warning() {
    let (taken, folder) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), tempdir().unwrap());
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let mut command = gateway(folder.path());
    command.args(["serve", "--log-format=json", "--admin-listen=127.0.0.1:0", &listen]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:4318");
    let output = finished(command).await;
    let told = stdout(&output);
    let line = told.lines().find(|line| line.contains("traces are off"));
    assert!(line.is_some_and(|line| line.contains("OTEL_EXPORTER_OTLP_ENDPOINT")), "{told}");
    // It went on, as far as a port that somebody has.
    assert!(stderr(&output).contains("Cannot listen"), "{}", stderr(&output));
}

/// The worst kind: it takes connections and never answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_holds_up_neither_messages_nor_the_end() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let folder = tempdir().unwrap();
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*url),
        // Full at once: what does not fit is dropped, and nobody waits.
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
        AT_ONCE,
    ];
    let mut replica = alone(folder.path(), &environment).await;
    let ada = Person::register(&replica.public, "ada").await;
    let id = ada.group("Alone", &[]).await.id;
    let mut device = ada.connect().await;
    let sending = async {
        for n in 0..100 {
            device.send(id, &n.to_string()).await;
        }
    };
    timeout(ANSWER, sending).await.expect("acks in time");
    replica.signal("TERM");
    replica.line_with("the last traces were not handed over").await;
    assert_eq!(replica.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_is_told_of_once() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}");
    let folder = tempdir().unwrap();
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*url), AT_ONCE];
    let mut replica = alone(folder.path(), &environment).await;
    let ada = Person::register(&replica.public, "ada").await;
    let id = ada.group("Alone", &[]).await.id;
    for n in 0..10 {
        ada.say(id, &n.to_string()).await;
    }
    let line = replica.line_with("the collector does not take traces").await;
    assert!(line.contains("WARN"), "{line}");
    replica.signal("TERM");
    assert_eq!(replica.ended().await, Some(0));
}
