//! The signing keys, as what replicas know each other by on the bus.

use std::sync::Arc;

use aws_lc_rs::hmac;

use super::Keys;
use crate::{bus::SealKeys, clock::Clock};

/// Seals with keys derived from the deployment's: whoever may sign tokens may
/// speak on the bus, and a rotation takes both along.
pub struct BusKeys {
    pub keys: Keys,
    pub clock: Clock,
}

impl SealKeys for BusKeys {
    fn signing(&self) -> (String, Arc<hmac::Key>) {
        let key = self.keys.signing(self.clock.now());
        (key.kid.clone(), key.bus.clone())
    }

    fn find(&self, kid: &str) -> Option<Arc<hmac::Key>> {
        Some(self.keys.find(kid)?.bus.clone())
    }
}
