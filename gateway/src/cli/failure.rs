//! Why a command failed, and with which exit code.

use std::process::ExitCode;

use crate::{config::ConfigError, problem::Problem, startup::StartError, store::StoreError};

/// A sentence for standard error and an exit code.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    pub fn runtime(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }

    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 2 }
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<ConfigError> for Failure {
    fn from(why: ConfigError) -> Self {
        Self::usage(why.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(why: StartError) -> Self {
        Self { sentence: why.to_string(), code: why.exit_code() }
    }
}

impl From<StoreError> for Failure {
    fn from(why: StoreError) -> Self {
        let mut sentence = why.to_string();
        if let Some(first) = sentence.get(..1) {
            let first = first.to_uppercase();
            sentence.replace_range(..1, &first);
        }
        Self::runtime(sentence + ".")
    }
}

impl From<Problem> for Failure {
    fn from(why: Problem) -> Self {
        Self::runtime(why.detail)
    }
}
