//! One trace for each message, from the frame it came in to every replica it
//! went to: `message.send` → `store.append` and `publish` → on the others,
//! `process`. *Never a span for each recipient.*
//!
//! The spans have a target of their own. Unless a [`layer`] takes them, each is
//! switched off where it would be made: an atomic load, no allocation, no
//! clock. Whatever is derived from such a span is then nothing as well.

use std::future::Future;

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    propagation::{Extractor, TextMapPropagator},
    trace::{SpanContext, TraceContextExt, TraceState, TracerProvider},
};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Instrument, Level, Span, Subscriber, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::{
    model::{ConversationId, Envelope, Topic, TraceContext},
    problem::Problem,
};

/// Of all spans made here.
pub const TARGET: &str = "parley::trace";

const SYSTEM: &str = "parley";

/// Takes the spans made here, and nothing else, to `provider`.
pub fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(SYSTEM));
    let layer = layer.with_location(false).with_target(false).with_threads(false);
    let ours = Targets::new().with_target(TARGET, Level::INFO);
    layer.with_tracked_inactivity(false).with_filter(ours)
}

/// From an HTTP request to the head of its answer, in the caller's trace if the
/// `traceparent` header names one. `route` is the route's pattern.
pub fn request<'a>(
    method: &str,
    route: Option<&str>,
    header: impl Fn(&str) -> Option<&'a str>,
) -> Span {
    // No client can make names of spans.
    let method = match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
        _ => "_OTHER",
    };
    let span = info_span!(
        target: TARGET, parent: None, "request",
        otel.name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}")),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
    );
    if !span.is_disabled() {
        let [traceparent, tracestate] = ["traceparent", "tracestate"].map(header);
        let caller = Caller { traceparent, tracestate };
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &caller);
        // Fails only where nobody takes the span.
        let _ = span.set_parent(parent);
    }
    span
}

/// Notes how a [`request`] was answered.
pub fn answered(request: &Span, status: u16) {
    if request.is_disabled() {
        return;
    }
    request.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        request.record("otel.status_code", "ERROR");
    }
}

/// From a message's frame, or its request, to its ack.
pub fn message_send(conversation_id: ConversationId) -> Span {
    info_span!(
        target: TARGET, "message.send",
        otel.status_code = Empty,
        error.type = Empty,
        messaging.system = SYSTEM,
        messaging.message.conversation_id = %conversation_id,
    )
}

/// The commit of a batch of [`message_send`]s: in the trace of the first that
/// is recorded, with links to the others.
pub fn store_append<'a>(sends: impl ExactSizeIterator<Item = &'a Span>) -> Span {
    let messages = sends.len();
    let mut traced = sends.filter_map(|send| Some((send, recorded(send)?)));
    let Some((first, _)) = traced.next() else { return Span::none() };
    let append = info_span!(
        target: TARGET, parent: first, "store.append",
        otel.status_code = Empty,
        error.type = Empty,
        messaging.system = SYSTEM,
        messaging.batch.message_count = number(messages),
    );
    traced.for_each(|(_, send)| append.add_link(send));
    append
}

/// Runs `work` within a span, and notes there why it failed.
pub async fn within<T>(
    span: Span,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let outcome = work.instrument(span.clone()).await;
    if let Err(problem) = &outcome
        && !span.is_disabled()
    {
        span.record("error.type", problem.code.code());
        // What a client did wrong is no failure of ours.
        if problem.code.status() >= 500 {
            span.record("otel.status_code", "ERROR");
        }
    }
    outcome
}

/// Publications under way. They end with this.
#[derive(Default)]
pub struct Publishing(Vec<Span>);

impl Publishing {
    /// Begins one, in the trace of the [`message_send`] it tells of. What
    /// travels with it.
    pub fn begin(&mut self, topic: Topic, send: &Span) -> Option<TraceContext> {
        if send.is_disabled() {
            return None;
        }
        let publish = info_span!(
            target: TARGET, parent: send, "publish",
            otel.kind = "producer",
            messaging.system = SYSTEM,
            messaging.operation.type = "send",
            messaging.destination.name = %topic,
        );
        let context = travelling(&publish);
        self.0.push(publish);
        context
    }
}

/// Taking in what another replica told, in the trace it told it in; none if it
/// told no trace. [`processed`] ends it.
pub fn process(envelope: &Envelope) -> Span {
    let Some(context) = envelope.trace else { return Span::none() };
    let process = info_span!(
        target: TARGET, parent: None, "process",
        otel.kind = "consumer",
        messaging.system = SYSTEM,
        messaging.operation.type = "process",
        messaging.destination.name = %envelope.topic,
        parley.recipients = Empty,
    );
    // Fails only where nobody takes the span.
    let _ = process.set_parent(Context::new().with_remote_span_context(remote(context)));
    process
}

/// Notes to how many connections of this replica it went.
pub fn processed(process: &Span, recipients: usize) {
    if !process.is_disabled() {
        process.record("parley.recipients", number(recipients));
    }
}

/// Unsigned numbers would be exported as text.
fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn span_context(span: &Span) -> SpanContext {
    span.context().span().span_context().clone()
}

/// Where a span stands, if anyone records it.
fn recorded(span: &Span) -> Option<SpanContext> {
    if span.is_disabled() {
        return None;
    }
    Some(span_context(span)).filter(SpanContext::is_sampled)
}

/// Also of one that nobody records: the others are not to begin a trace.
fn travelling(span: &Span) -> Option<TraceContext> {
    let context = Some(span_context(span)).filter(SpanContext::is_valid)?;
    Some(TraceContext {
        trace_id: context.trace_id().to_bytes(),
        span_id: context.span_id().to_bytes(),
        sampled: context.is_sampled(),
    })
}

fn remote(context: TraceContext) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(context.trace_id),
        SpanId::from_bytes(context.span_id),
        TraceFlags::default().with_sampled(context.sampled),
        true,
        TraceState::default(),
    )
}

/// The headers that name a caller's trace.
struct Caller<'a> {
    traceparent: Option<&'a str>,
    tracestate: Option<&'a str>,
}

impl Extractor for Caller<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent,
            "tracestate" => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

#[cfg(test)]
#[path = "traces_tests.rs"]
mod tests;
