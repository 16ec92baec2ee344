//! A collector of traces: takes what gateways export by OTLP over HTTP, and
//! shows it.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::Span,
};
use parking_lot::Mutex;
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{eventually, limits::SOON};

/// A span as it was exported; ids in hexadecimal.
#[derive(Clone, Debug)]
pub struct Exported {
    pub name: String,
    pub trace_id: String,
    pub span_id: String,
    /// Empty at the root.
    pub parent_id: String,
    /// `internal`, `server`, `producer` …
    pub kind: &'static str,
    pub attributes: BTreeMap<String, String>,
    /// Of the replica.
    pub resource: BTreeMap<String, String>,
}

impl Exported {
    pub fn replica(&self) -> &str {
        self.resource.get("service.instance.id").map_or("", String::as_str)
    }

    #[track_caller]
    pub fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).unwrap_or_else(|| panic!("no {key} in {self:#?}"))
    }
}

type Received = Arc<Mutex<Vec<Exported>>>;

/// Listens until it is dropped.
pub struct Collector {
    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub url: String,
    received: Received,
    serving: JoinHandle<()>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Received::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(received.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { url, received, serving }
    }

    /// What came so far.
    pub fn spans(&self) -> Vec<Exported> {
        self.received.lock().clone()
    }

    /// Waits for a span.
    pub async fn span(&self, what: &str, fits: impl Fn(&Exported) -> bool) -> Exported {
        eventually(what, SOON, async || self.received.lock().iter().find(|s| fits(s)).cloned())
            .await
    }

    /// Waits for the span of that name in a trace.
    pub async fn span_in(&self, trace_id: &str, name: &str) -> Exported {
        self.span(name, |span| span.trace_id == trace_id && span.name == name).await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(received): State<Received>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.unwrap_or_default();
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        received.lock().extend(spans.map(|span| exported(span, &resource)));
    }
    StatusCode::OK
}

fn exported(span: Span, resource: &Resource) -> Exported {
    const KINDS: [&str; 6] =
        ["unspecified", "internal", "server", "client", "producer", "consumer"];
    Exported {
        name: span.name,
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        kind: KINDS[usize::try_from(span.kind).expect("a kind")],
        attributes: texts(&span.attributes),
        resource: texts(&resource.attributes),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        (attribute.key.clone(), value)
    };
    attributes.iter().map(text).collect()
}
