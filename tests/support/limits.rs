//! How long a test waits before it calls something broken: several times what
//! it takes on a busy machine, named after what is waited for.

use std::time::Duration;

/// A process prints, ends or begins to listen.
pub const PROCESS: Duration = Duration::from_secs(30);
/// An answer of a server that is running.
pub const ANSWER: Duration = Duration::from_secs(10);
