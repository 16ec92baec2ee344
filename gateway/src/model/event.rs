//! Entries of a conversation's log, as they are read back from the store.

use super::{Change, EventId, Message, Seq, ServerFrame, UserId};

/// One entry of a log. `prev_event_id` chains it to the entry below, null at
/// seq 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub seq: Seq,
    pub event_id: EventId,
    pub prev_event_id: Option<EventId>,
    /// For a message its own; for a change the message it changed, as it is
    /// now.
    pub message: Message,
    /// Null when the entry *is* the message.
    pub change: Option<LogChange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogChange {
    pub kind: Change,
    pub actor: UserId,
}

impl LogEntry {
    /// The lowest `visible_from_seq` bound this entry needs: a reader who may
    /// not see the message may not see its changes either.
    pub fn subject_seq(&self) -> Seq {
        self.message.seq
    }

    /// About what it takes in memory, in bytes.
    pub fn weight(&self) -> i64 {
        let body = self.message.body.as_ref().map_or(0, String::len);
        Self::BASE_WEIGHT + i64::try_from(body).unwrap_or(i64::MAX / 2)
    }

    /// Of an entry without a body.
    pub const BASE_WEIGHT: i64 = 512;

    /// The user whose membership ends here, if one does.
    pub fn removed(&self) -> Option<UserId> {
        match self.change {
            None => self.message.system.as_ref().and_then(|s| s.removed()),
            Some(_) => None,
        }
    }

    /// What a device is told.
    pub fn into_frame(self) -> ServerFrame {
        let conversation_id = self.message.conversation_id;
        match self.change {
            None => ServerFrame::MessageNew {
                conversation_id,
                seq: self.seq,
                event_id: self.event_id,
                payload: self.message,
            },
            Some(change) => ServerFrame::MessageUpdated {
                conversation_id,
                seq: self.seq,
                event_id: self.event_id,
                payload: super::UpdatedMessage { message: self.message, change: change.kind },
            },
        }
    }
}
