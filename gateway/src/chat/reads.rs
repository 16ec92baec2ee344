//! Read marks, and telling others of them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Chat;
use crate::{
    model::*,
    problem::Problem,
    store::{Advanced, UnreadQuery},
};

/// A reader's marks are told to others at most this often.
const NOTICE_EVERY: Duration = Duration::from_secs(1);

impl Chat {
    /// Moves my read mark up to `seq`, never back and never past the log.
    pub async fn mark_read(
        &self,
        who: Principal,
        read: ConversationRead,
    ) -> Result<ReadAck, Problem> {
        if read.seq < 0 {
            return Err(Problem::field("seq", "must not be negative"));
        }
        let chat = self.clone();
        self.detached(async move {
            let at = chat.inner.clock.now();
            let id = read.conversation_id;
            let advanced = chat.inner.store.advance_read(id, who.user, read.seq, at).await?;
            let query = UnreadQuery {
                conversation_id: id,
                user_id: who.user,
                last_read_seq: advanced.mark.last_read_seq,
                visible_from_seq: advanced.visible_from_seq,
                as_of_seq: advanced.last_seq,
            };
            let counts = chat.unread(who.user, &[(query, advanced.last_event_id)]).await?;
            let ack = ReadAck {
                conversation_id: id,
                last_read_seq: advanced.mark.last_read_seq,
                last_read_at: advanced.mark.last_read_at,
                unread_count: counts.into_iter().next().unwrap_or_default(),
                unread_as_of_seq: advanced.last_seq,
            };
            if advanced.moved {
                chat.tell_mark(who, &ack, &advanced);
            }
            Ok(ack)
        })
        .await
    }

    fn tell_mark(&self, who: Principal, ack: &ReadAck, advanced: &Advanced) {
        let id = ack.conversation_id;
        let own = own_mark(who.user, ack);
        let mark = Signal::Mark {
            conversation_id: id,
            last_read_seq: ack.last_read_seq,
            frame: Encoded::new(&own),
        };
        self.inner.hub.signal(Topic::User(who.user), mark);
        if advanced.participant_count > limits::SMALL_GROUP {
            return;
        }
        let payload = MarkMoved {
            user_id: who.user,
            last_read_seq: ack.last_read_seq,
            last_read_at: ack.last_read_at,
            unread_count: None,
            unread_as_of_seq: None,
        };
        let frame = Encoded::new(&ServerFrame::ConversationRead { conversation_id: id, payload });
        if let Some(frame) = self.inner.notices.admit(id, who.user, frame) {
            self.tell_others(id, who.user, frame);
        }
    }

    fn tell_others(&self, id: ConversationId, user_id: UserId, frame: Encoded) {
        self.inner.hub.signal(Topic::Conversation(id), Signal::Read { user_id, frame });
    }

    /// Tells the marks that were held back, until `stop`.
    pub async fn tell_held_marks(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(NOTICE_EVERY / 4);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            for (id, user, frame) in self.inner.notices.due() {
                self.tell_others(id, user, frame);
            }
        }
    }
}

/// What a reader's own devices are told.
pub(super) fn own_mark(user_id: UserId, ack: &ReadAck) -> ServerFrame {
    ServerFrame::ConversationRead {
        conversation_id: ack.conversation_id,
        payload: MarkMoved {
            user_id,
            last_read_seq: ack.last_read_seq,
            last_read_at: ack.last_read_at,
            unread_count: Some(ack.unread_count),
            unread_as_of_seq: Some(ack.unread_as_of_seq),
        },
    }
}

/// Lets one notice per reader, conversation and second through at once; of
/// those in between only the newest is kept, and told when the second is over.
#[derive(Default)]
pub(super) struct Notices(Mutex<HashMap<(ConversationId, UserId), Notice>>);

struct Notice {
    told_at: Instant,
    held: Option<Encoded>,
}

impl Notices {
    fn admit(&self, id: ConversationId, user: UserId, frame: Encoded) -> Option<Encoded> {
        let mut notices = self.0.lock();
        if let Some(notice) = notices.get_mut(&(id, user)) {
            notice.held = Some(frame);
            return None;
        }
        notices.insert((id, user), Notice { told_at: Instant::now(), held: None });
        Some(frame)
    }

    fn due(&self) -> Vec<(ConversationId, UserId, Encoded)> {
        let mut due = Vec::new();
        self.0.lock().retain(|(id, user), notice| {
            if notice.told_at.elapsed() < NOTICE_EVERY {
                return true;
            }
            notice.told_at = Instant::now();
            let Some(frame) = notice.held.take() else { return false };
            due.push((*id, *user, frame));
            true
        });
        due
    }
}

impl Chat {
    /// My mark as the store has it, for a device that may have missed it.
    pub async fn own_mark_signal(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Arc<Signal>, Problem> {
        let view = self.view(user, id).await?;
        let ack = ReadAck {
            conversation_id: id,
            last_read_seq: view.last_read_seq,
            last_read_at: view.last_read_at,
            unread_count: view.unread_count,
            unread_as_of_seq: view.unread_as_of_seq,
        };
        Ok(Arc::new(Signal::Mark {
            conversation_id: id,
            last_read_seq: ack.last_read_seq,
            frame: Encoded::new(&own_mark(user, &ack)),
        }))
    }
}
