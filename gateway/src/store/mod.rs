//! The truth: users, conversations, messages and read marks, on Postgres or
//! SQLite. The only room that names sqlx.
//!
//! Operations are verbs of the domain, each one transaction, and no transaction
//! leaves this room. Each runs to its end in a task of its own, whoever stops
//! waiting for it. An operation is written once: statements are type-checked
//! for both databases by the macros in `sql`, and where the databases truly
//! differ (appending, the feed, migrations) the two arms stand side by side.

mod accounts;
mod append;
mod append_postgres;
mod append_sqlite;
mod changes;
mod codec;
mod conversations;
mod devices;
mod error;
mod feed;
mod history;
mod locked;
mod log;
mod marks;
mod members;
mod message;
mod migrate;
mod open;
mod rules;
mod sql;
mod summaries;
mod types;
mod unread;
mod views;
mod work;

pub use crate::model::Topic;
pub use types::*;

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `sqlite://…` or `postgres://…`.
    pub url: String,
    /// Postgres: connections in the general pool (the writers have their own).
    pub max_connections: u32,
    pub connect_timeout: std::time::Duration,
}

/// Handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    pools: open::Pools,
}

/// Migrations by version and name.
#[derive(Clone, Debug, Default)]
pub struct SchemaStatus {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
    /// Known to the database, not to this binary.
    pub ahead: Vec<String>,
}
