//! What a client asks for over the socket, in terms of the use cases.

use futures_util::{FutureExt, future::BoxFuture};

use super::frame;
use crate::{chat::Chat, model::*, problem::Problem};

/// An answer under way.
pub(super) type Answer = BoxFuture<'static, ServerFrame>;

/// Starts what needs only the product; `None` for frames that concern the
/// connection itself.
pub(super) fn start(
    chat: &Chat,
    who: Principal,
    id: Option<FrameId>,
    frame: ClientFrame,
) -> Option<Answer> {
    let chat = chat.clone();
    Some(match frame {
        // Queued before this returns, so that a client's sends stay in order.
        ClientFrame::MessageSend(send) => {
            let sent = chat.send(who, send);
            async move { answer(id, sent.await.map(|(ack, _)| Ack::Sent(ack))) }.boxed()
        }
        ClientFrame::MessageEdit(edit) => {
            async move { answer(id, chat.edit(who, edit).await.map(Ack::Changed)) }.boxed()
        }
        ClientFrame::MessageDelete(delete) => {
            async move { answer(id, chat.delete(who, delete).await.map(Ack::Changed)) }.boxed()
        }
        ClientFrame::ConversationRead(read) => {
            async move { answer(id, chat.mark_read(who, read).await.map(Ack::Read)) }.boxed()
        }
        _ => return None,
    })
}

pub(super) fn answer(id: Option<FrameId>, outcome: Result<Ack, Problem>) -> ServerFrame {
    match outcome {
        Ok(payload) => ServerFrame::Ack { id, payload },
        Err(problem) => frame::error(id, &problem),
    }
}
