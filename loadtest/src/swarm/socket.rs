//! One device: from connecting to live, and its position in every log.

use std::{
    collections::HashMap,
    fmt::{self, Display},
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::Duration,
};

use mio::net::TcpStream;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Tally;
use crate::{
    Outcome,
    frame::{self, Entry, Frame, Kind},
};

/// The highest entry applied without a hole.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    pub conversation: Uuid,
    pub seq: i64,
    pub event: Option<Uuid>,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Up to the end of the answer to the upgrade.
    Upgrading,
    /// Up to `live`.
    Greeting,
    Live,
    Ended(End),
}

/// Why a connection is over.
#[derive(Clone, Debug)]
pub enum End {
    /// This side wanted it.
    Here,
    /// Told to come again, after a time if one was named.
    Later(Option<Duration>),
    Closed(Option<u16>),
    Lost,
}

impl Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("ended from here"),
            Self::Later(after) => write!(f, "told to come later: {after:?}"),
            Self::Closed(code) => write!(f, "closed by the gateway: {code:?}"),
            Self::Lost => f.write_str("lost"),
        }
    }
}

pub struct Socket {
    pub(super) stream: TcpStream,
    pub(super) phase: Phase,
    pub(super) stalled: bool,
    /// Its deliveries count for latencies.
    pub(super) sampled: bool,
    pub(super) positions: Vec<Position>,
    /// The beginning of a frame whose end is not here yet.
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// Asked to come again, after this time.
    told_to_leave: Option<Duration>,
    /// Entries that came before `live`, from a position that was told.
    pub resumed: u64,
}

#[derive(Deserialize)]
struct Conversations {
    payload: Items,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: Uuid,
    last_seq: i64,
    last_event_id: Option<Uuid>,
}

#[derive(Serialize)]
struct Cursor {
    seq: i64,
    event_id: Option<Uuid>,
}

impl Socket {
    fn new(stream: TcpStream, phase: Phase) -> Self {
        Self {
            stream,
            phase,
            stalled: false,
            sampled: true,
            positions: Vec::new(),
            inbox: Vec::new(),
            outbox: Vec::new(),
            told_to_leave: None,
            resumed: 0,
        }
    }

    /// The request goes out when the socket turns out to be writable.
    pub(super) fn connecting(stream: TcpStream, address: SocketAddr, token: &str) -> Self {
        let mut socket = Self::new(stream, Phase::Upgrading);
        socket.outbox = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: bG9hZHRlc3QgbG9hZHRlcw==\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        .into_bytes();
        socket
    }

    pub(super) fn live(stream: TcpStream, position: Position) -> Self {
        let mut socket = Self::new(stream, Phase::Live);
        socket.positions = vec![position];
        socket
    }

    pub(super) fn listens(&self) -> bool {
        matches!(self.phase, Phase::Live) && !self.stalled
    }

    /// How it ended, if it did.
    pub fn ended(&self) -> Option<&End> {
        match &self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    pub(super) fn send(&mut self, frame: &[u8]) {
        self.outbox.extend_from_slice(frame);
        self.flush();
    }

    /// An error shows when reading.
    pub(super) fn flush(&mut self) {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(written) => drop(self.outbox.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if self.outbox.is_empty() {
            self.outbox = Vec::new();
        }
    }

    pub(super) fn read(&mut self, index: usize, scratch: &mut [u8], tally: &mut Tally) {
        while !self.stalled && self.ended().is_none() {
            match self.stream.read(scratch) {
                Ok(0) => self.end(End::Lost, index, tally),
                Ok(length) => {
                    self.receive(index, &scratch[..length], tally);
                    // Less than asked for: there is no more, says epoll(7).
                    if length < scratch.len() {
                        return;
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::NotConnected => return,
                    _ => self.end(End::Lost, index, tally),
                },
            }
        }
    }

    fn receive(&mut self, index: usize, bytes: &[u8], tally: &mut Tally) {
        if self.inbox.is_empty() {
            let taken = self.take(index, bytes, tally);
            self.inbox.extend_from_slice(&bytes[taken..]);
            return;
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        inbox.extend_from_slice(bytes);
        let taken = self.take(index, &inbox, tally);
        // A new one, lest each socket keeps the largest it ever had.
        self.inbox = inbox[taken..].to_vec();
    }

    /// How many of the bytes were whole frames.
    fn take(&mut self, index: usize, bytes: &[u8], tally: &mut Tally) -> usize {
        let mut at = 0;
        while self.ended().is_none() {
            if let Phase::Upgrading = self.phase {
                let head = bytes.windows(4).position(|end| end == b"\r\n\r\n");
                let Some(head) = head else { break };
                self.upgraded(index, &bytes[..head], &bytes[head..], tally);
                at = head + 4;
                continue;
            }
            let Some((frame, length)) = frame::split(&bytes[at..]) else { break };
            match frame {
                Frame::Text(text) => self.hear(index, text, length, tally),
                Frame::Ping => self.send(&frame::PONG),
                Frame::Pong => {}
                Frame::Close(code) => {
                    let end = match (code, self.told_to_leave) {
                        (Some(1012 | 1013), Some(after)) => End::Later(Some(after)),
                        _ => End::Closed(code),
                    };
                    self.end(end, index, tally);
                }
            }
            at += length;
        }
        at
    }

    fn upgraded(&mut self, index: usize, head: &[u8], body: &[u8], tally: &mut Tally) {
        if !head.starts_with(b"HTTP/1.1 101") {
            let end = match head.starts_with(b"HTTP/1.1 503") {
                true => End::Later(named_time(body, "retry_after_ms")),
                false => End::Lost,
            };
            return self.end(end, index, tally);
        }
        self.phase = Phase::Greeting;
        let cursor = |at: &Position| (at.conversation, Cursor { seq: at.seq, event_id: at.event });
        let cursors: HashMap<Uuid, Cursor> = self.positions.iter().map(cursor).collect();
        let cursors = serde_json::to_string(&cursors).unwrap_or_default();
        let hello = format!(r#"{{"type":"hello","payload":{{"cursors":{cursors}}}}}"#);
        self.send(&frame::text(&hello));
    }

    fn hear(&mut self, index: usize, text: &[u8], length: usize, tally: &mut Tally) {
        match frame::kind(text) {
            Kind::Message(entry) => {
                let sampled = self.sampled;
                tally.delivery(length, || if sampled { frame::sent_at(text) } else { None });
                self.apply(entry, tally);
            }
            Kind::Other(entry) => self.apply(entry, tally),
            Kind::Ack { conversation, seq } => tally.acknowledge(index, conversation, seq),
            Kind::Refusal => tally.refuse(index, text),
            Kind::Conversations => {
                if self.snapshot(text).is_err() {
                    self.end(End::Lost, index, tally);
                }
            }
            Kind::Live => {
                self.phase = Phase::Live;
                tally.changed.push(index);
            }
            Kind::Reset => tally.wrong.reset += 1,
            Kind::Reconnect => {
                self.told_to_leave = Some(named_time(text, "after_ms").unwrap_or_default());
            }
            Kind::Ready | Kind::Aside => {}
        }
    }

    /// A conversation begins where the snapshot stands, unless this device
    /// stood somewhere already.
    fn snapshot(&mut self, text: &[u8]) -> Outcome {
        let Conversations { payload } = serde_json::from_slice(text)?;
        for Item { id, last_seq, last_event_id } in payload.items {
            if !self.positions.iter().any(|position| position.conversation == id) {
                let begin = Position { conversation: id, seq: last_seq, event: last_event_id };
                self.positions.push(begin);
            }
        }
        Ok(())
    }

    fn apply(&mut self, Entry { conversation, seq, event }: Entry, tally: &mut Tally) {
        self.resumed += u64::from(matches!(self.phase, Phase::Greeting));
        let known = self.positions.iter_mut().find(|at| at.conversation == conversation);
        let Some(position) = known else {
            tally.wrong.reordered += 1;
            return;
        };
        match seq - position.seq {
            1 => {}
            0 => tally.wrong.doubled += 1,
            ahead @ 2.. => tally.wrong.lost += ahead.unsigned_abs() - 1,
            _ => tally.wrong.reordered += 1,
        }
        if seq > position.seq {
            (position.seq, position.event) = (seq, Some(event));
        }
    }

    pub(super) fn end(&mut self, end: End, index: usize, tally: &mut Tally) {
        let expected = self.stalled || matches!(end, End::Here | End::Later(_));
        tally.wrong.ended += u64::from(!expected);
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        self.phase = Phase::Ended(end);
        self.inbox = Vec::new();
        tally.changed.push(index);
    }
}

/// Milliseconds that a refusal names.
fn named_time(text: &[u8], name: &str) -> Option<Duration> {
    let text = std::str::from_utf8(text).ok()?;
    let (_, rest) = text.split_once(&format!("\"{name}\":"))?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> Socket {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let begin = Position { conversation: Uuid::nil(), seq: 1, event: None };
        Socket::live(TcpStream::from_std(stream), begin)
    }

    fn entry(seq: i64) -> Vec<u8> {
        let id = Uuid::nil();
        let text = format!(
            r#"{{"type":"message.new","conversation_id":"{id}","seq":{seq},"event_id":"{id}","payload":{{}}}}"#
        );
        let mut frame = vec![0x81, 126];
        frame.extend_from_slice(&(text.len() as u16).to_be_bytes());
        frame.extend_from_slice(text.as_bytes());
        frame
    }

    fn heard(seqs: &[i64]) -> (Socket, Tally) {
        let (mut socket, mut tally) = (socket(), Tally::new());
        for seq in seqs {
            socket.receive(0, &entry(*seq), &mut tally);
        }
        (socket, tally)
    }

    #[test]
    fn what_is_in_order_is_not_wrong() {
        let (socket, tally) = heard(&[2, 3, 4]);
        assert!(tally.wrong.is_nothing());
        assert_eq!((tally.delivered, socket.positions[0].seq), (3, 4));
    }

    #[test]
    fn holes_repeats_and_disorder_are_told_apart() {
        assert_eq!(heard(&[2, 5]).1.wrong.lost, 2);
        assert_eq!(heard(&[2, 2]).1.wrong.doubled, 1);
        let wrong = heard(&[3, 2]).1.wrong;
        assert_eq!((wrong.lost, wrong.reordered), (1, 1));
    }

    #[test]
    fn frames_may_come_in_any_pieces() {
        let bytes = [entry(2), entry(3), entry(4)].concat();
        for size in [1, 2, 3, 7, 100, 500] {
            let (mut socket, mut tally) = (socket(), Tally::new());
            for piece in bytes.chunks(size) {
                socket.receive(0, piece, &mut tally);
            }
            assert!(tally.wrong.is_nothing(), "{size}");
            assert_eq!((tally.delivered, tally.bytes), (3, bytes.len() as u64), "{size}");
        }
    }

    #[test]
    fn a_refusal_names_its_time() {
        let after = named_time(br#"{"code":"overloaded","retry_after_ms":1250}"#, "retry_after_ms");
        assert_eq!(after, Some(Duration::from_millis(1250)));
        assert_eq!(named_time(b"{}", "retry_after_ms"), None);
    }
}
