//! The contract's numbers. Clients are written against them; what an operator
//! may change stands in the configuration instead.

use std::time::Duration;

pub const BODY_CHARS: usize = 4_000;
pub const BODY_BYTES: usize = 16 * 1024;
pub const TITLE_CHARS: usize = 120;
pub const DISPLAY_NAME_CHARS: usize = 64;
pub const USERNAME_MIN: usize = 1;
pub const USERNAME_MAX: usize = 32;
pub const PASSWORD_MIN: usize = 8;
pub const PASSWORD_MAX: usize = 128;
pub const LABEL_CHARS: usize = 64;
pub const FRAME_BYTES: usize = 64 * 1024;
pub const FRAME_ID_CHARS: usize = 64;
pub const CURSORS: usize = 500;
pub const WATCHED_USERS: usize = 200;
pub const ADDED_AT_ONCE: usize = 100;
pub const PREVIEW_CHARS: usize = 200;
pub const INLINE_PARTICIPANTS: usize = 8;
pub const PAGE_DEFAULT: i64 = 50;
pub const PAGE_MAX: i64 = 200;
/// Unread counts stop here; shown as "99+".
pub const UNREAD_CAP: i64 = 100;
/// A cursor further back than this is reset rather than replayed.
pub const RESUME_ENTRIES: i64 = 1_000;
pub const SYNC_EVENTS: usize = 1_000;
/// Of the events of one answer; the last one may go beyond.
pub const SYNC_BYTES: usize = 1024 * 1024;
/// What the clocks of two replicas may differ by.
pub const CLOCK_LEEWAY: Duration = Duration::from_secs(60);
/// Memberships of one user.
pub const CONVERSATIONS: i64 = 2_000;
/// Members of one group.
pub const PARTICIPANTS: i64 = 5_000;
/// Above this, reads and typing are not told to the others.
pub const SMALL_GROUP: i64 = 100;
