//! What an operator may change about accounts; the defaults are the contract's.

use std::time::Duration;

use crate::{cache::limits::Rule, model::limits};

/// What a token is given when another replica's clock may have dated it.
pub const LEEWAY: Duration = limits::CLOCK_LEEWAY;

#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// `PARLEY_REGISTRATION`: whether strangers may make an account.
    pub registration_open: bool,
    pub access_ttl: Duration,
    pub ticket_ttl: Duration,
    /// A device that has not refreshed for this long must log in again.
    pub refresh_ttl: Duration,
    /// How long the refresh token before the current one is still answered.
    pub refresh_grace: Duration,
    /// Living devices of one user; a login beyond them ends the one that was
    /// seen longest ago.
    pub max_devices: i64,
    pub passwords: PasswordSettings,
    pub rates: AuthRates,
}

/// Bounds of the password hashing: memory is `workers` × 19 MiB.
#[derive(Clone, Copy, Debug)]
pub struct PasswordSettings {
    pub workers: usize,
    /// Who may wait for a worker; the next is told that the service is busy.
    pub queue: usize,
}

/// Attempts, each key with its own count. Those of a login count when they
/// fail.
#[derive(Clone, Copy, Debug)]
pub struct AuthRates {
    pub login_per_account: Rule,
    /// Of a login that proves to come from a device known to the account:
    /// instead of the other two.
    pub login_per_device: Rule,
    pub login_per_address: Rule,
    pub register_per_address: Rule,
    pub refresh_per_device: Rule,
    /// Guesses at the current password by who is signed in.
    pub password_per_user: Rule,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            registration_open: true,
            access_ttl: 15 * MINUTE,
            ticket_ttl: Duration::from_secs(30),
            refresh_ttl: 30 * 24 * 60 * MINUTE,
            refresh_grace: Duration::from_secs(30),
            max_devices: 100,
            passwords: PasswordSettings::default(),
            rates: AuthRates::default(),
        }
    }
}

impl Default for PasswordSettings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { workers: cores.min(4), queue: 64 }
    }
}

impl Default for AuthRates {
    fn default() -> Self {
        Self {
            login_per_account: Rule::new(10, 15 * MINUTE),
            login_per_device: Rule::new(10, 15 * MINUTE),
            login_per_address: Rule::new(50, 15 * MINUTE),
            register_per_address: Rule::new(20, 60 * MINUTE),
            // Above 50, so that a page that fires 50 at once is not refused.
            refresh_per_device: Rule::new(120, 2 * MINUTE),
            password_per_user: Rule::new(10, 15 * MINUTE),
        }
    }
}
