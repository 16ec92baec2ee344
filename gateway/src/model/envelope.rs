//! What replicas tell each other: encoded entries of a log, and signals that
//! are in no log.

use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;

use super::{
    ConversationId, Empty, EventId, LogEntry, Presence, Seq, ServerFrame, Settings, Timestamp,
    TraceContext, User, UserId,
};

/// What one can listen to. As text, the name of a channel: `conv:{id}`,
/// `user:{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    Conversation(ConversationId),
    User(UserId),
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversation(id) => write!(f, "conv:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
        }
    }
}

impl FromStr for Topic {
    type Err = uuid::Error;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.split_once(':') {
            Some(("user", id)) => id.parse().map(Self::User),
            Some((_, id)) => id.parse().map(Self::Conversation),
            None => name.parse().map(Self::Conversation),
        }
    }
}

/// A frame as it goes into every socket: encoded once, shared by all.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded(Bytes);

impl Encoded {
    /// Serialising our own types into memory cannot fail; should it ever, the
    /// empty frame makes every session look again instead of lying.
    pub fn new(frame: &ServerFrame) -> Self {
        Self(serde_json::to_vec(frame).unwrap_or_default().into())
    }

    /// A frame that another replica encoded.
    pub fn received(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// An entry of a log with what sessions must know beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub event_id: EventId,
    pub prev_event_id: Option<EventId>,
    /// Seq of the message it is or changes: who may not see that may not see
    /// this.
    pub subject_seq: Seq,
    /// Whose membership ends here.
    pub removed: Option<UserId>,
    pub frame: Encoded,
}

impl Entry {
    pub fn encode(entry: LogEntry) -> Arc<Self> {
        let conversation_id = entry.message.conversation_id;
        let (seq, event_id, prev_event_id) = (entry.seq, entry.event_id, entry.prev_event_id);
        let (subject_seq, removed) = (entry.subject_seq(), entry.removed());
        let frame = Encoded::new(&entry.into_frame());
        Arc::new(Self {
            conversation_id,
            seq,
            event_id,
            prev_event_id,
            subject_seq,
            removed,
            frame,
        })
    }

    /// How many of the first entries weigh at most `bytes` together, encoded.
    pub fn fitting<'a>(entries: impl IntoIterator<Item = &'a Arc<Self>>, bytes: usize) -> usize {
        let mut weight = 0;
        let fits = |entry: &&Arc<Self>| {
            weight += entry.frame.bytes().len();
            weight <= bytes
        };
        entries.into_iter().take_while(fits).count()
    }

    /// What a member who sees from `visible_from_seq` on is told: the entry, or
    /// only that there is one.
    pub fn frame_for(&self, visible_from_seq: Seq) -> Encoded {
        if self.subject_seq >= visible_from_seq {
            return self.frame.clone();
        }
        Encoded::new(&ServerFrame::LogSkip {
            conversation_id: self.conversation_id,
            seq: self.seq,
            event_id: self.event_id,
            payload: Empty {},
        })
    }
}

/// Best effort, in no log. What is lost of it is made good by the feed
/// (`Changed`, `Mark`) or by the next of its kind.
#[derive(Clone, Debug)]
pub enum Signal {
    /// On a conversation: a participant's read mark, for the others.
    Read { user_id: UserId, frame: Encoded },
    /// On a conversation: somebody types, for the others.
    Typing { user_id: UserId, frame: Encoded },
    /// On a user, for their own devices: their read mark moved.
    Mark { conversation_id: ConversationId, last_read_seq: Seq, frame: Encoded },
    /// On a user, for their own devices.
    Settings { conversation_id: ConversationId, settings: Settings },
    /// On a user, for their own devices: look at account and memberships again.
    Changed,
    /// On a user, for who watches them and for themselves.
    Profile { user: User },
    /// On a user, for who watches them.
    Presence { presence: Presence },
}

/// What travels on a topic.
#[derive(Clone, Debug)]
pub enum Event {
    Entry(Arc<Entry>),
    Signal(Arc<Signal>),
}

#[derive(Clone, Debug)]
pub struct Envelope {
    pub topic: Topic,
    /// The replica that sent it, which has told its own devices already.
    pub origin: u64,
    /// When the gateway accepted what it tells of.
    pub accepted_at: Timestamp,
    /// Of what it tells of; null when nobody traces.
    pub trace: Option<TraceContext>,
    pub event: Event,
}

impl Envelope {
    /// About what it takes in memory, in bytes.
    pub fn weight(&self) -> usize {
        const SIGNAL: usize = 512;
        match &self.event {
            Event::Entry(entry) => SIGNAL + entry.frame.bytes().len(),
            Event::Signal(_) => SIGNAL,
        }
    }
}
