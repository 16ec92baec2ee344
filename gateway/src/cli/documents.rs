//! `gateway openapi`, `asyncapi` and `metrics`: documents made from the code.

use super::{Failure, say};
use crate::metrics::Metrics;

pub fn openapi() -> Result<(), Failure> {
    // crate::http::openapi()
    Err(Failure::runtime("This build has no REST API yet."))
}

pub fn asyncapi() -> Result<(), Failure> {
    // crate::ws::asyncapi()
    Err(Failure::runtime("This build has no socket yet."))
}

pub fn metrics() -> Result<(), Failure> {
    say(&Metrics::new().table());
    Ok(())
}
