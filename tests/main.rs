//! One binary of integration tests: contracts first, then whole replicas.

mod store;
mod support;
