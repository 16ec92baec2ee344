//! How long a test waits before it calls something broken: several times what
//! it takes on a busy machine, named after what is waited for.

use std::time::Duration;

/// A process prints, ends or begins to listen.
pub const PROCESS: Duration = Duration::from_secs(30);
/// An answer of a server that is running.
pub const ANSWER: Duration = Duration::from_secs(10);
/// What should happen at once: delivery, the feed, a reconnect.
pub const SOON: Duration = Duration::from_secs(10);
/// How long something must not happen to count as not happening.
pub const QUIET: Duration = Duration::from_millis(400);
/// The nodes of a Redis Cluster come to agree on something.
pub const REDIS_CLUSTER: Duration = Duration::from_secs(60);
/// After a run of faults everything under way is answered.
pub const FAULTS_SETTLED: Duration = Duration::from_secs(60);
