pub mod chat;
pub mod clock;
pub mod model;
pub mod problem;
pub mod store;
