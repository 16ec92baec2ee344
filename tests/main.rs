//! One binary for all integration tests: it is linked once. Contracts first,
//! then whole replicas, then the repository and the rig themselves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

mod bus;
mod cache;
mod store;

mod accounts;
mod canary;
mod cli;
mod config;
mod crash;
mod documents;
mod drain;
mod fanout;
mod faults;
mod feed;
mod invariants;
mod model;
mod outage;
mod overload;
mod replay;
mod rest;
mod rotation;
mod serve;
mod server;
mod socket;
mod tls;
mod traces;

mod generated;
mod repository;
mod rig;
