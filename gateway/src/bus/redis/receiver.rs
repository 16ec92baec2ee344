//! What comes in: opened, checked, and handed to the hub.

use std::time::Duration;

use bytes::Bytes;
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{
    super::{Arrival, wire},
    RedisBus, channel, probe,
};
use crate::{
    planted::{self, Bug},
    redis::fred::{
        interfaces::EventInterface,
        types::{Message, Value},
    },
};

impl RedisBus {
    pub(super) async fn receive(self) {
        let mut messages = self.inner.subscriber.client().message_rx();
        let begun = Instant::now();
        loop {
            match messages.recv().await {
                Ok(message) => self.take_in(&message, begun.elapsed()),
                Err(RecvError::Lagged(_)) if planted::has(Bug::DiesOnLagged) => {
                    return std::future::pending().await;
                }
                Err(RecvError::Lagged(count)) => {
                    self.inner.metrics.bus_lagged(count);
                    self.gap("more came than was looked at");
                }
                // The client is gone, and with it the replica.
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn take_in(&self, message: &Message, now: Duration) {
        let Some(topic) = channel::topic(&message.channel) else { return };
        let Some(bytes) = bytes(&message.value) else { return };
        if topic == self.inner.own {
            return self.heard(probe::number(&bytes));
        }
        if topic == self.inner.common {
            return; // somebody counts us
        }
        let at = u32::try_from(now.as_millis() / 100).unwrap_or(u32::MAX);
        self.inner.held.lock().active(topic, at);
        let keys = &*self.inner.keys;
        match wire::opened(&bytes, &message.channel, topic, self.inner.origin, keys) {
            Ok(envelope) => {
                self.inner.metrics.bus_received(bytes.len());
                self.inner.inbox.offer(Arrival::Envelope(envelope));
            }
            Err(wire::Refused::Own) => {}
            Err(refused) => {
                // Whoever sent it may mean well: a key not read here yet, a
                // newer version. Worth a look at the store, never belief.
                self.inner.metrics.bus_refused(refused.label());
                self.inner.inbox.offer(Arrival::Hint);
            }
        }
    }
}

/// The library takes what happens to be UTF-8 for text; both share the bytes
/// that came in.
fn bytes(value: &Value) -> Option<Bytes> {
    match value {
        Value::Bytes(bytes) => Some(bytes.clone()),
        Value::String(text) => Some(text.inner().clone()),
        _ => None,
    }
}
