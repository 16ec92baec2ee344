//! Logs: JSON lines when standard output is not a terminal, text else. What is
//! logged never holds a body, a token or a password.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::LogFormat;

/// Where lines go: `serve` logs to standard output, commands keep that for
/// their answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout,
    Stderr,
}

/// Starts logging for the whole process; a second call does nothing.
pub fn init(level: &str, format: LogFormat, output: Output) {
    // sqlx logs each statement at its own level; the errors that matter are
    // logged where they are handled.
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = match output {
        Output::Stdout => std::io::stdout().is_terminal(),
        Output::Stderr => std::io::stderr().is_terminal(),
    };
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal && output == Output::Stdout,
    };
    let writer = move || -> Box<dyn std::io::Write> {
        match output {
            Output::Stdout => Box::new(std::io::stdout()),
            Output::Stderr => Box::new(std::io::stderr()),
        }
    };
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        let layer = fmt::layer().json().flatten_event(true).with_current_span(true);
        registry.with(layer.with_span_list(false).with_writer(writer)).try_init()
    } else {
        registry.with(fmt::layer().with_ansi(terminal).with_writer(writer)).try_init()
    };
    if started.is_ok() {
        log_panics();
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
