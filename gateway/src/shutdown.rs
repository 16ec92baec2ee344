//! How a replica ends: *drain*, which lets everybody leave in order, then
//! *kill*, after which nothing is waited for.
//!
//! A task that must live as long as the replica is [supervised](Shutdown::supervise):
//! should it end by itself, the process goes down with it. *A replica never
//! looks healthy while a part of it is dead.*

use std::{
    future::Future,
    io::IsTerminal,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

/// How long the supervised tasks get to end once nothing is left to do.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Handle to the end of this replica; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    kill: CancellationToken,
    /// What a drain waits for: sockets, and writes on their way.
    work: TaskTracker,
    /// What runs until the kill.
    supervised: TaskTracker,
    failure: Arc<OnceLock<String>>,
}

/// A part of the replica ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Died(pub String);

impl Shutdown {
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to drain; repeating it changes nothing.
    pub fn begin_drain(&self, why: &str) {
        if !self.drain.is_cancelled() {
            info!(why, "draining");
            self.drain.cancel();
        }
    }

    /// Ends everything now.
    pub fn begin_kill(&self) {
        self.drain.cancel();
        self.kill.cancel();
    }

    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Done once the drain has begun.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Done once nothing is waited for any more.
    pub async fn killed(&self) {
        self.kill.cancelled().await;
    }

    /// The token of the kill, for what takes one.
    pub fn kill_token(&self) -> CancellationToken {
        self.kill.clone()
    }

    /// Runs `work` to its end even when its caller goes away; a drain waits
    /// for it.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.work.spawn(work)
    }

    /// The tracker of what a drain waits for.
    pub fn work(&self) -> &TaskTracker {
        &self.work
    }

    /// For futures that somebody else spawns, such as upgraded sockets.
    pub fn track<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.work.track_future(work)
    }

    /// Tasks that a drain still waits for.
    pub fn working(&self) -> usize {
        self.work.len()
    }

    /// Runs a task that must not end before the replica does. It should return
    /// when it sees the drain or the kill; if it returns before, or panics at
    /// any time, the replica dies. The handle is for who waits for its end.
    pub fn supervise<F>(&self, name: &'static str, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shutdown = self.clone();
        self.supervised.spawn(async move {
            let outcome = tokio::spawn(task).await;
            match outcome {
                Ok(()) if shutdown.is_draining() => {}
                Ok(()) => shutdown.fail(format!("the task `{name}` ended unexpectedly")),
                Err(_) => shutdown.fail(format!("the task `{name}` panicked")),
            }
        })
    }

    /// Takes the replica down because a part of it is broken.
    pub fn fail(&self, why: String) {
        error!(why, "this replica cannot go on");
        // The first reason is the cause, later ones its consequences.
        let _ = self.failure.set(why);
        self.begin_kill();
    }

    /// Waits until the work has ended, the limit has passed or the kill came;
    /// whether the work has ended.
    pub async fn work_ended(&self, limit: Duration) -> bool {
        self.work.close();
        tokio::select! {
            ended = timeout(limit, self.work.wait()) => ended.is_ok(),
            () = self.killed() => false,
        }
    }

    /// The last step: ends the supervised tasks and tells whether one of them
    /// had died.
    pub async fn finish(&self) -> Result<(), Died> {
        self.begin_kill();
        self.supervised.close();
        if timeout(LAST_WORDS, self.supervised.wait()).await.is_err() {
            warn!(tasks = self.supervised.len(), "tasks did not end in time");
        }
        match self.failure.get() {
            Some(why) => Err(Died(why.clone())),
            None => Ok(()),
        }
    }
}

/// SIGTERM drains, a second one exits at once; Ctrl-C at a terminal is
/// immediate, elsewhere SIGINT counts as SIGTERM.
pub fn listen_for_signals(shutdown: &Shutdown) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let interactive = std::io::stdin().is_terminal();
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                Some(()) = terminate.recv() => "SIGTERM",
                Some(()) = interrupt.recv() => "SIGINT",
                else => return,
            };
            if shutdown.is_draining() {
                warn!(signal = name, "second signal: exiting at once");
                std::process::exit(1);
            }
            if name == "SIGINT" && interactive {
                info!("interrupted");
                shutdown.begin_kill();
            } else {
                shutdown.begin_drain(name);
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_takes_the_replica_down() {
        let shutdown = Shutdown::new();
        shutdown.supervise("feed", async {});
        shutdown.killed().await;
        let died = shutdown.finish().await.unwrap_err();
        assert_eq!(died.0, "the task `feed` ended unexpectedly");
    }

    #[tokio::test]
    async fn a_task_that_ends_by_the_drain_does_not() {
        let shutdown = Shutdown::new();
        let told = shutdown.clone();
        shutdown.supervise("feed", async move { told.draining().await });
        shutdown.begin_drain("test");
        assert_eq!(shutdown.finish().await, Ok(()));
    }

    #[tokio::test]
    async fn a_drain_waits_for_work_but_not_for_ever() {
        let shutdown = Shutdown::new();
        let (done, wait) = tokio::sync::oneshot::channel::<()>();
        let work = shutdown.spawn(wait);
        assert!(!shutdown.work_ended(Duration::from_millis(10)).await);
        assert_eq!(shutdown.working(), 1);
        drop(done);
        assert!(shutdown.work_ended(Duration::from_secs(10)).await);
        assert!(work.await.is_ok_and(|received| received.is_err()));
    }
}
