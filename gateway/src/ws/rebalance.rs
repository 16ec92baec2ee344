//! `/admin/rebalance`: part of the sockets go to other replicas, for operators.

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    routing::get,
};
use serde::{Deserialize, Serialize};

use crate::{
    hub::{Busy, Hub},
    problem::{Code, Problem},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    share: f64,
}

/// How far it is.
#[derive(Serialize)]
struct Progress {
    connections: usize,
    /// Those of them that a rebalance has chosen and that have not left yet.
    leaving: usize,
}

/// Of the admin listener: it asks nobody who they are.
pub fn rebalance_router(hub: Hub) -> Router {
    Router::new().route("/admin/rebalance", get(progress).post(begin)).with_state(hub)
}

async fn progress(State(hub): State<Hub>) -> Json<Progress> {
    Json(Progress { connections: hub.connections(), leaving: hub.rebalancing() })
}

async fn begin(
    State(hub): State<Hub>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<(StatusCode, Json<Progress>), Problem> {
    let share = parameters.map_or(f64::NAN, |Query(parameters)| parameters.share);
    if !(share > 0.0 && share <= 1.0) {
        return Err(Problem::field("share", "more than 0 and at most 1, such as 0.3"));
    }
    hub.rebalance(share).map_err(|busy| {
        let code = if busy == Busy::Draining { Code::Draining } else { Code::Conflict };
        Problem::new(code, format!("{busy}."))
    })?;
    Ok((StatusCode::ACCEPTED, progress(State(hub)).await))
}
