//! Bugs on purpose: the fault test must find each of them, or what it does not
//! find proves nothing.
//!
//! Only a build with the feature `planted` can have one. Without it [`has`] is
//! constant, and what hangs on it is compiled out. Two more need no code:
//! `tests/faults/planted/*.sql` plants them in the database.

/// Stands in a binary that can misbehave, and in no other.
pub const MARKER: &str = "this gateway misbehaves on purpose";

/// Named by the environment variable `PLANTED_BUG`, in kebab-case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// One in three batches is not published, and the feed tells nothing.
    DroppedEnvelopes,
    /// Snapshots are read before the topics are joined, and live entries
    /// follow them whatever lies between.
    HistoryFirst,
    /// Unread counts are incremented in Redis for every send, and believed.
    HincrbyUnread,
    /// Messages are answered and told a moment before their commit.
    AckBeforeCommit,
    /// The first lag ends the listening for good, and the feed tells nothing.
    DiesOnLagged,
}

#[cfg(not(feature = "planted"))]
pub const fn has(_: Bug) -> bool {
    false
}

/// Whether this is the bug of this process.
#[cfg(feature = "planted")]
pub fn has(bug: Bug) -> bool {
    static PLANTED: std::sync::LazyLock<Option<Bug>> = std::sync::LazyLock::new(|| {
        let name = std::env::var("PLANTED_BUG").ok().filter(|name| !name.is_empty())?;
        let bug = match &*name {
            "dropped-envelopes" => Bug::DroppedEnvelopes,
            "history-first" => Bug::HistoryFirst,
            "hincrby-unread" => Bug::HincrbyUnread,
            "ack-before-commit" => Bug::AckBeforeCommit,
            "dies-on-lagged" => Bug::DiesOnLagged,
            _ => panic!("no bug is called {name:?}"),
        };
        tracing::warn!(%name, "{MARKER}");
        Some(bug)
    });
    *PLANTED == Some(bug)
}
