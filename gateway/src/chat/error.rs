//! What the store could not or would not do, in the words of the contract.

use std::time::Duration;

use crate::{
    problem::{Code, Problem},
    store::{Refusal, StoreError},
};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => refusal.into(),
            StoreError::Unavailable(reason) => {
                tracing::warn!(reason, "the database did not answer");
                let detail = "The database cannot be reached just now; nothing was changed.";
                Problem::new(Code::Unavailable, detail).after(Duration::from_secs(1))
            }
            StoreError::OutcomeUnknown => {
                tracing::warn!("a commit's outcome is unknown");
                let detail = "The connection to the database was lost while committing. Repeat \
                              the same request to learn what happened.";
                Problem::new(Code::OutcomeUnknown, detail).after(Duration::from_secs(1))
            }
            StoreError::Unexpected(reason) => {
                tracing::warn!(reason, "unexpected answer from the database");
                Problem::new(Code::Internal, "Something went wrong here; it has been logged.")
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let says = |code| Problem::new(code, format!("{refusal}."));
        match refusal {
            Refusal::NotFound => Problem::not_found(),
            Refusal::Forbidden(why) => Problem::forbidden(why),
            Refusal::Conflict(why) => Problem::new(Code::Conflict, why),
            Refusal::UnknownUser(_) => Problem::field("user_ids", refusal.to_string()),
            Refusal::UsernameTaken => says(Code::UsernameTaken),
            Refusal::ClientMessageIdReused => says(Code::ClientMsgIdReused),
            Refusal::ClientIdReused => says(Code::ClientIdReused),
            Refusal::BadReply => Problem::field("reply_to_seq", refusal.to_string()),
            Refusal::TooMany(..) => says(Code::Conflict),
        }
    }
}
