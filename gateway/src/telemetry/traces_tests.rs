//! What spans say, and how they hang together.

use std::sync::Arc;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Sampler, SpanData, SpanExporter},
};
use parking_lot::Mutex;
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::{
    model::{Event, Signal, Timestamp, UserId},
    problem::Code,
};

/// Ended spans, in the order they ended.
#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Ended {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().extend(batch);
        Ok(())
    }
}

/// The spans that `work` made, as a sampler lets them be recorded.
fn traced(sampler: Sampler, work: impl FnOnce()) -> Vec<SpanData> {
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_simple_exporter(ended.clone())
        .build();
    let subscriber = tracing_subscriber::registry().with(layer(&provider));
    tracing::subscriber::with_default(subscriber, work);
    ended.0.lock().clone()
}

fn send() -> Span {
    message_send(ConversationId::new())
}

fn find<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    spans.iter().find(|span| span.name == name).expect(name)
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| attribute.value.to_string())
}

fn envelope(trace: Option<TraceContext>) -> Envelope {
    Envelope {
        topic: Topic::User(UserId::new()),
        origin: 1,
        accepted_at: Timestamp::from_millis(0).expect("a time"),
        trace,
        event: Event::Signal(Arc::new(Signal::Changed)),
    }
}

#[test]
fn a_batch_belongs_to_its_first_message_and_names_the_others() {
    let spans = traced(Sampler::AlwaysOn, || {
        let sends = [send(), Span::none(), send(), send()];
        drop(store_append(sends.iter()));
    });
    let append = find(&spans, "store.append");
    let sends: Vec<_> = spans.iter().filter(|span| span.name == "message.send").collect();
    assert_eq!(append.parent_span_id, sends[0].span_context.span_id());
    assert_eq!(append.span_context.trace_id(), sends[0].span_context.trace_id());
    let links: Vec<_> = append.links.iter().map(|link| link.span_context.clone()).collect();
    assert_eq!(links, [sends[1].span_context.clone(), sends[2].span_context.clone()]);
    assert_eq!(attribute(append, "messaging.batch.message_count").as_deref(), Some("4"));
    assert_eq!(attribute(append, "messaging.system").as_deref(), Some("parley"));
}

#[test]
fn what_travels_is_where_the_other_replica_goes_on() {
    let spans = traced(Sampler::AlwaysOn, || {
        let mut publishing = Publishing::default();
        let topic = Topic::Conversation(ConversationId::new());
        let context = publishing.begin(topic, &send());
        drop(publishing);
        let process = process(&envelope(context));
        processed(&process, 3);
    });
    let spans = ["message.send", "publish", "process"].map(|name| find(&spans, name));
    let kinds = spans.map(|span| span.span_kind.clone());
    assert_eq!(kinds, [SpanKind::Internal, SpanKind::Producer, SpanKind::Consumer]);
    for pair in spans.windows(2) {
        assert_eq!(pair[1].parent_span_id, pair[0].span_context.span_id());
        assert_eq!(pair[1].span_context.trace_id(), pair[0].span_context.trace_id());
    }
    assert!(spans[2].parent_span_is_remote);
    assert_eq!(attribute(spans[2], "parley.recipients").as_deref(), Some("3"));
}

#[test]
fn what_nobody_records_travels_as_such() {
    let spans = traced(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)), || {
        let send = send();
        let topic = Topic::Conversation(ConversationId::new());
        let context = Publishing::default().begin(topic, &send);
        assert!(context.is_some_and(|context| !context.sampled));
        drop(process(&envelope(context)));
        assert!(store_append([send].iter()).is_disabled());
    });
    assert_eq!(spans, []);
}

#[test]
fn without_a_context_nothing_is_processed_in_a_trace() {
    let spans = traced(Sampler::AlwaysOn, || assert!(process(&envelope(None)).is_disabled()));
    assert_eq!(spans, []);
}

#[test]
fn without_a_layer_there_is_nothing() {
    let nothing = tracing_subscriber::registry().with(Targets::new());
    tracing::subscriber::with_default(nothing, || {
        let send = send();
        assert!(send.is_disabled());
        assert!(store_append([send.clone()].iter()).is_disabled());
        let topic = Topic::Conversation(ConversationId::new());
        assert_eq!(Publishing::default().begin(topic, &send), None);
        assert!(request("GET", None, |_| None).is_disabled());
    });
}

#[test]
fn a_request_goes_on_in_its_callers_trace() {
    let spans = traced(Sampler::AlwaysOn, || {
        let header = |name: &str| {
            (name == "traceparent")
                .then_some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        };
        let request = request("POST", Some("/users/{user_id}"), header);
        request.in_scope(|| drop(send()));
        answered(&request, 503);
    });
    let request = find(&spans, "POST /users/{user_id}");
    let trace = request.span_context.trace_id().to_string();
    assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(request.parent_span_id.to_string(), "b7ad6b7169203331");
    assert_eq!(request.span_kind, SpanKind::Server);
    assert_eq!(attribute(request, "http.route").as_deref(), Some("/users/{user_id}"));
    assert_eq!(attribute(request, "http.response.status_code").as_deref(), Some("503"));
    assert!(matches!(request.status, Status::Error { .. }));
    let send = find(&spans, "message.send");
    assert_eq!(send.parent_span_id, request.span_context.span_id());
}

#[test]
fn strangers_make_neither_traces_nor_names() {
    let spans = traced(Sampler::AlwaysOn, || {
        drop(request("BREW", None, |_| Some("00-00000000000000000000000000000000-0-zz")));
    });
    assert_eq!(spans[0].name, "_OTHER");
    assert_eq!(spans[0].parent_span_id, SpanId::INVALID);
    assert!(spans[0].span_context.is_valid());
}

#[test]
fn a_refusal_is_noted_and_only_a_failure_is_an_error() {
    let fails = |code| {
        let spans = traced(Sampler::AlwaysOn, || {
            let refused = async { Err::<(), _>(Problem::new(code, "no")) };
            let outcome = futures_util::FutureExt::now_or_never(within(send(), refused));
            assert!(outcome.is_some_and(|outcome| outcome.is_err()));
        });
        (attribute(&spans[0], "error.type"), spans[0].status.clone())
    };
    assert_eq!(fails(Code::NotFound), (Some("not_found".into()), Status::Unset));
    let (code, status) = fails(Code::Unavailable);
    assert_eq!(code.as_deref(), Some("unavailable"));
    assert!(matches!(status, Status::Error { .. }));
}
