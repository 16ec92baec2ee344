//! The one table of errors: what happened → HTTP status, stable code, whether
//! a retry can help. REST answers it as `application/problem+json`, the socket
//! as an `error` frame, with the same codes.

use std::{borrow::Cow, time::Duration};

use crate::model::InvalidField;

/// Why something was refused or could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    /// One sentence for a person; never a secret, never another user's data.
    pub detail: Cow<'static, str>,
    /// The request's field that is to blame.
    pub field: Option<&'static str>,
    pub retry_after: Option<Duration>,
    /// Where the text stopped making sense. This may be logged, `detail` may
    /// not: it quotes what came.
    pub misread: Option<Misread>,
}

/// A place in JSON that could not be read, without anything of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misread {
    category: serde_json::error::Category,
    line: usize,
    column: usize,
}

impl From<&serde_json::Error> for Misread {
    fn from(error: &serde_json::Error) -> Self {
        Self { category: error.classify(), line: error.line(), column: error.column() }
    }
}

impl std::fmt::Display for Misread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { category, line, column } = self;
        write!(f, "{category:?} at line {line}, column {column}")
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, retryable: $retryable:literal, $title:literal;)*) => {
        /// Stable codes; clients branch on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($name),* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name),*];
            pub fn code(self) -> &'static str { match self { $(Code::$name => $code),* } }
            pub fn status(self) -> u16 { match self { $(Code::$name => $status),* } }
            pub fn retryable(self) -> bool { match self { $(Code::$name => $retryable),* } }
            pub fn title(self) -> &'static str { match self { $(Code::$name => $title),* } }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", 400, retryable: false, "The request is not well formed";
    InvalidField = "invalid_field", 422, retryable: false, "A field breaks its rule";
    InvalidCursor = "invalid_cursor", 400, retryable: false, "The page cursor is not one of ours";
    Unauthenticated = "unauthenticated", 401, retryable: false, "Sign in first";
    TokenExpired = "token_expired", 401, retryable: false, "The access token has expired";
    SignedOut = "signed_out", 401, retryable: false, "This session has ended";
    BadCredentials = "bad_credentials", 401, retryable: false, "Wrong name or password";
    OriginRefused = "origin_refused", 403, retryable: false, "This origin may not connect";
    RegistrationClosed = "registration_closed", 403, retryable: false, "Registration is closed";
    Forbidden = "forbidden", 403, retryable: false, "You may not do this";
    NotFound = "not_found", 404, retryable: false, "There is no such thing here for you";
    MethodNotAllowed = "method_not_allowed", 405, retryable: false, "The path has no such method";
    UsernameTaken = "username_taken", 409, retryable: false, "The name is taken";
    ClientMsgIdReused = "client_msg_id_reused", 409, retryable: false,
        "The client_msg_id belongs to another message";
    ClientIdReused = "client_id_reused", 409, retryable: false,
        "The client_id belongs to another group";
    Conflict = "conflict", 409, retryable: false, "The current state does not allow this";
    PayloadTooLarge = "payload_too_large", 413, retryable: false, "The request is too large";
    UnsupportedMediaType = "unsupported_media_type", 415, retryable: false,
        "The body must be application/json";
    RateLimited = "rate_limited", 429, retryable: true, "Too many requests";
    Internal = "internal", 500, retryable: true, "Something went wrong here";
    Unavailable = "unavailable", 503, retryable: true, "The service cannot do this just now";
    OutcomeUnknown = "outcome_unknown", 503, retryable: true,
        "Whether it happened is unknown; repeat the same request";
    Overloaded = "overloaded", 503, retryable: true, "Too busy; try again shortly";
    Draining = "draining", 503, retryable: true, "This replica is going away; connect again";
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), field: None, retry_after: None, misread: None }
    }

    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "It does not exist, or you are not a member of it.")
    }

    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, detail)
    }

    /// JSON that is none, or not what was expected.
    pub fn misread(error: &serde_json::Error, detail: String) -> Self {
        Self { misread: Some(error.into()), ..Self::invalid(detail) }
    }

    pub fn field(field: &'static str, reason: impl Into<String>) -> Self {
        InvalidField { field, reason: reason.into() }.into()
    }

    pub fn rate_limited(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(Code::RateLimited, "Too many attempts; wait before the next one.")
        }
    }

    pub fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl From<InvalidField> for Problem {
    fn from(invalid: InvalidField) -> Self {
        let mut problem = Self::new(Code::InvalidField, invalid.to_string());
        problem.field = Some(invalid.field);
        problem
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.code(), self.detail)
    }
}

impl std::error::Error for Problem {}
