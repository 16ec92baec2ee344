//! Accounts and sessions over HTTP: who gets in, for how long, and what ends
//! it.

mod browsers;
mod farewell;
mod guesses;
mod sessions;
mod tokens;
