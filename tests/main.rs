//! One binary for all integration tests: it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

mod cli;
mod config;
mod generated;
mod repository;
mod serve;
mod server;
