//! Links to Redis: how the bus and the cache reach it, and whether it answers.
//!
//! *Nothing waits for a Redis that does not answer*: every command has a time
//! limit, the first that is not answered takes the link down, and from then on
//! commands fail at once until a ping comes back.

mod link;
mod script;

pub use link::{BadUrl, Link, Unavailable};
pub use script::Script;

/// What the rooms above build commands from.
pub use fred;
