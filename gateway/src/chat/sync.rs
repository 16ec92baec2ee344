//! Where a device continues from what it holds: the rule that connecting,
//! resuming and `POST /sync` share.

use std::collections::VecDeque;

use super::Chat;
use crate::{
    model::*,
    problem::{Code, Problem},
    store::{LogRange, RangeQuery, Reader, Select},
};

/// How a device goes on with a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From the snapshot: it held nothing.
    Snapshot,
    /// From its cursor, once the log confirms it.
    Cursor(Cursor),
    /// From the snapshot, dropping what it holds.
    Reset(ResetReason),
}

/// Judges a cursor by the snapshot of its conversation.
pub fn start_of(cursor: Option<Cursor>, at: &Conversation) -> Start {
    let Some(cursor) = cursor else { return Start::Snapshot };
    let before_first = cursor.seq == at.joined_seq - 1;
    if cursor.seq < at.joined_seq - 1 {
        return Start::Reset(ResetReason::Rejoined);
    }
    let anonymous = cursor.event_id.is_none() && !before_first;
    let other_top = cursor.seq == at.last_seq
        && cursor.event_id.is_some_and(|event_id| event_id != at.last_event_id);
    if cursor.seq > at.last_seq || anonymous || other_top {
        return Start::Reset(ResetReason::Fork);
    }
    if at.last_seq - cursor.seq > limits::RESUME_ENTRIES {
        return Start::Reset(ResetReason::Behind);
    }
    Start::Cursor(cursor)
}

impl Chat {
    /// What changed since the cursors, in the frames the socket would send.
    pub async fn sync(
        &self,
        who: Principal,
        request: SyncRequest,
    ) -> Result<SyncResponse, Problem> {
        let cursors = request.cursors;
        if cursors.len() > limits::CURSORS {
            return Err(Problem::field("cursors", format!("at most {}", limits::CURSORS)));
        }
        // A resume like any other.
        let _turn = self.inner.admission.admit().await?;
        let limit = limits::CONVERSATIONS;
        let views = self.views(who.user, &Select::Newest { after: None, limit }).await?;
        let gone = cursors.keys().filter(|id| !views.iter().any(|view| view.id == **id));
        let mut conversations: Vec<_> =
            gone.map(|id| SyncConversation::without_events(*id, SyncStatus::Gone)).collect();
        // What was asked about comes first: what was not, a client with more
        // conversations than cursors is told anew each time, and would never
        // get to the rest.
        let (asked, others): (Vec<_>, Vec<_>) =
            views.into_iter().partition(|view| cursors.contains_key(&view.id));
        let mut due = VecDeque::new();
        for view in asked.into_iter().chain(others) {
            let reader = Reader { user_id: who.user, joined_seq: view.joined_seq };
            let (place, cursor) = (conversations.len(), cursors.get(&view.id).copied());
            let (conversation, position) = begin(view, cursor);
            conversations.push(conversation);
            due.extend(position.map(|position| Due { place, position, reader }));
        }
        self.read_due(due, &mut conversations).await?;
        let complete = conversations.iter().all(|conversation| conversation.complete);
        Ok(SyncResponse { conversations, complete })
    }

    /// Reads on, many conversations at once, until all are complete or the
    /// answer is full.
    async fn read_due(
        &self,
        mut due: VecDeque<Due>,
        conversations: &mut [SyncConversation],
    ) -> Result<(), Problem> {
        let mut room = Room { events: limits::SYNC_EVENTS, bytes: limits::SYNC_BYTES };
        while !due.is_empty() && !room.is_full() {
            let some: Vec<_> = due.drain(..due.len().min(READ_AT_ONCE)).collect();
            let query = |due: &Due| RangeQuery {
                conversation_id: conversations[due.place].id,
                after: due.position,
                reader: Some(due.reader),
                limit: i64::try_from(room.events).unwrap_or(limits::RESUME_ENTRIES),
                weight: room.share(some.len()),
            };
            let queries: Vec<_> = some.iter().map(query).collect();
            let ranges = self.inner.store.log_ranges(&queries).await?;
            let mut unfinished = Vec::new();
            for (due, range) in some.into_iter().zip(ranges) {
                unfinished.extend(conversations[due.place].go_on(due, range?, &mut room)?);
            }
            unfinished.into_iter().rev().for_each(|first| due.push_front(first));
        }
        Ok(())
    }
}

/// Conversations read by one statement.
const READ_AT_ONCE: usize = 16;

/// A conversation that has more to tell.
struct Due {
    /// In the answer.
    place: usize,
    position: Cursor,
    reader: Reader,
}

/// What still fits into the answer.
struct Room {
    events: usize,
    bytes: usize,
}

impl Room {
    fn is_full(&self) -> bool {
        self.events == 0 || self.bytes == 0
    }

    /// What each of so many may weigh. Never nothing: then one entry comes, and
    /// whoever asks gets on.
    fn share(&self, among: usize) -> i64 {
        i64::try_from(self.bytes / among.max(1)).unwrap_or(i64::MAX).max(1)
    }
}

/// A conversation's part of the answer, and where its events begin if it has
/// any.
fn begin(view: Conversation, cursor: Option<Cursor>) -> (SyncConversation, Option<Cursor>) {
    let part = |status, view: Conversation| {
        let part = SyncConversation::without_events(view.id, status);
        SyncConversation { conversation: Some(view), ..part }
    };
    let (status, position) = match start_of(cursor, &view) {
        // No entries, but marks and settings may have moved.
        Start::Cursor(cursor) if cursor.seq == view.last_seq => (SyncStatus::Ok, None),
        Start::Cursor(cursor) => (SyncStatus::Ok, Some(cursor)),
        Start::Reset(_) => (SyncStatus::Reset, None),
        // Too long to tell: the snapshot is where it starts.
        Start::Snapshot if view.last_seq - view.joined_seq >= limits::RESUME_ENTRIES => {
            (SyncStatus::New, None)
        }
        Start::Snapshot => {
            let before_first = Cursor { seq: view.joined_seq - 1, event_id: None };
            (SyncStatus::New, Some(before_first))
        }
    };
    let part = SyncConversation { complete: position.is_none(), ..part(status, view) };
    (part, position)
}

impl SyncConversation {
    fn without_events(id: ConversationId, status: SyncStatus) -> Self {
        Self { id, status, conversation: None, events: vec![], complete: true }
    }

    /// Takes in what was read, as far as there is room; what is left of it to
    /// read.
    fn go_on(
        &mut self,
        due: Due,
        range: LogRange,
        room: &mut Room,
    ) -> Result<Option<Due>, Problem> {
        let (entries, head) = match range {
            LogRange::Entries { entries, head } => (entries, head),
            LogRange::Gone { .. } => {
                *self = Self::without_events(self.id, SyncStatus::Gone);
                return Ok(None);
            }
            LogRange::Fork { .. } => {
                self.status = SyncStatus::Reset;
                self.events.clear();
                self.complete = true;
                return Ok(None);
            }
        };
        let visible_from = self.conversation.as_ref().map_or(0, |view| view.visible_from_seq);
        let mut position = due.position;
        for entry in entries {
            if room.is_full() {
                break;
            }
            position = Cursor { seq: entry.seq, event_id: Some(entry.event_id) };
            let frame = Entry::encode(entry).frame_for(visible_from);
            room.events -= 1;
            room.bytes = room.bytes.saturating_sub(frame.bytes().len());
            let event = serde_json::from_slice(frame.bytes());
            // One that got lost would be one that the cursor then stands above.
            let unreadable = |_| Problem::new(Code::Internal, "An event cannot be told.");
            self.events.push(event.map_err(unreadable)?);
        }
        self.complete = position.seq >= head.seq;
        Ok((!self.complete).then_some(Due { position, ..due }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nearly_nothing_still_gets_on() {
        let room = Room { events: 1, bytes: 5 };
        assert!(!room.is_full());
        assert_eq!([1, 5, 16].map(|among| room.share(among)), [5, 1, 1]);
    }
}
