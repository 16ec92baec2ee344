//! What is counted. Code does not touch counters: it reports a *happening*,
//! and the function for it logs and counts together, so the two never differ.
//!
//! Labels are bounded: causes, reasons, routes; never an id.

mod book;
mod bus;
mod chat;
mod connections;
mod process;
mod requests;
mod upkeep;

use std::sync::Arc;

use prometheus_client::registry::Registry;

use book::Book;
pub use book::Row;

/// Handle to the counters of one replica; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    rows: Vec<Row>,
    connections: connections::Connections,
    chat: chat::Chat,
    requests: requests::Requests,
    upkeep: upkeep::Upkeep,
    bus: bus::Bus,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let mut book = Book::new();
        let connections = connections::Connections::new(&mut book);
        let chat = chat::Chat::new(&mut book);
        let requests = requests::Requests::new(&mut book);
        let upkeep = upkeep::Upkeep::new(&mut book);
        let bus = bus::Bus::new(&mut book);
        let (registry, rows) = book.close();
        Self { inner: Arc::new(Inner { registry, rows, connections, chat, requests, upkeep, bus }) }
    }

    /// The text that Prometheus scrapes (OpenMetrics 1.0).
    pub fn render(&self) -> String {
        self.look();
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.inner.registry);
        text
    }

    /// Every metric: what dashboards and alerts may name.
    pub fn rows(&self) -> &[Row] {
        &self.inner.rows
    }

    /// The table of metrics for the documentation, in Markdown.
    pub fn table(&self) -> String {
        let mut table = String::from("| metric | kind | labels | |\n|---|---|---|---|\n");
        for row in self.rows() {
            // A label named like a keyword is a raw identifier in the code.
            let label = |label: &&str| format!("`{}`", label.trim_start_matches("r#"));
            let labels: Vec<_> = row.labels.iter().map(label).collect();
            let (name, kind, labels) = (row.exposed(), row.kind, labels.join(", "));
            table += &format!("| `{name}` | {kind} | {labels} | {} |\n", row.about);
        }
        table
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn happenings_are_counted() {
        let metrics = Metrics::new();
        metrics.connection_opened();
        metrics.connection_closed(crate::hub::Cause::Client);
        metrics.batch_committed(1, Duration::from_millis(2));
        metrics.request_served("/users/{id}", "GET", 200, Duration::from_millis(3));
        let text = metrics.render();
        for line in [
            "parley_connections 0",
            "parley_connections_opened_total 1",
            "parley_connections_closed_total{cause=\"client\",code=\"1000\"} 1",
            "parley_messages_accepted_total 1",
            "parley_http_requests_total{route=\"/users/{id}\",method=\"GET\",status=\"200\"} 1",
            "parley_build_info{",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn every_name_is_unique_and_ours() {
        let metrics = Metrics::new();
        let mut names: Vec<_> = metrics.rows().iter().map(|row| row.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(metrics.rows().iter().all(|row| row.exposed().starts_with("parley_")));
        assert!(
            metrics
                .table()
                .contains("| `parley_connections_closed_total` | counter | `cause`, `code` |")
        );
    }
}
