//! Spent tickets: a key each, for as long as the ticket would have been good.

use std::time::Duration;

use uuid::Uuid;

use super::RedisCache;
use crate::redis::{
    Unavailable,
    fred::{
        interfaces::KeysInterface,
        types::{Expiration, SetOptions},
    },
};

impl RedisCache {
    /// Whether this call spent it, rather than an earlier one.
    pub(in crate::cache) async fn spend_ticket(
        &self,
        ticket: Uuid,
        good_for: Duration,
    ) -> Result<bool, Unavailable> {
        let millis = i64::try_from(good_for.as_millis()).unwrap_or(i64::MAX).max(1);
        let set: Option<String> = self
            .link
            .ask(|redis| async move {
                let expire = Some(Expiration::PX(millis));
                redis.set(format!("ticket:{ticket}"), 1, expire, Some(SetOptions::NX), false).await
            })
            .await?;
        Ok(set.is_some())
    }
}
