//! Lua that runs inside Redis: several steps that must not be torn apart, in
//! one round trip, by Redis' own clock.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use fred::{
    prelude::*,
    types::{ClusterHash, CustomCommand},
};

use super::link::Asking;

/// A script, named by its digest once Redis has seen it.
pub struct Script {
    source: &'static str,
    sha1: LazyLock<String, Box<dyn FnOnce() -> String + Send>>,
}

impl Script {
    pub fn new(source: &'static str) -> Self {
        let sha1 = move || {
            let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, source.as_bytes());
            digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
        };
        Self { source, sha1: LazyLock::new(Box::new(sha1)) }
    }

    /// Runs it; the first key says on which node of a cluster, and the others
    /// must lie there too. Sent as a plain command: the library would not
    /// pipeline its own EVALSHA.
    pub async fn run<T: FromValue>(
        &self,
        redis: &Asking,
        keys: &[String],
        arguments: impl IntoIterator<Item = Value>,
    ) -> FredResult<T> {
        let slot = keys.first().map_or(ClusterHash::Random, |key| {
            ClusterHash::Custom(fred::util::redis_keyslot(key.as_bytes()))
        });
        let mut call: Vec<Value> = vec![self.sha1.as_str().into(), (keys.len() as i64).into()];
        call.extend(keys.iter().map(|key| Value::from(key.as_str())));
        call.extend(arguments);
        let by_digest = CustomCommand::new_static("EVALSHA", slot.clone(), false);
        match redis.custom(by_digest, call.clone()).await {
            Err(why) if why.details().starts_with("NOSCRIPT") => {
                call[0] = self.source.into();
                redis.custom(CustomCommand::new_static("EVAL", slot, false), call).await
            }
            answer => answer,
        }
    }
}
