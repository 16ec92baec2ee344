//! What tests of several rooms share.

use std::time::Duration;

pub mod postgres;

/// For what happens within a second or two: delivery, the feed, a reconnect.
pub const SOON: Duration = Duration::from_secs(10);

/// How often [`eventually`] looks.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` finds something; fails, naming `what`, after `limit`.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let search = async {
        loop {
            match look().await {
                Some(found) => return found,
                None => tokio::time::sleep(LOOK).await,
            }
        }
    };
    match tokio::time::timeout(limit, search).await {
        Ok(found) => found,
        Err(_) => panic!("not within {limit:?}: {what}"),
    }
}
