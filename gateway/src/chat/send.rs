//! Sending: the one path a message takes, from the socket and from REST.

use std::future::Future;

use aws_lc_rs::digest;

use super::Chat;
use crate::{
    model::*,
    planted::{self, Bug},
    problem::Problem,
    store::NewMessage,
    telemetry::traces,
};

impl Chat {
    /// The ack, and the message itself when this call wrote it.
    ///
    /// Its place in the queue is taken before this returns, so the sends of
    /// one socket stay in their order; dropping the future does not undo it.
    pub fn send(
        &self,
        who: Principal,
        send: MessageSend,
    ) -> impl Future<Output = Result<(SendAck, Option<Message>), Problem>> + Send + use<> {
        if planted::has(Bug::HincrbyUnread) {
            self.count_up(who.user, send.conversation_id);
        }
        let span = traces::message_send(send.conversation_id);
        let queued =
            self.new_message(who, send).and_then(|new| self.inner.writer.queue(new, span.clone()));
        traces::within(span, async move { queued?.outcome().await })
    }

    fn new_message(&self, who: Principal, send: MessageSend) -> Result<NewMessage, Problem> {
        let body = text::body(&send.body)?;
        if send.reply_to_seq.is_some_and(|seq| seq < 1) {
            return Err(Problem::field("reply_to_seq", "must be at least 1"));
        }
        Ok(NewMessage {
            event_id: EventId::new(),
            conversation_id: send.conversation_id,
            sender_id: who.user,
            client_msg_id: send.client_msg_id,
            request_hash: request_hash(&body, send.reply_to_seq),
            body,
            reply_to_seq: send.reply_to_seq,
            created_at: self.inner.clock.now(),
        })
    }
}

/// SHA-256 over what was asked; tells a repeat from another request under the
/// same id, also after the message was edited.
fn request_hash(body: &str, reply_to_seq: Option<Seq>) -> Vec<u8> {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&reply_to_seq.unwrap_or_default().to_be_bytes());
    hash.update(body.as_bytes());
    hash.finish().as_ref().to_vec()
}
