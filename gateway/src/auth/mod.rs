//! Accounts and sessions.
mod password;
mod settings;
pub use password::Passwords;
pub use settings::*;
