pub mod auth;
pub mod cache;
pub mod chat;
pub mod clock;
pub mod http;
pub mod model;
pub mod problem;
pub mod store;
