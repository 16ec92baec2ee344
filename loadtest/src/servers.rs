//! Processes and ports are held here as the tests hold them.

#[path = "../../tests/support/ports.rs"]
pub mod ports;
#[path = "../../tests/support/run.rs"]
pub mod run;
