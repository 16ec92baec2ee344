//! What the databases' errors mean to the domain.

use sqlx::{error::DatabaseError, sqlite::SqliteError};

use super::{Refusal, StoreError};

/// SQLSTATE classes that a retry, later or elsewhere, may cure: connections
/// (08), full disk, memory or connection slots (53), operator's doing (57),
/// conflicts between transactions (40).
const PASSING_CLASSES: [&str; 4] = ["08", "53", "57", "40"];

/// The same, single codes: lock not had in time, this server only reads, it is
/// still recovering, the transaction sat idle for too long.
const PASSING_CODES: [&str; 4] = ["55P03", "25006", "55000", "25P03"];

/// SQLite's primary result codes of the same kind: BUSY, LOCKED, READONLY,
/// IOERR, FULL, CANTOPEN.
const PASSING_SQLITE: [i32; 6] = [SQLITE_BUSY, 6, 8, SQLITE_IOERR, 13, 14];
const SQLITE_BUSY: i32 = 5;
const SQLITE_IOERR: i32 = 10;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::*;
        let passing = match &error {
            PoolTimedOut | PoolClosed | WorkerCrashed | Io(_) | Tls(_) | BeginFailed => true,
            Database(refused) => match sqlite_code(refused.as_ref()) {
                Some(code) => PASSING_SQLITE.contains(&code),
                None => refused.code().is_some_and(|code| {
                    PASSING_CODES.contains(&&*code)
                        || PASSING_CLASSES.iter().any(|class| code.starts_with(class))
                }),
            },
            _ => false,
        };
        match passing {
            true => StoreError::Unavailable(error.to_string()),
            false => StoreError::Unexpected(error.to_string()),
        }
    }
}

/// Of a statement that commits: whether it happened can only be told when the
/// server itself said no and lived on.
pub(super) fn committing(error: sqlx::Error) -> StoreError {
    use sqlx::Error::*;
    let unknown = match &error {
        Io(_) | Tls(_) | Protocol(_) | WorkerCrashed => true,
        Database(refused) => match sqlite_code(refused.as_ref()) {
            Some(code) => code == SQLITE_IOERR,
            // Lost connections, shutdowns and crashes. (57014 is a cancelled
            // statement, which is rolled back.)
            None => {
                refused.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
            }
        },
        _ => false,
    };
    match unknown {
        true => StoreError::OutcomeUnknown,
        false => error.into(),
    }
}

/// A lock that another transaction held for too long, or a deadlock.
pub(super) fn is_blocked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|refused| refused.code());
    code.is_some_and(|code| matches!(&*code, "55P03" | "40P01"))
}

/// Another connection has SQLite's lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlite_code) == Some(SQLITE_BUSY)
}

fn sqlite_code(error: &dyn DatabaseError) -> Option<i32> {
    let error = error.try_downcast_ref::<SqliteError>()?;
    let extended: i32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}

pub(super) fn too_many<T>(what: &'static str, limit: i64) -> Result<T, StoreError> {
    Err(Refusal::TooMany(what, limit).into())
}

/// What the log itself rules out.
pub(super) fn broken(what: impl Into<String>) -> StoreError {
    StoreError::Unexpected(what.into())
}
