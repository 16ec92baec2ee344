//! A connection's places in its conversations. *A session is a position, not a
//! queue*: what it has been told is all it needs to go on from.

use std::collections::HashMap;

use crate::{
    hub::{Joined, Pull},
    model::*,
    planted::{self, Bug},
    store::Reader,
};

/// Where one connection stands in one conversation.
pub(super) struct Place {
    pub joined: Joined,
    /// The highest entry told; everything below it was told or skipped.
    pub cursor: Cursor,
    pub joined_seq: Seq,
    pub visible_from_seq: Seq,
    /// The highest of my read marks told.
    pub mark: Seq,
    pub settings: Settings,
    /// Small enough for typing to be told.
    pub small: bool,
    /// The other one of a direct conversation.
    pub partner: Option<UserId>,
}

pub(super) type Places = HashMap<ConversationId, Place>;

/// How an entry relates to a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next one: tell it.
    Next,
    Known,
    /// Something lies between, or it is of another log: pull.
    Behind,
}

impl Place {
    /// At the top of what a view shows.
    pub(super) fn at(joined: Joined, view: &Conversation, user: UserId) -> Self {
        let other = |participant: &Participant| participant.user.id != user;
        let partner = match view.kind {
            ConversationKind::Direct => view.participants.iter().find(|p| other(p)),
            ConversationKind::Group => None,
        };
        joined.confirm(view.last_seq, view.last_event_id);
        Self {
            joined,
            cursor: Cursor { seq: view.last_seq, event_id: Some(view.last_event_id) },
            joined_seq: view.joined_seq,
            visible_from_seq: view.visible_from_seq,
            mark: view.last_read_seq,
            settings: Settings { muted: view.muted, pinned: view.pinned },
            small: view.participant_count <= limits::SMALL_GROUP,
            partner: partner.map(|participant| participant.user.id),
        }
    }

    /// What to ask the hub for to go on from here.
    pub(super) fn pull(&self, user_id: UserId) -> Pull {
        self.joined.pull(self.cursor, Reader { user_id, joined_seq: self.joined_seq })
    }

    pub(super) fn step(&self, entry: &Entry) -> Step {
        let follows = self.cursor.event_id.is_none() || entry.prev_event_id == self.cursor.event_id;
        match entry.seq - self.cursor.seq {
            1 if follows => Step::Next,
            0 if Some(entry.event_id) != self.cursor.event_id => Step::Behind,
            ..=0 => Step::Known,
            _ if planted::has(Bug::HistoryFirst) => Step::Next,
            _ => Step::Behind,
        }
    }

    pub(super) fn advance(&mut self, entry: &Entry) {
        self.cursor = Cursor { seq: entry.seq, event_id: Some(entry.event_id) };
    }
}
