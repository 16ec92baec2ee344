//! REST requests and the limits that refuse them.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use tracing::info;

use super::{
    Metrics,
    book::{Book, Counters, Histograms, Labels, SECONDS, label_set},
};

/// `route` is the pattern (`/users/{id}`), never the path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Served {
    route: String,
    method: String,
    status: u16,
}

impl Labels for Served {
    const NAMES: &'static [&'static str] = &["route", "method", "status"];
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Route {
    route: String,
}

impl Labels for Route {
    const NAMES: &'static [&'static str] = &["route"];
}

label_set!(Limit { limit });

pub(super) struct Requests {
    served: Counters<Served>,
    latency: Histograms<Route>,
    limited: Counters<Limit>,
}

impl Requests {
    pub(super) fn new(book: &mut Book) -> Self {
        Self {
            served: book.counters("http_requests", "Requests answered."),
            latency: book.histograms("http_request_seconds", SECONDS, "Time to answer a request."),
            limited: book.counters("rate_limited", "Requests and frames refused, by limit."),
        }
    }
}

impl Metrics {
    /// `route` is a route's pattern, or `unmatched`; unusual methods count as
    /// `OTHER`, so that no client can make labels.
    pub fn request_served(&self, route: &str, method: &str, status: u16, took: Duration) {
        let method = match method {
            "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
            _ => "OTHER",
        };
        let requests = &self.inner.requests;
        let served = Served { route: route.to_owned(), method: method.to_owned(), status };
        requests.served.get_or_create(&served).inc();
        let latency = requests.latency.get_or_create(&Route { route: route.to_owned() });
        latency.observe(took.as_secs_f64());
    }

    pub fn rate_limited(&self, limit: &'static str) {
        self.inner.requests.limited.get_or_create(&Limit { limit }).inc();
        info!(limit, "rate limited");
    }
}
