//! People and their devices.

use serde::{Deserialize, Serialize};

use super::{DeviceId, Timestamp, UserId};

/// A person as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct User {
    pub id: UserId,
    /// Unique, compared without case; 1 to 32 of `a-z A-Z 0-9 . _ -`.
    pub username: String,
    /// 1 to 64 characters.
    pub display_name: String,
    pub created_at: Timestamp,
}

/// One login of mine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Device {
    pub id: DeviceId,
    pub label: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// Whether it is the device that asks.
    pub current: bool,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum PresenceStatus {
    Online,
    Away,
    Offline,
    /// Presence cannot be told just now.
    Unknown,
}
