//! Bodies of the REST API.

use serde::{Deserialize, Serialize};

use super::*;

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
        #[serde(deny_unknown_fields)]
        #[ts(optional_fields = nullable)]
        pub struct $name { $($body)* }
    )*};
}

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
        pub struct $name { $($body)* }
    )*};
}

requests! {
    RegisterRequest {
        /// 1 to 32 of `a-z A-Z 0-9 . _ -`, unique without regard to case.
        pub username: String,
        /// 8 to 128 characters.
        pub password: Secret,
        /// 1 to 64 characters; the username when absent.
        pub display_name: Option<String>,
        /// What the list of devices calls this one; 1 to 64 characters.
        pub device_label: Option<String>,
    }
    LoginRequest {
        pub username: String,
        pub password: Secret,
        pub device_label: Option<String>,
        /// With `device_secret`, of an earlier login of this account: a known
        /// device is not locked out by the guesses of strangers.
        pub device_id: Option<DeviceId>,
        pub device_secret: Option<Secret>,
    }
    /// The body may be left out altogether: a browser's token is in its cookie.
    #[derive(Default)]
    RefreshRequest { pub refresh_token: Option<Secret> }
    ChangePassword {
        pub current_password: Secret,
        /// 8 to 128 characters.
        pub new_password: Secret,
    }
    DeleteAccount { pub password: Secret }
    PatchUser {
        /// 1 to 64 characters.
        pub display_name: String,
    }
    CreateConversation {
        pub kind: ConversationKind,
        /// Groups only: makes the creation idempotent for this creator.
        pub client_id: Option<ClientId>,
        /// Groups only; 1 to 120 characters.
        pub title: Option<String>,
        /// The others; exactly one for a direct conversation, at most 100.
        pub participant_ids: Vec<UserId>,
        /// Groups only: whether who joins later sees what was said before.
        pub share_history: Option<bool>,
    }
    PatchConversation { pub title: String }
    PatchMembership { pub muted: Option<bool>, pub pinned: Option<bool> }
    AddParticipants {
        /// 1 to 100; those who are members already are left as they are.
        pub user_ids: Vec<UserId>,
    }
    PatchParticipant { pub role: Role }
    PostMessage {
        pub client_msg_id: ClientMessageId,
        pub body: String,
        pub reply_to_seq: Option<Seq>,
    }
    PatchMessage { pub body: String }
    PostRead { pub seq: Seq }
    SyncRequest {
        /// At most 500.
        pub cursors: Cursors,
    }
}

/// One page of a list; `next` is an opaque cursor, null on the last page.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

answers! {
    /// What a registration and a login answer.
    AuthResponse {
        pub access_token: Secret,
        /// Null for a browser, which has it in an `HttpOnly` cookie.
        pub refresh_token: Option<Secret>,
        /// Always `Bearer`.
        pub token_type: String,
        /// Seconds that the access token is valid for.
        pub expires_in: u64,
        /// Shown this once: see `device_secret` of the login.
        pub device_secret: Secret,
        pub user: User,
        pub device: Device,
    }
    /// What a refresh answers; the fields mean what they mean there.
    TokenResponse {
        pub access_token: Secret,
        pub refresh_token: Option<Secret>,
        pub token_type: String,
        pub expires_in: u64,
    }
    /// For `/ws?token=`: valid once.
    Ticket {
        pub ticket: Secret,
        /// Seconds.
        pub expires_in: u64,
    }
    /// A stretch of history, ascending. `range` is the part of the log it
    /// covers: the seqs of messages alone are not dense.
    History {
        pub messages: Vec<Message>,
        pub range: SeqRange,
        pub has_more_before: bool,
        pub has_more_after: bool,
    }
    /// Inclusive at both ends; empty when `to_seq` is below `from_seq`.
    SeqRange { pub from_seq: Seq, pub to_seq: Seq }
    SyncResponse {
        pub conversations: Vec<SyncConversation>,
        /// False: ask again with the cursors moved on.
        pub complete: bool,
    }
    SyncConversation {
        pub id: ConversationId,
        pub status: SyncStatus,
        /// Null when `gone`.
        pub conversation: Option<Conversation>,
        /// The frames the socket would send, in order.
        #[schema(value_type = Vec<ServerFrame>)]
        #[ts(as = "Vec<ServerFrame>")]
        pub events: Vec<Box<serde_json::value::RawValue>>,
        pub complete: bool,
    }
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// `events` continue the cursor.
    Ok,
    /// Drop every cached message of it and start from `conversation`.
    Reset,
    /// No longer, or never, a member.
    Gone,
    /// Joined since; `events` start at `joined_seq`.
    New,
}
