//! The cache that all replicas share. *Everything here may vanish at any
//! time*, and everything has an answer for when Redis is away: unread counts
//! are counted anew, presence is unknown, tickets are spent in the store.

mod limits;
mod presence;
mod tickets;
mod unread;

pub use limits::RedisLimits;

use crate::redis::{BadUrl, Link};

pub struct RedisCache {
    pub(super) link: Link,
    /// Tells this replica's leases from the others'.
    pub(super) replica: u64,
    pub(super) presence: presence::Shards,
}

impl RedisCache {
    /// Connects to nothing yet: whoever follows the link does.
    pub fn new(url: &str, replica: u64) -> Result<Self, BadUrl> {
        let link = Link::new("cache", url)?;
        Ok(Self { link, replica, presence: presence::Shards::default() })
    }

    pub fn link(&self) -> &Link {
        &self.link
    }
}
