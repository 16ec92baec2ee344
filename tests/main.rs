//! One binary for all integration tests: it is linked once.

mod support;

mod cli;
mod config;
mod crash;
mod feed;
mod generated;
mod invariants;
mod replay;
mod repository;
mod server;
