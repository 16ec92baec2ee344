//! Where traces go: by OTLP over HTTP to the collector that the standard
//! `OTEL_*` variables name, on a thread of the exporter's own. *What becomes of
//! traces never touches a message.*

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::{info, warn};

use crate::version::VERSION;

/// How long the end of a replica waits for the last traces to be taken.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// A replica's export of traces, which may be none.
#[must_use = "flushed at the end"]
pub struct Export(Option<SdkTracerProvider>);

impl Export {
    pub(super) fn new(provider: Option<SdkTracerProvider>) -> Self {
        Self(provider)
    }

    /// Hands over what is left. Blocks, but not for long.
    pub fn flush(self) {
        let Some(provider) = self.0 else { return };
        if let Err(why) = provider.shutdown_with_timeout(FLUSH_LIMIT) {
            warn!(%why, "the last traces were not handed over");
        }
    }
}

/// What records spans and exports them; none unless the environment names a
/// collector. The sampler, limits, headers and timeouts are the environment's
/// too. An `Err` is a sentence on why the environment cannot be obeyed.
pub(super) fn provider(replica: &str) -> Result<Option<SdkTracerProvider>, String> {
    let Some((name, endpoint)) = endpoint() else { return Ok(None) };
    if !endpoint.starts_with("http://") {
        return Err(format!(
            "{name} must begin with http://: run a collector beside the gateway, which may speak \
             TLS to others"
        ));
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build();
    let exporter = Reporting::new(exporter.map_err(|why| why.to_string())?);
    let provider = SdkTracerProvider::builder().with_resource(resource(replica));
    Ok(Some(provider.with_batch_exporter(exporter).build()))
}

/// The variable that counts, and its value.
fn endpoint() -> Option<(&'static str, String)> {
    let value = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let says = |name, word: &str| value(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    if says("OTEL_SDK_DISABLED", "true") || says("OTEL_TRACES_EXPORTER", "none") {
        return None;
    }
    [TRACES_ENDPOINT, ENDPOINT].into_iter().find_map(|name| Some((name, value(name)?)))
}

/// Who speaks, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says
/// otherwise.
fn resource(replica: &str) -> Resource {
    let resource = Resource::builder_empty()
        .with_service_name("parley")
        .with_attribute(KeyValue::new("service.instance.id", replica.to_owned()))
        .with_attribute(KeyValue::new("service.version", VERSION))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name).build(),
        _ => resource.build(),
    }
}

/// Says when the collector stops taking traces, and when it takes them again;
/// not each time, for a collector that is away must not fill the log.
#[derive(Debug)]
struct Reporting<E> {
    exporter: E,
    failing: AtomicBool,
}

impl<E> Reporting<E> {
    fn new(exporter: E) -> Self {
        Self { exporter, failing: AtomicBool::new(false) }
    }
}

impl<E: SpanExporter> SpanExporter for Reporting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.exporter.export(batch).await;
        let failed_before = self.failing.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(why) if !failed_before => warn!(%why, "the collector does not take traces"),
            Ok(()) if failed_before => info!("the collector takes traces again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
