//! Identifiers. All are UUIDs; the ones made here are version 7, so that rows
//! written together lie together.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Position of an entry in a conversation's log: 1, 2, 3 … without holes.
pub type Seq = i64;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            utoipa::ToSchema, ts_rs::TS,
        )]
        #[ts(type = "string")]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new, time-ordered identifier.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(s).map(Self)
            }
        }
    )*};
}

ids! {
    /// A person.
    UserId,
    /// One login of a user; lives until revoked.
    DeviceId,
    /// A direct or group conversation.
    ConversationId,
    /// An entry of a conversation's log; for a message also the message's id.
    EventId,
    /// Chosen by the sender: makes a send idempotent for ever.
    ClientMessageId,
    /// Chosen by a group's creator: makes its creation idempotent.
    ClientId,
}

/// Who is asking, on every authenticated request and socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    pub user: UserId,
    pub device: DeviceId,
}
