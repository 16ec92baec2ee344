//! The wire, as far as it must be understood to count: where frames begin, and
//! which entry of which log each one is. Frames are told apart by their first
//! bytes and never parsed as JSON: the gateway writes their fields in one order.

use uuid::Uuid;

/// One frame of the server, whole.
#[derive(Debug, PartialEq)]
pub enum Frame<'a> {
    Text(&'a [u8]),
    Ping,
    Close(Option<u16>),
    Pong,
}

/// The first frame of these bytes and its length; none while it is not all here.
pub fn split(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (start, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (10, usize::try_from(length).ok()?)
        }
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(start..start + length)?;
    let frame = match first & 0x0f {
        8 => Frame::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
        9 => Frame::Ping,
        10 => Frame::Pong,
        _ => Frame::Text(payload),
    };
    Some((frame, start + length))
}

/// A text frame of a client. The mask is all zeros: allowed, and it saves the
/// generator from masking.
pub fn text(payload: &str) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(0x81);
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        middle @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload.as_bytes());
    frame
}

/// The answer to a ping, which never has a payload here.
pub const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// What is sent into a conversation, with the time of sending in its body.
pub fn send(
    id: u64,
    conversation: Uuid,
    client_msg_id: Uuid,
    nanos: u64,
    padding: &str,
) -> Vec<u8> {
    text(&format!(
        r#"{{"type":"message.send","id":{id},"payload":{{"conversation_id":"{conversation}","client_msg_id":"{client_msg_id}","body":"{STAMP}{nanos:020} {padding}"}}}}"#
    ))
}

const STAMP: &str = "sent at ";

/// When the message of this frame was sent.
pub fn sent_at(frame: &[u8]) -> Option<u64> {
    let key = br#""body":"sent at "#;
    let at = frame.windows(key.len()).position(|window| window == key)? + key.len();
    std::str::from_utf8(frame.get(at..at + 20)?).ok()?.parse().ok()
}

/// What a text frame of the server is.
#[derive(Debug, PartialEq)]
pub enum Kind {
    /// A new message.
    Message(Entry),
    /// Something else that has a place in the log.
    Other(Entry),
    /// A send was committed.
    Ack {
        conversation: Uuid,
        seq: i64,
    },
    Refusal,
    Conversations,
    Ready,
    Live,
    Reset,
    Reconnect,
    Aside,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    pub conversation: Uuid,
    pub seq: i64,
    pub event: Uuid,
}

pub fn kind(frame: &[u8]) -> Kind {
    let Some(rest) = frame.strip_prefix(br#"{"type":""#) else { return Kind::Aside };
    let Some(end) = rest.iter().position(|byte| *byte == b'"') else { return Kind::Aside };
    let (name, rest) = rest.split_at(end);
    match name {
        b"message.new" => entry(rest).map_or(Kind::Aside, Kind::Message),
        b"message.updated" | b"log.skip" => entry(rest).map_or(Kind::Aside, Kind::Other),
        b"ack" => acknowledged(rest).unwrap_or(Kind::Aside),
        b"error" => Kind::Refusal,
        b"conversations" => Kind::Conversations,
        b"ready" => Kind::Ready,
        b"live" => Kind::Live,
        b"conversation.reset" => Kind::Reset,
        b"reconnect" => Kind::Reconnect,
        _ => Kind::Aside,
    }
}

fn entry(rest: &[u8]) -> Option<Entry> {
    let rest = rest.strip_prefix(br#"","conversation_id":""#)?;
    let (conversation, rest) = identifier(rest)?;
    let (seq, rest) = number(rest.strip_prefix(br#"","seq":"#)?)?;
    let (event, _) = identifier(rest.strip_prefix(br#","event_id":""#)?)?;
    Some(Entry { conversation, seq, event })
}

fn acknowledged(rest: &[u8]) -> Option<Kind> {
    let (_, rest) = number(rest.strip_prefix(br#"","id":"#)?)?;
    let (conversation, rest) =
        identifier(rest.strip_prefix(br#","payload":{"conversation_id":""#)?)?;
    let (seq, _) = number(rest.strip_prefix(br#"","seq":"#)?)?;
    Some(Kind::Ack { conversation, seq })
}

fn identifier(bytes: &[u8]) -> Option<(Uuid, &[u8])> {
    let (text, rest) = bytes.split_at_checked(36)?;
    Some((Uuid::try_parse_ascii(text).ok()?, rest))
}

fn number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = bytes.split_at(end);
    let digit = |sum: i64, byte: &u8| sum.checked_mul(10)?.checked_add(i64::from(byte - b'0'));
    Some((digits.iter().try_fold(0, digit)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01a22131-ef3e-7652-80be-7fa77878e417";

    fn id() -> Uuid {
        ID.parse().unwrap()
    }

    #[test]
    fn frames_are_found_whole_or_not_at_all() {
        for length in [0, 5, 125, 126, 65_535, 65_536] {
            let mut bytes = text(&"x".repeat(length));
            // As a server writes it: without a mask.
            bytes[1] &= 0x7f;
            let header = bytes.len() - length - 4;
            bytes.drain(header..header + 4);
            let payload = vec![b'x'; length];
            assert_eq!(split(&bytes), Some((Frame::Text(&payload), bytes.len())), "{length}");
            assert_eq!(split(&bytes[..bytes.len() - 1]), None, "{length}");
        }
        assert_eq!(split(&[0x89, 0, 1]), Some((Frame::Ping, 2)));
        assert_eq!(split(&[0x88, 2, 0x03, 0xf4]), Some((Frame::Close(Some(1012)), 4)));
        assert_eq!(split(&[0x88, 0]), Some((Frame::Close(None), 2)));
    }

    #[test]
    fn an_entry_is_read_from_its_first_bytes() {
        let body = format!(
            r#"{{"type":"message.new","conversation_id":"{ID}","seq":20,"event_id":"{ID}","payload":{{}}}}"#
        );
        let entry = Entry { conversation: id(), seq: 20, event: id() };
        assert_eq!(kind(body.as_bytes()), Kind::Message(entry));
        let skip = body.replace("message.new", "log.skip");
        assert_eq!(kind(skip.as_bytes()), Kind::Other(entry));
        let ack = format!(
            r#"{{"type":"ack","id":7,"payload":{{"conversation_id":"{ID}","seq":21,"message_id":"{ID}"}}}}"#
        );
        assert_eq!(kind(ack.as_bytes()), Kind::Ack { conversation: id(), seq: 21 });
        assert_eq!(kind(br#"{"type":"live","payload":{}}"#), Kind::Live);
        assert_eq!(kind(b"[]"), Kind::Aside);
    }

    #[test]
    fn the_time_of_sending_comes_back() {
        let sent = send(1, id(), id(), 1_234, "and so on");
        assert_eq!(sent_at(&sent), Some(1_234));
        assert_eq!(sent_at(br#"{"body":"hello"}"#), None);
    }
}
