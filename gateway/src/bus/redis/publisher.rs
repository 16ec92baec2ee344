//! What goes out: whatever has queued while the last pipeline was under way,
//! in one pipeline.

use tokio::sync::{mpsc, oneshot};

use super::{super::wire, RedisBus, channel};
use crate::{
    model::Envelope,
    planted::{self, Bug},
    redis::{
        Unavailable,
        fred::{clients::Pipeline, interfaces::PubsubInterface, prelude::*},
    },
};

/// Envelopes in one pipeline.
const PIPELINE: usize = 512;

/// In the order it was handed over.
pub(super) enum Outgoing {
    Envelope(Envelope),
    /// Answered once everything before it is published; dropped if it was not.
    Marker(oneshot::Sender<()>),
}

impl RedisBus {
    pub(super) async fn publish_all(self, mut outgoing: mpsc::Receiver<Outgoing>) {
        let mut batch = Vec::with_capacity(PIPELINE);
        // Nothing was dropped since the last marker.
        let mut all = true;
        while outgoing.recv_many(&mut batch, PIPELINE).await > 0 {
            let (mut envelopes, mut markers) = (Vec::with_capacity(batch.len()), Vec::new());
            for one in batch.drain(..) {
                match one {
                    Outgoing::Envelope(lost)
                        if planted::has(Bug::DroppedEnvelopes)
                            && lost.accepted_at.millis() % 3 == 0 => {}
                    Outgoing::Envelope(envelope) => envelopes.push(envelope),
                    Outgoing::Marker(done) => markers.push(done),
                }
            }
            let count = envelopes.len();
            let weight = envelopes.iter().map(Envelope::weight).sum();
            match self.publish_batch(envelopes).await {
                Ok(()) => self.inner.metrics.published(count),
                // Not tried again: by then the feed has told it.
                Err(Unavailable) => {
                    self.inner.metrics.publish_dropped(count);
                    all = false;
                }
            }
            self.inner.outbox_room.give(weight);
            if !markers.is_empty() && std::mem::replace(&mut all, true) {
                for done in markers {
                    // Whoever asked may have given up waiting.
                    let _ = done.send(());
                }
            }
        }
    }

    async fn publish_batch(&self, envelopes: Vec<Envelope>) -> Result<(), Unavailable> {
        let link = &self.inner.publisher;
        if envelopes.is_empty() {
            return Ok(());
        }
        if !link.is_up() {
            return Err(Unavailable);
        }
        let clustered = link.clustered();
        let sealed: Vec<_> = envelopes
            .into_iter()
            .map(|envelope| {
                let channel = channel::name(envelope.topic, clustered);
                let bytes = wire::sealed(&envelope, &channel, &*self.inner.keys);
                (channel, bytes)
            })
            .collect();
        link.ask(|redis| async move {
            let pipeline = Pipeline::from(redis);
            for (channel, bytes) in sealed {
                let () = match clustered {
                    true => pipeline.spublish(channel, bytes).await?,
                    false => pipeline.publish(channel, bytes).await?,
                };
            }
            pipeline.all::<Value>().await.map(drop)
        })
        .await
    }
}
