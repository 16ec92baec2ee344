//! What one device believes, kept by the rules of the protocol: the position in
//! each log, and what follows from the events. It notes at once what must never
//! come over a connection.

use std::collections::{BTreeMap, HashMap, VecDeque};

use parley::model::*;

use super::history::{History, Rule, Segment};

/// Messages whose state is kept, per conversation.
const RECENT: usize = 300;

/// A conversation as the device believes it to be.
#[derive(Debug)]
pub struct Held {
    pub cursor: Cursor,
    pub title: Option<String>,
    pub joined_seq: Seq,
    pub visible_from: Seq,
    pub mark: Seq,
    /// The count and what it was counted at; none at the cap, until asked again.
    pub unread: Option<(i64, Seq)>,
    /// The newest messages by seq.
    pub messages: BTreeMap<Seq, Message>,
    /// The newest entries, to count again from another starting point.
    entries: VecDeque<(Seq, Counted)>,
    segment: Segment,
}

/// What an entry does to the number of unread messages.
#[derive(Clone, Copy, Debug)]
enum Counted {
    Text,
    Deleted { target: Seq },
    Nothing,
}

impl Held {
    fn new(view: Conversation) -> Self {
        let id = view.id;
        let mut held = Self {
            cursor: Cursor { seq: view.last_seq, event_id: Some(view.last_event_id) },
            title: None,
            joined_seq: view.joined_seq,
            visible_from: view.visible_from_seq,
            mark: view.last_read_seq,
            unread: None,
            messages: BTreeMap::new(),
            entries: VecDeque::new(),
            segment: Segment { conversation: id, start: view.last_seq, applied: vec![] },
        };
        held.take_registers(&view);
        held
    }

    /// What stands beside the log in a snapshot.
    fn take_registers(&mut self, view: &Conversation) {
        self.title.clone_from(&view.title);
        self.visible_from = view.visible_from_seq;
        self.mark = self.mark.max(view.last_read_seq);
        self.count_from(view.unread_count, view.unread_as_of_seq);
    }

    /// `count` unread messages as of `as_of`, and whatever came since.
    fn count_from(&mut self, count: i64, as_of: Seq) {
        let reaches = self.entries.front().is_none_or(|(first, _)| *first <= as_of + 1);
        let known = count < limits::UNREAD_CAP && (reaches || self.cursor.seq <= as_of);
        self.unread = known.then_some((count, as_of));
        let later: Vec<_> = self.entries.iter().filter(|(seq, _)| *seq > as_of).copied().collect();
        later.into_iter().for_each(|(_, counted)| self.count(counted));
    }

    fn count(&mut self, counted: Counted) {
        let Some((count, _)) = &mut self.unread else { return };
        match counted {
            Counted::Text => *count += 1,
            Counted::Deleted { target } if target > self.mark && target >= self.visible_from => {
                *count -= 1;
            }
            Counted::Deleted { .. } | Counted::Nothing => {}
        }
        if *count >= limits::UNREAD_CAP {
            self.unread = None;
        }
    }

    fn keep(&mut self, message: Message) {
        let newer = self.messages.get(&message.seq);
        if newer.is_none_or(|held| held.updated_seq < message.updated_seq) {
            self.messages.insert(message.seq, message);
        }
        while self.messages.len() > RECENT {
            self.messages.pop_first();
        }
    }
}

/// Everything one device believes.
#[derive(Debug)]
pub struct View {
    me: UserId,
    pub held: HashMap<ConversationId, Held>,
    /// Segments that have ended.
    pub ended: Vec<Segment>,
    pub presence: HashMap<UserId, PresenceStatus>,
    /// Highest mark of mine ever seen, over all memberships and resets.
    pub marks: HashMap<ConversationId, Seq>,
    /// The last that this connection told.
    told: HashMap<ConversationId, Seq>,
}

impl View {
    pub fn new(me: UserId) -> Self {
        let (held, presence, marks, told) = Default::default();
        Self { me, held, ended: vec![], presence, marks, told }
    }

    pub fn cursors(&self) -> Cursors {
        self.held.iter().map(|(id, held)| (*id, held.cursor)).collect()
    }

    /// All segments, the open ones included.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.ended.iter().chain(self.held.values().map(|held| &held.segment))
    }

    /// The snapshot of a connection that began with my cursors.
    pub fn snapshot(&mut self, items: Vec<Conversation>, history: &History) {
        self.told.clear();
        for view in items {
            // What was seen had been committed.
            let highest = self.marks.get(&view.id).copied().unwrap_or_default();
            if view.last_read_seq < highest {
                let what = format!("{}: from {highest} back to {}", view.id, view.last_read_seq);
                history.violation(Rule::Marks, what);
            }
            match self.held.get_mut(&view.id) {
                // Whether my position still holds is for the gateway to say.
                Some(held) => held.take_registers(&view),
                None => {
                    self.held.insert(view.id, Held::new(view));
                }
            }
        }
    }

    /// One frame; the entry of a log that it was, if it was one.
    pub fn apply(&mut self, frame: ServerFrame, history: &History) -> Option<Seq> {
        match frame {
            ServerFrame::MessageNew { conversation_id, seq, event_id, payload } => {
                let held = self.enter(conversation_id, seq, event_id, history)?;
                if seq < held.visible_from {
                    let what = format!("{conversation_id}: {seq} is from before it was visible");
                    history.violation(Rule::Leaked, what);
                }
                let mine = payload.sender_id == self.me;
                // Whether or not it comes in its present state, deleted: that
                // entry comes too.
                let counts = payload.kind == MessageKind::Text && !mine;
                let held = self.held.get_mut(&conversation_id)?;
                if let Some(SystemEvent::TitleChanged { title }) = &payload.system {
                    held.title = Some(title.clone());
                }
                self.note(
                    conversation_id,
                    seq,
                    if counts { Counted::Text } else { Counted::Nothing },
                );
                self.held.get_mut(&conversation_id)?.keep(payload);
                Some(seq)
            }
            ServerFrame::MessageUpdated { conversation_id, seq, event_id, payload } => {
                let held = self.enter(conversation_id, seq, event_id, history)?;
                let message = payload.message;
                if message.seq < held.visible_from {
                    let what = format!("{conversation_id}: {seq} changes what was not visible");
                    history.violation(Rule::Leaked, what);
                }
                let deleted = payload.change == Change::Deleted
                    && message.kind == MessageKind::Text
                    && message.sender_id != self.me;
                let counted = match deleted {
                    true => Counted::Deleted { target: message.seq },
                    false => Counted::Nothing,
                };
                self.note(conversation_id, seq, counted);
                self.held.get_mut(&conversation_id)?.keep(message);
                Some(seq)
            }
            ServerFrame::LogSkip { conversation_id, seq, event_id, .. } => {
                self.enter(conversation_id, seq, event_id, history)?;
                self.note(conversation_id, seq, Counted::Nothing);
                Some(seq)
            }
            ServerFrame::ConversationRead { conversation_id, payload } => {
                if payload.user_id == self.me {
                    let told = self.told.insert(conversation_id, payload.last_read_seq);
                    if told.is_some_and(|told| told > payload.last_read_seq) {
                        let what = format!("{conversation_id}: {told:?}, then {payload:?}");
                        history.violation(Rule::Marks, what);
                    }
                    let count = payload.unread_count.zip(payload.unread_as_of_seq);
                    self.read(conversation_id, payload.last_read_seq, count);
                }
                None
            }
            ServerFrame::Ack { payload: Ack::Read(ack), .. } => {
                let count = Some((ack.unread_count, ack.unread_as_of_seq));
                self.read(ack.conversation_id, ack.last_read_seq, count);
                None
            }
            ServerFrame::ConversationAdded { conversation_id, payload } => {
                self.end(conversation_id);
                let mut held = Held::new(payload);
                held.cursor = Cursor { seq: held.joined_seq - 1, event_id: None };
                held.segment.start = held.cursor.seq;
                self.held.insert(conversation_id, held);
                None
            }
            ServerFrame::ConversationRemoved { conversation_id, .. } => {
                self.end(conversation_id);
                None
            }
            ServerFrame::ConversationReset { conversation_id, payload } => {
                self.judge_reset(conversation_id, &payload, history);
                self.end(conversation_id);
                self.held.insert(conversation_id, Held::new(payload.conversation));
                None
            }
            ServerFrame::PresenceUpdated { payload } => {
                self.presence.insert(payload.user_id, payload.status);
                None
            }
            _ => None,
        }
    }

    /// A device is to be reset only where its position leads nowhere.
    fn judge_reset(&self, id: ConversationId, reset: &Reset, history: &History) {
        let at = self.held.get(&id).map_or(0, |held| held.cursor.seq);
        let now = &reset.conversation;
        let (rule, founded) = match reset.reason {
            // Nothing is ever lost here that was committed.
            ResetReason::Fork => (Rule::Fork, false),
            ResetReason::Behind => (Rule::Lost, now.last_seq - at > limits::RESUME_ENTRIES),
            ResetReason::Rejoined => (Rule::Lost, now.joined_seq > at),
        };
        if !founded {
            let what = format!("{id}: reset at {at}: {:?}, at {}", reset.reason, now.last_seq);
            history.violation(rule, what);
        }
    }

    /// Moves the position, and holds the connection to what it promises.
    fn enter(
        &mut self,
        id: ConversationId,
        seq: Seq,
        event_id: EventId,
        history: &History,
    ) -> Option<&mut Held> {
        let Some(held) = self.held.get_mut(&id) else {
            history.violation(Rule::Leaked, format!("{id}: {seq} to who is not in it"));
            return None;
        };
        let at = held.cursor.seq;
        if seq != at + 1 {
            let rule = if seq <= at { Rule::Duplicated } else { Rule::Lost };
            history.violation(rule, format!("{id}: {seq} was told after {at}"));
        }
        held.cursor = Cursor { seq, event_id: Some(event_id) };
        held.segment.applied.push(event_id);
        Some(held)
    }

    fn note(&mut self, id: ConversationId, seq: Seq, counted: Counted) {
        let Some(held) = self.held.get_mut(&id) else { return };
        held.entries.push_back((seq, counted));
        if held.entries.len() > RECENT {
            held.entries.pop_front();
        }
        if held.unread.is_some_and(|(_, as_of)| seq > as_of) {
            held.count(counted);
        }
    }

    fn read(&mut self, id: ConversationId, mark: Seq, count: Option<(i64, Seq)>) {
        self.see_mark(id, mark);
        let Some(held) = self.held.get_mut(&id) else { return };
        // An answer that was overtaken by a later one says nothing any more.
        if mark < held.mark {
            return;
        }
        held.mark = mark;
        if let Some((count, as_of)) = count {
            held.count_from(count, as_of);
        }
    }

    fn see_mark(&mut self, id: ConversationId, mark: Seq) {
        let highest = self.marks.entry(id).or_default();
        *highest = (*highest).max(mark);
    }

    fn end(&mut self, id: ConversationId) {
        if let Some(held) = self.held.remove(&id) {
            self.ended.push(held.segment);
        }
    }
}
