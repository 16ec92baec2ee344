//! The use cases. The only room that combines store, bus and cache, and the
//! only caller of the store's writing operations: what is written is told.

mod admission;
mod conversations;
mod error;
mod members;
mod messages;
mod page;
mod people;
mod presence;
mod reads;
mod send;
mod sync;
mod views;
mod writer;

pub use admission::{Admission, AdmissionSettings, Admitted};
pub use sync::{Start, start_of};

use std::{future::Future, sync::Arc, time::Duration};

use tracing::Instrument;

use crate::{
    cache::Cache,
    clock::Clock,
    hub::Hub,
    metrics::Metrics,
    model::*,
    problem::{Code, Problem},
    shutdown::Shutdown,
    store::{Store, Written},
};

/// Handle to the product; cheap to clone. *Whatever it starts to write runs to
/// its end, even when the caller goes away.*
#[derive(Clone)]
pub struct Chat {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    cache: Cache,
    hub: Hub,
    clock: Clock,
    metrics: Metrics,
    shutdown: Shutdown,
    writer: writer::Writer,
    notices: reads::Notices,
    accounts: people::Accounts,
    admission: Admission,
}

impl Chat {
    pub fn new(
        store: Store,
        cache: Cache,
        hub: Hub,
        clock: Clock,
        metrics: Metrics,
        shutdown: Shutdown,
        admission: AdmissionSettings,
    ) -> Self {
        let admission = Admission::new(admission, metrics.clone());
        let writer = writer::Writer::start(&store, &hub, &metrics, &shutdown);
        let notices = reads::Notices::default();
        let accounts = people::accounts(&store, &shutdown);
        let inner = Inner {
            store,
            cache,
            hub,
            clock,
            metrics,
            shutdown,
            writer,
            notices,
            accounts,
            admission,
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    pub fn shutdown(&self) -> &Shutdown {
        &self.inner.shutdown
    }

    /// Runs what writes in a task of its own: a client that disconnects must
    /// not leave half of it undone, nor a transaction open.
    pub async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        detached(&self.inner.shutdown, work).await
    }

    /// Tells what a change wrote: its entries to the conversation, and to the
    /// users it concerns that they should look.
    fn tell(&self, at: Timestamp, written: Written) {
        let entry = |entry: LogEntry| {
            let topic = Topic::Conversation(entry.message.conversation_id);
            (topic, Event::Entry(Entry::encode(entry)))
        };
        let changed = |user| (Topic::User(user), Event::Signal(Arc::new(Signal::Changed)));
        let entries = written.entries.into_iter().map(entry);
        let users = written.users.into_iter().map(changed);
        self.inner.hub.announce(at, entries.chain(users).collect());
    }
}

async fn detached<T: Send + 'static>(
    shutdown: &Shutdown,
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    shutdown.spawn(work.in_current_span()).await.unwrap_or_else(|error| {
        // It may have ended after its commit, while telling of it.
        tracing::error!(%error, "an operation ended abnormally");
        let detail = "The operation broke off. Repeat the same request to learn what happened.";
        Err(Problem::new(Code::OutcomeUnknown, detail).after(Duration::from_secs(1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_that_breaks_off_has_an_unknown_outcome() {
        let broken: Result<(), Problem> =
            detached(&Shutdown::new(), async { panic!("on purpose") }).await;
        let problem = broken.expect_err("no answer");
        assert_eq!((problem.code, problem.code.retryable()), (Code::OutcomeUnknown, true));
    }
}
