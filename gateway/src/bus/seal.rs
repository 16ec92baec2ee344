//! What makes an envelope one of ours. *Write access to Redis must not forge a
//! message*: every envelope carries an HMAC that only replicas can make.

use std::sync::Arc;

use aws_lc_rs::hmac;

/// The keys that replicas share, newest in force first. Asked for every
/// envelope: answering must be cheap.
pub trait SealKeys: Send + Sync + 'static {
    /// The key to seal with, and its name.
    fn signing(&self) -> (String, Arc<hmac::Key>);

    /// The key of a name, if it still counts.
    fn find(&self, kid: &str) -> Option<Arc<hmac::Key>>;
}

/// Bytes of a seal: HMAC-SHA256.
pub(super) const SEAL_BYTES: usize = 32;

/// Seals `content` for one channel: moved to another, it does not verify.
pub(super) fn seal(key: &hmac::Key, channel: &str, content: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    cover(&mut context, channel, content);
    context.sign()
}

pub(super) fn verifies(key: &hmac::Key, channel: &str, content: &[u8], seal: &[u8]) -> bool {
    let mut context = hmac::Context::with_key(key);
    cover(&mut context, channel, content);
    aws_lc_rs::constant_time::verify_slices_are_equal(context.sign().as_ref(), seal).is_ok()
}

fn cover(context: &mut hmac::Context, channel: &str, content: &[u8]) {
    // The length keeps the border between the two where it is.
    context.update(&(channel.len() as u64).to_be_bytes());
    context.update(channel.as_bytes());
    context.update(content);
}
