//! Where a device continues from what it holds: the rule that connecting,
//! resuming and `POST /sync` share.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::Chat;
use crate::{
    model::*,
    problem::Problem,
    store::{LogRange, Reader, Select},
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
        let limit = limits::CONVERSATIONS;
        let views = self.views(who.user, &Select::Newest { after: None, limit }).await?;
        let mut room = limits::SYNC_EVENTS;
        let mut conversations = Vec::new();
        let gone = cursors.keys().filter(|id| !views.iter().any(|view| view.id == **id));
        conversations
            .extend(gone.map(|id| SyncConversation::without_events(*id, SyncStatus::Gone)));
        let held: HashMap<_, _> = cursors.iter().map(|(id, cursor)| (*id, *cursor)).collect();
        // What was asked about comes first: what was not, a client with more
        // conversations than cursors is told anew each time, and would never
        // get to the rest.
        let (asked, others): (Vec<_>, Vec<_>) =
            views.into_iter().partition(|view| held.contains_key(&view.id));
        for view in asked.into_iter().chain(others) {
            let cursor = held.get(&view.id).copied();
            conversations.push(self.sync_one(who, view, cursor, &mut room).await?);
        }
        let complete = conversations.iter().all(|conversation| conversation.complete);
        Ok(SyncResponse { conversations, complete })
    }

    async fn sync_one(
        &self,
        who: Principal,
        view: Conversation,
        cursor: Option<Cursor>,
        room: &mut usize,
    ) -> Result<SyncConversation, Problem> {
        let (id, visible_from) = (view.id, view.visible_from_seq);
        let (status, position) = match start_of(cursor, &view) {
            Start::Cursor(cursor) if cursor.seq == view.last_seq => {
                // No entries, but marks and settings may have moved.
                let mut same = SyncConversation::without_events(id, SyncStatus::Ok);
                same.conversation = Some(view);
                return Ok(same);
            }
            Start::Cursor(cursor) => (SyncStatus::Ok, cursor),
            Start::Reset(_) => return Ok(SyncConversation::reset(view)),
            Start::Snapshot if view.last_seq - view.joined_seq >= limits::RESUME_ENTRIES => {
                // Too long to tell: the snapshot is where it starts.
                let mut new = SyncConversation::without_events(id, SyncStatus::New);
                new.conversation = Some(view);
                return Ok(new);
            }
            Start::Snapshot => {
                (SyncStatus::New, Cursor { seq: view.joined_seq - 1, event_id: None })
            }
        };
        let mut answer = SyncConversation::without_events(id, status);
        if *room == 0 {
            answer.complete = false;
            answer.conversation = Some(view);
            return Ok(answer);
        }
        let reader = Reader { user_id: who.user, joined_seq: view.joined_seq };
        let limit = i64::try_from(*room).unwrap_or(limits::RESUME_ENTRIES);
        let range = self.inner.store.log_range(id, position, Some(reader), limit).await?;
        match range {
            LogRange::Fork { .. } => Ok(SyncConversation::reset(view)),
            LogRange::Gone { .. } => Ok(SyncConversation::without_events(id, SyncStatus::Gone)),
            LogRange::Entries { entries, head } => {
                *room -= entries.len().min(*room);
                let reached = entries.last().map_or(position.seq, |entry| entry.seq);
                answer.complete = reached >= head.seq;
                answer.conversation = Some(view);
                answer.events = entries.into_iter().map(|entry| raw(entry, visible_from)).collect();
                Ok(answer)
            }
        }
    }
}

fn raw(entry: LogEntry, visible_from: Seq) -> Box<RawValue> {
    let frame = Entry::encode(entry).frame_for(visible_from);
    serde_json::from_slice(frame.bytes()).unwrap_or_default()
}

impl SyncConversation {
    fn without_events(id: ConversationId, status: SyncStatus) -> Self {
        Self { id, status, conversation: None, events: vec![], complete: true }
    }

    fn reset(view: Conversation) -> Self {
        let id = view.id;
        Self { conversation: Some(view), ..Self::without_events(id, SyncStatus::Reset) }
    }
}
