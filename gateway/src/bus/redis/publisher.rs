//! What goes out: whatever has queued while the last pipeline was under way,
//! in one pipeline.

use tokio::sync::mpsc;

use super::{super::wire, RedisBus, channel};
use crate::{
    model::Envelope,
    redis::{
        Unavailable,
        fred::{clients::Pipeline, interfaces::PubsubInterface, prelude::*},
    },
};

/// Envelopes in one pipeline.
const PIPELINE: usize = 512;

impl RedisBus {
    pub(super) async fn publish_all(self, mut envelopes: mpsc::Receiver<Envelope>) {
        let mut batch = Vec::with_capacity(PIPELINE);
        while envelopes.recv_many(&mut batch, PIPELINE).await > 0 {
            let count = batch.len();
            match self.publish_batch(batch.drain(..)).await {
                Ok(()) => self.inner.metrics.published(count),
                // Not tried again: by then the feed has told it.
                Err(Unavailable) => self.inner.metrics.publish_dropped(count),
            }
        }
    }

    async fn publish_batch(
        &self,
        envelopes: impl Iterator<Item = Envelope>,
    ) -> Result<(), Unavailable> {
        let link = &self.inner.publisher;
        if !link.is_up() {
            return Err(Unavailable);
        }
        let clustered = link.clustered();
        let sealed: Vec<_> = envelopes
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
