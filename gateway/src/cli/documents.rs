//! `gateway openapi`, `asyncapi` and `metrics`: documents made from the code.

use super::{Failure, say};
use crate::metrics::Metrics;

pub fn openapi() -> Result<(), Failure> {
    say(&pretty(&crate::http::openapi())?);
    Ok(())
}

pub fn asyncapi() -> Result<(), Failure> {
    say(&pretty(&crate::ws::asyncapi())?);
    Ok(())
}

fn pretty(document: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(document).map_err(|why| Failure::runtime(why.to_string()))
}

pub fn metrics() -> Result<(), Failure> {
    say(&Metrics::new().table());
    Ok(())
}
