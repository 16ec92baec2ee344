//! The REST API as its clients meet it: shapes, rights, refusals, pages.

mod edge;
mod idempotence;
mod input;
mod pages;
mod rights;
mod routes;
mod strangers;
