//! Group commit without a timer: a writer takes whatever has queued while the
//! last commit was under way, many conversations and many senders, into one
//! transaction. An idle system commits at once; a busy one commits less often
//! than it is sent to.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tracing::Span;

use crate::{
    hub::Hub,
    metrics::Metrics,
    model::*,
    problem::{Code, Problem},
    shutdown::Shutdown,
    store::{Appended, NewMessage, Store},
    telemetry::traces,
};

/// Messages in one transaction.
const BATCH: usize = 256;
/// Messages waiting for one writer; more are refused as retryable.
const QUEUE: usize = 4_096;
/// Of text waiting for all writers, in KiB; likewise.
const QUEUE_KIB: usize = 32 * 1024;
/// Writers on Postgres; SQLite has one writer anyway.
const POSTGRES_WRITERS: usize = 2;

type Outcome = Result<(SendAck, Option<Message>), Problem>;

/// Queues to the writers; a conversation always goes to the same one, so its
/// messages are told in the order they were committed.
pub(super) struct Writer {
    queues: Vec<mpsc::Sender<Job>>,
    room: Arc<Semaphore>,
}

struct Job {
    message: NewMessage,
    outcome: oneshot::Sender<Outcome>,
    /// Its `message.send`.
    span: Span,
    /// Until it is written.
    room: OwnedSemaphorePermit,
}

/// A message with its place in the queue.
pub(super) struct Queued(oneshot::Receiver<Outcome>);

impl Queued {
    pub(super) async fn outcome(self) -> Outcome {
        self.0.await.unwrap_or_else(|_| {
            let detail = "The replica stopped while sending. Repeat the same request.";
            Err(Problem::new(Code::OutcomeUnknown, detail))
        })
    }
}

impl Writer {
    pub(super) fn start(store: &Store, hub: &Hub, metrics: &Metrics, shutdown: &Shutdown) -> Self {
        let writers = if store.is_postgres() { POSTGRES_WRITERS } else { 1 };
        let start = |_| {
            let (queue, jobs) = mpsc::channel(QUEUE);
            let (store, hub, metrics) = (store.clone(), hub.clone(), metrics.clone());
            shutdown.supervise("writer", write(jobs, store, hub, metrics, shutdown.clone()));
            queue
        };
        let room = Arc::new(Semaphore::new(QUEUE_KIB));
        Self { queues: (0..writers).map(start).collect(), room }
    }

    pub(super) fn queue(&self, message: NewMessage, span: Span) -> Result<Queued, Problem> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(message.conversation_id);
        let index = usize::try_from(hash).unwrap_or_default() % self.queues.len();
        let overloaded = || {
            let detail = "Too many messages are waiting to be written; send it again shortly.";
            Problem::new(Code::Overloaded, detail).after(Duration::from_millis(500))
        };
        let kib = u32::try_from(message.body.len().div_ceil(1024)).unwrap_or(u32::MAX);
        let room = self.room.clone().try_acquire_many_owned(kib).map_err(|_| overloaded())?;
        let (outcome, receiver) = oneshot::channel();
        let job = Job { message, outcome, span, room };
        self.queues[index].try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => overloaded(),
            TrySendError::Closed(_) => {
                let detail = "This replica is going away; send it again.";
                Problem::new(Code::Draining, detail).after(Duration::from_millis(500))
            }
        })?;
        Ok(Queued(receiver))
    }
}

/// Writes until the replica is killed; what was queued by then is still written.
async fn write(
    mut jobs: mpsc::Receiver<Job>,
    store: Store,
    hub: Hub,
    metrics: Metrics,
    shutdown: Shutdown,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            taken = jobs.recv_many(&mut batch, BATCH) => if taken == 0 { return },
            () = shutdown.killed() => return,
        }
        let append = traces::store_append(batch.iter().map(|job| &job.span));
        let (messages, senders): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|job| (job.message, (job.outcome, job.span, job.room))).unzip();
        let begun = Instant::now();
        let commit = async { store.append(&messages).await.map_err(Problem::from) };
        let appended = match traces::within(append, commit).await {
            Ok(appended) => appended,
            Err(problem) => {
                for (outcome, ..) in senders {
                    metrics.message_rejected(problem.code.code());
                    // A sender that went away asks again with the same id.
                    let _ = outcome.send(Err(problem.clone()));
                }
                continue;
            }
        };
        let took = begun.elapsed();

        let mut told = Vec::with_capacity(messages.len());
        let mut answers = Vec::with_capacity(messages.len());
        let results = messages.into_iter().zip(appended).zip(senders);
        for ((message, appended), (outcome, span, _room)) in results {
            let answer = appended.map_err(Problem::from).map(|appended| {
                let (ack, entry) = settle(message, appended);
                let message = entry.as_ref().map(|entry| entry.message.clone());
                if let Some(entry) = entry {
                    let topic = Topic::Conversation(ack.conversation_id);
                    told.push((ack.created_at, topic, Event::Entry(Entry::encode(entry)), span));
                }
                (ack, message)
            });
            if let Err(problem) = &answer {
                metrics.message_rejected(problem.code.code());
            }
            answers.push((outcome, answer));
        }
        let repeated =
            answers.iter().filter(|(_, a)| a.as_ref().is_ok_and(|(ack, _)| ack.duplicate));
        repeated.for_each(|_| metrics.message_repeated());
        if !told.is_empty() {
            metrics.batch_committed(told.len(), took);
        }
        let accepted_at = told.first().map(|(at, ..)| *at);
        if let Some(accepted_at) = accepted_at {
            let events = told.into_iter().map(|(_, topic, event, span)| (topic, event, span));
            hub.announce_traced(accepted_at, events);
        }
        for (outcome, answer) in answers {
            let _ = outcome.send(answer);
        }
    }
}

/// The answer for one message, and its entry if this batch wrote it.
fn settle(message: NewMessage, appended: Appended) -> (SendAck, Option<LogEntry>) {
    let ack = |seq, message_id, created_at, duplicate| SendAck {
        conversation_id: message.conversation_id,
        seq,
        message_id,
        client_msg_id: message.client_msg_id,
        created_at,
        duplicate,
    };
    match appended {
        Appended::Repeat { seq, message_id, created_at } => {
            (ack(seq, message_id, created_at, true), None)
        }
        Appended::New { seq, prev_event_id } => {
            let ack = ack(seq, message.event_id, message.created_at, false);
            let message = Message {
                id: message.event_id,
                conversation_id: message.conversation_id,
                seq,
                kind: MessageKind::Text,
                sender_id: message.sender_id,
                client_msg_id: Some(message.client_msg_id),
                body: Some(message.body),
                reply_to_seq: message.reply_to_seq,
                created_at: message.created_at,
                edited_at: None,
                deleted_at: None,
                updated_seq: seq,
                system: None,
            };
            let event_id = message.id;
            (ack, Some(LogEntry { seq, event_id, prev_event_id, message, change: None }))
        }
    }
}
