//! One binary for all integration tests: it is linked once.

mod support;

mod cli;
mod config;
mod generated;
mod repository;
mod server;
