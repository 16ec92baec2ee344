//! Envelopes as bytes on a Redis channel: a short binary head, the frame as it
//! goes into the sockets, and a seal over all of it and the channel.
//!
//! *What is received is parsed once and never encoded again*: the frame of an
//! opened envelope is a slice of the bytes that came in.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::seal::{SEAL_BYTES, SealKeys, seal, verifies};
use crate::model::*;

const VERSION: u8 = 1;

/// Kinds of events; never given another meaning.
const ENTRY: u8 = 0;
const READ: u8 = 1;
const TYPING: u8 = 2;
const MARK: u8 = 3;
const SETTINGS: u8 = 4;
const CHANGED: u8 = 5;
const PROFILE: u8 = 6;
const PRESENCE: u8 = 7;

/// Flags of the head and of an entry.
const TRACED: u8 = 1;
const SAMPLED: u8 = 2;
const HAS_PREV: u8 = 1;
const HAS_REMOVED: u8 = 2;

/// Bytes before the key's name: version, kind, flags, length of the name,
/// origin, time of acceptance.
const HEAD_BYTES: usize = 20;

/// Why bytes on a channel are not taken for an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// This replica's own, come back.
    Own,
    /// Another version's, or no envelope at all.
    Malformed,
    /// Sealed with a key that is not known here (yet).
    UnknownKey,
    /// Not sealed by a replica of ours, or for another channel.
    Forged,
}

impl Refused {
    /// Name in metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::Forged => "forged",
        }
    }
}

/// The bytes to publish on `channel`.
pub(super) fn sealed(envelope: &Envelope, channel: &str, keys: &dyn SealKeys) -> Bytes {
    let (kid, key) = keys.signing();
    let mut out = BytesMut::with_capacity(HEAD_BYTES + 192 + frame_of(&envelope.event).len());
    out.put_u8(VERSION);
    out.put_u8(kind_of(&envelope.event));
    let traced = |trace: TraceContext| TRACED | if trace.sampled { SAMPLED } else { 0 };
    out.put_u8(envelope.trace.map_or(0, traced));
    // A kid has at most 64 characters.
    out.put_u8(u8::try_from(kid.len()).unwrap_or(u8::MAX));
    out.put_u64(envelope.origin);
    out.put_i64(envelope.accepted_at.millis());
    out.put_slice(kid.as_bytes());
    if let Some(trace) = envelope.trace {
        out.put_slice(&trace.trace_id);
        out.put_slice(&trace.span_id);
    }
    put_event(&mut out, &envelope.event);
    let tag = seal(&key, channel, &out);
    out.put_slice(tag.as_ref());
    out.freeze()
}

/// The envelope that was published on `channel` for `topic`.
pub(super) fn opened(
    bytes: &Bytes,
    channel: &str,
    topic: Topic,
    own: u64,
    keys: &dyn SealKeys,
) -> Result<Envelope, Refused> {
    let content = bytes.len().checked_sub(SEAL_BYTES).ok_or(Refused::Malformed)?;
    let mut rest = Reader(bytes.slice(..content));
    let (version, kind, flags) = (rest.u8()?, rest.u8()?, rest.u8()?);
    if version != VERSION {
        return Err(Refused::Malformed);
    }
    let kid_bytes = usize::from(rest.u8()?);
    let origin = rest.u64()?;
    if origin == own {
        return Err(Refused::Own);
    }
    let accepted_at = rest.i64()?;
    let kid = rest.take(kid_bytes)?;
    let kid = std::str::from_utf8(&kid).map_err(|_| Refused::Malformed)?;
    // Nothing beyond this point is looked at before it is known to be ours.
    let key = keys.find(kid).ok_or(Refused::UnknownKey)?;
    if !verifies(&key, channel, &bytes[..content], &bytes[content..]) {
        return Err(Refused::Forged);
    }
    let trace = match flags & TRACED {
        0 => None,
        _ => Some(TraceContext {
            trace_id: rest.array()?,
            span_id: rest.array()?,
            sampled: flags & SAMPLED != 0,
        }),
    };
    let accepted_at = Timestamp::from_millis(accepted_at).ok_or(Refused::Malformed)?;
    let event = rest.event(kind, topic)?;
    Ok(Envelope { topic, origin, accepted_at, trace, event })
}

fn kind_of(event: &Event) -> u8 {
    match event {
        Event::Entry(_) => ENTRY,
        Event::Signal(signal) => match **signal {
            Signal::Read { .. } => READ,
            Signal::Typing { .. } => TYPING,
            Signal::Mark { .. } => MARK,
            Signal::Settings { .. } => SETTINGS,
            Signal::Changed => CHANGED,
            Signal::Profile { .. } => PROFILE,
            Signal::Presence { .. } => PRESENCE,
        },
    }
}

fn frame_of(event: &Event) -> &[u8] {
    match event {
        Event::Entry(entry) => entry.frame.bytes(),
        Event::Signal(signal) => match &**signal {
            Signal::Read { frame, .. }
            | Signal::Typing { frame, .. }
            | Signal::Mark { frame, .. } => frame.bytes(),
            _ => &[],
        },
    }
}

/// What stands before the frame, then the frame.
fn put_event(out: &mut BytesMut, event: &Event) {
    match event {
        Event::Entry(entry) => {
            let prev = entry.prev_event_id.map_or(0, |_| HAS_PREV);
            let removed = entry.removed.map_or(0, |_| HAS_REMOVED);
            out.put_u8(prev | removed);
            out.put_i64(entry.seq);
            out.put_i64(entry.subject_seq);
            put_uuid(out, entry.event_id.0);
            if let Some(prev) = entry.prev_event_id {
                put_uuid(out, prev.0);
            }
            if let Some(removed) = entry.removed {
                put_uuid(out, removed.0);
            }
        }
        Event::Signal(signal) => match &**signal {
            Signal::Read { user_id, .. } | Signal::Typing { user_id, .. } => {
                put_uuid(out, user_id.0);
            }
            Signal::Mark { conversation_id, last_read_seq, .. } => {
                put_uuid(out, conversation_id.0);
                out.put_i64(*last_read_seq);
            }
            Signal::Settings { conversation_id, settings } => {
                put_json(out, &(conversation_id, settings));
            }
            Signal::Changed => {}
            Signal::Profile { user } => put_json(out, user),
            Signal::Presence { presence } => put_json(out, presence),
        },
    }
    out.put_slice(frame_of(event));
}

fn put_uuid(out: &mut BytesMut, id: Uuid) {
    out.put_slice(id.as_bytes());
}

/// Rare kinds only. Serialising our own types cannot fail; should it, the
/// other side finds the envelope malformed.
fn put_json(out: &mut BytesMut, value: &impl Serialize) {
    out.put_slice(&serde_json::to_vec(value).unwrap_or_default());
}

struct Reader(Bytes);

impl Reader {
    fn take(&mut self, count: usize) -> Result<Bytes, Refused> {
        if self.0.len() < count {
            return Err(Refused::Malformed);
        }
        Ok(self.0.split_to(count))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let bytes = self.take(N)?;
        bytes[..].try_into().map_err(|_| Refused::Malformed)
    }

    fn u8(&mut self) -> Result<u8, Refused> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Refused> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, Refused> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    fn uuid(&mut self) -> Result<Uuid, Refused> {
        Ok(Uuid::from_bytes(self.array()?))
    }

    fn json<T: DeserializeOwned>(self) -> Result<T, Refused> {
        serde_json::from_slice(&self.0).map_err(|_| Refused::Malformed)
    }

    fn frame(self) -> Encoded {
        Encoded::received(self.0)
    }

    fn event(mut self, kind: u8, topic: Topic) -> Result<Event, Refused> {
        let signal = match kind {
            ENTRY => return self.entry(topic),
            READ => Signal::Read { user_id: UserId(self.uuid()?), frame: self.frame() },
            TYPING => Signal::Typing { user_id: UserId(self.uuid()?), frame: self.frame() },
            MARK => Signal::Mark {
                conversation_id: ConversationId(self.uuid()?),
                last_read_seq: self.i64()?,
                frame: self.frame(),
            },
            SETTINGS => {
                let (conversation_id, settings) = self.json()?;
                Signal::Settings { conversation_id, settings }
            }
            CHANGED => Signal::Changed,
            PROFILE => Signal::Profile { user: self.json()? },
            PRESENCE => Signal::Presence { presence: self.json()? },
            _ => return Err(Refused::Malformed),
        };
        Ok(Event::Signal(Arc::new(signal)))
    }

    fn entry(mut self, topic: Topic) -> Result<Event, Refused> {
        let Topic::Conversation(conversation_id) = topic else { return Err(Refused::Malformed) };
        let flags = self.u8()?;
        let (seq, subject_seq) = (self.i64()?, self.i64()?);
        let event_id = EventId(self.uuid()?);
        let prev_event_id = match flags & HAS_PREV {
            0 => None,
            _ => Some(EventId(self.uuid()?)),
        };
        let removed = match flags & HAS_REMOVED {
            0 => None,
            _ => Some(UserId(self.uuid()?)),
        };
        let frame = self.frame();
        Ok(Event::Entry(Arc::new(Entry {
            conversation_id,
            seq,
            event_id,
            prev_event_id,
            subject_seq,
            removed,
            frame,
        })))
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
