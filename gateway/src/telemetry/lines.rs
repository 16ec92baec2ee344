//! A line of the log as JSON, with the ids of the trace it was written in.

use std::fmt;

use opentelemetry::{Context, trace::TraceContextExt};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, Layer,
        format::{Format, Json, JsonFields, Writer},
    },
    registry::LookupSpan,
};

/// The layer that writes them.
pub(super) fn json<S>() -> Layer<S, JsonFields, WithTrace>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true);
    layer.with_current_span(true).with_span_list(false).map_event_format(WithTrace)
}

/// Adds `trace_id` and `span_id` to what is written within a recorded span.
pub(super) struct WithTrace(Format<Json>);

impl<S, N> FormatEvent<S, N> for WithTrace
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Of the span that was entered last: its layer keeps it there.
        let span = Context::map_current(|current| current.span().span_context().clone());
        if !span.is_sampled() {
            return self.0.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let Some(fields) = line.trim_end().strip_suffix('}') else {
            return writer.write_str(&line);
        };
        let (trace_id, span_id) = (span.trace_id(), span.span_id());
        writeln!(writer, r#"{fields},"trace_id":"{trace_id}","span_id":"{span_id}"}}"#)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::Arc,
    };

    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use parking_lot::Mutex;
    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::{model::ConversationId, telemetry::traces};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// One line within a span and one after it.
    fn written(sampler: Sampler) -> Vec<Value> {
        let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::registry()
            .with(traces::layer(&provider))
            .with(json().with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let send = traces::message_send(ConversationId::new());
            send.in_scope(|| tracing::info!(n = 1, "inside"));
            tracing::info!(n = 2, "outside");
        });
        let text = String::from_utf8(written.0.lock().clone()).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn a_line_within_a_recorded_span_names_it() {
        let lines = written(Sampler::AlwaysOn);
        assert_eq!((&lines[0]["message"], &lines[0]["n"]), (&"inside".into(), &1.into()));
        assert_eq!(lines[0]["trace_id"].as_str().map(str::len), Some(32));
        assert_eq!(lines[0]["span_id"].as_str().map(str::len), Some(16));
        assert_eq!((lines[1].get("trace_id"), lines[1].get("span_id")), (None, None));
    }

    #[test]
    fn a_line_within_a_span_that_nobody_records_does_not() {
        let lines = written(Sampler::AlwaysOff);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.get("trace_id").is_none()), "{lines:?}");
    }
}
