//! Pure types: what travels on the wire and what the log is made of. No I/O,
//! no async, no clock. The JSON Schemas and the TypeScript of the web client
//! are generated from here.

mod conversation;
mod envelope;
mod event;
mod frame;
mod ids;
pub mod limits;
mod message;
mod rest;
mod secret;
pub mod text;
mod time;
mod trace;
mod user;

pub use conversation::{Conversation, ConversationKind, Participant, ReadMark, Role};
pub use envelope::{Encoded, Entry, Envelope, Event, Signal, Topic};
pub use event::{LogChange, LogEntry};
pub use frame::*;
pub use ids::{
    ClientId, ClientMessageId, ConversationId, DeviceId, EventId, Principal, Seq, UserId,
};
pub use message::{Change, Message, MessageKind, SystemEvent};
pub use rest::*;
pub use secret::Secret;
pub use text::InvalidField;
pub use time::Timestamp;
pub use trace::TraceContext;
pub use user::{Device, PresenceStatus, User};
