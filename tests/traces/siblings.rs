//! Two replicas on one bus in this process: a trace goes on at the other.

use std::{sync::Arc, time::Duration};

use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use parking_lot::Mutex;
use parley::{
    bus::{Arrivals, Bus},
    cache::Cache,
    chat::Chat,
    clock::Clock,
    hub::{DepartureSettings, Hub},
    metrics::Metrics,
    model::*,
    shutdown::Shutdown,
    store::Store,
    telemetry::traces,
};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{
    client::Person,
    cluster::{Cluster, Database},
    eventually,
    limits::SOON,
};

#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Ended {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().extend(batch);
        Ok(())
    }
}

impl Ended {
    async fn named(&self, name: &str) -> SpanData {
        let find = async || self.0.lock().iter().find(|span| span.name == name).cloned();
        eventually(name, SOON, find).await
    }
}

fn replica(store: &Store, (bus, arrivals): (Bus, Arrivals), shutdown: &Shutdown) -> Chat {
    let (clock, metrics) = (Clock::default(), Metrics::new());
    let (store, shutdown) = (store.clone(), shutdown.clone());
    let origin = parley::hub::new_origin();
    let hub = Hub::new(
        store.clone(),
        bus,
        origin,
        clock.clone(),
        metrics.clone(),
        shutdown.clone(),
        DepartureSettings::default(),
    );
    tokio::spawn(hub.clone().listen(arrivals, shutdown.kill_token()));
    let cache = Cache::local(false, Duration::ZERO);
    Chat::new(store, cache, hub, clock, metrics, shutdown, Default::default())
}

/// On one thread: the subscriber is this thread's.
#[tokio::test]
async fn a_trace_goes_on_where_its_message_is_processed() {
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(ended.clone()).build();
    let subscriber = tracing_subscriber::registry().with(traces::layer(&provider));
    let cluster = Cluster::start(Database::Sqlite, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    let last = cluster.log(id).await.pop().expect("its creation");
    let _here = tracing::subscriber::set_default(subscriber);

    let shutdown = Shutdown::new();
    let (bus, arrivals) = Bus::local();
    let Bus::Local(local) = &bus else { panic!("a bus in this process") };
    let (sibling, its_arrivals) = local.sibling();
    let one = replica(cluster.store(), (bus, arrivals), &shutdown);
    let two = replica(cluster.store(), (Bus::Local(sibling), its_arrivals), &shutdown);

    // Three devices listen at the other replica.
    let who = |person: &Person| Principal { user: person.id(), device: person.device };
    let mut listening = Vec::new();
    for person in [&ada, &bo, &bo] {
        let registered = two.hub().register(who(person), 10).await.unwrap();
        let joined = two.hub().join(&[id], &registered.mailbox).await;
        joined[0].confirm(last.seq, last.event_id);
        listening.push((registered, joined));
    }
    let send = MessageSend {
        conversation_id: id,
        client_msg_id: ClientMessageId::new(),
        body: "hello".into(),
        reply_to_seq: None,
    };
    one.send(who(&ada), send).await.expect("an ack");

    // `message.send` itself may end on a thread of the database's, which has no
    // subscriber here: its children know it.
    let process = ended.named("process").await;
    let publish = ended.named("publish").await;
    let append = ended.named("store.append").await;
    assert_eq!(process.parent_span_id, publish.span_context.span_id());
    assert_eq!(publish.parent_span_id, append.parent_span_id);
    for span in [&append, &publish] {
        assert_eq!(span.span_context.trace_id(), process.span_context.trace_id());
    }
    let recipients = process.attributes.iter().find(|it| it.key.as_str() == "parley.recipients");
    assert_eq!(recipients.map(|it| it.value.to_string()).as_deref(), Some("3"));
    // One span for the replica, none for a recipient.
    let spans = ended.0.lock().iter().filter(|span| span.name == "process").count();
    assert_eq!(spans, 1);
    shutdown.begin_kill();
}
