//! Logs: JSON lines when standard output is not a terminal, text else. What is
//! logged never holds a body, a token or a password. And the [`traces`] that a
//! replica hands to a collector, if it is told of one.

mod export;
mod lines;
mod repeats;
pub mod traces;

use std::io::IsTerminal;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Dispatch, Subscriber, warn};
use tracing_subscriber::{
    EnvFilter, Layer, fmt, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

pub use export::Export;
pub use repeats::report as report_repeats;

use crate::config::{Config, LogFormat};

/// Where lines go: `serve` logs to standard output, commands keep that for
/// their answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout,
    Stderr,
}

/// Starts logging for the whole process; a second call does nothing.
pub fn init(level: &str, format: LogFormat, output: Output) {
    start(level, format, output, None);
}

/// Starts logging for a replica, and exporting its traces if the environment
/// names a collector. Not to be called, nor its answer dropped, where futures
/// run: the exporter blocks.
pub fn init_replica(config: &Config) -> Export {
    let (provider, obstacle) = match export::provider(&config.replica) {
        Ok(provider) => (provider, None),
        Err(why) => (None, Some(why)),
    };
    start(&config.log_level, config.log_format, Output::Stdout, provider.as_ref());
    if let Some(why) = obstacle {
        warn!(why, "traces are off");
    }
    Export::new(provider)
}

fn start(level: &str, format: LogFormat, output: Output, provider: Option<&SdkTracerProvider>) {
    let terminal = match output {
        Output::Stdout => std::io::stdout().is_terminal(),
        Output::Stderr => std::io::stderr().is_terminal(),
    };
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal && output == Output::Stdout,
    };
    let look = Look { json, colours: terminal, output };
    if dispatch(level, look, provider).try_init().is_ok() {
        log_panics();
    }
}

/// How lines look, and where they go.
#[derive(Clone, Copy)]
struct Look {
    json: bool,
    colours: bool,
    output: Output,
}

fn dispatch(level: &str, look: Look, provider: Option<&SdkTracerProvider>) -> Dispatch {
    // sqlx logs each statement at its own level; the errors that matter are
    // logged where they are handled. The spans of traces are not for the log.
    let not_for_the_log = format!("{}=off", traces::TARGET);
    let filter = EnvFilter::try_new(format!("{level},{not_for_the_log}"))
        .unwrap_or_else(|_| EnvFilter::new(format!("info,{not_for_the_log}")));
    // A replica reports what was held back; commands do not live that long.
    let repeats = (look.output == Output::Stdout).then(repeats::layer);
    let registry = tracing_subscriber::registry().with(repeats);
    match provider {
        Some(provider) => {
            let lines = look.lines().with_filter(filter);
            registry.with(traces::layer(provider)).with(lines).into()
        }
        // The filter of the whole: what it does not want is off for good where
        // it stands. One of a layer, beside an absent one, would be asked at
        // every span.
        None => registry.with(filter).with(look.lines()).into(),
    }
}

impl Look {
    fn lines<S>(self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let writer = move || -> Box<dyn std::io::Write> {
            match self.output {
                Output::Stdout => Box::new(std::io::stdout()),
                Output::Stderr => Box::new(std::io::stderr()),
            }
        };
        match self.json {
            true => lines::json().with_writer(writer).boxed(),
            false => fmt::layer().with_ansi(self.colours).with_writer(writer).boxed(),
        }
    }
}

/// A panic is one line like any other, where it can be searched and counted.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, panic = message, "panicked");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ConversationId;

    #[test]
    fn spans_are_made_for_a_collector_only_whatever_is_logged() {
        for output in [Output::Stdout, Output::Stderr] {
            spans_are_for_a_collector_only(output);
        }
    }

    fn spans_are_for_a_collector_only(output: Output) {
        let look = Look { json: true, colours: false, output };
        let provider = SdkTracerProvider::builder().build();
        for level in ["error", "info", "trace", "info,parley=trace", "", "no level"] {
            for provider in [None, Some(&provider)] {
                let dispatch = dispatch(level, look, provider);
                tracing::dispatcher::with_default(&dispatch, || {
                    let span = traces::message_send(ConversationId::new());
                    assert_eq!(span.is_disabled(), provider.is_none(), "{level}");
                });
            }
        }
    }
}
