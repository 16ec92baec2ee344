//! Decoding what clients send, with limits.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    model::*,
    problem::{Misread, Problem},
};

/// A frame that was understood, or whose payload was not but which can be
/// answered.
#[derive(Debug)]
pub(super) struct Incoming {
    pub id: Option<FrameId>,
    pub frame: Result<ClientFrame, Problem>,
    /// For metrics; one of the contract's types.
    pub kind: &'static str,
}

/// Not a frame of this protocol: nothing to answer, the connection ends. Says
/// why without anything of the frame's content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadFrame(pub String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(default)]
    id: Option<FrameId>,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
}

pub(super) fn decode(text: &str) -> Result<Incoming, BadFrame> {
    let outer: Outer =
        serde_json::from_str(text).map_err(|error| BadFrame(Misread::from(&error).to_string()))?;
    if let Some(FrameId::Text(id)) = &outer.id
        && id.chars().count() > limits::FRAME_ID_CHARS
    {
        return Err(BadFrame(format!("id has more than {} characters", limits::FRAME_ID_CHARS)));
    }
    let payload = outer.payload.map_or("{}", RawValue::get);
    macro_rules! frames {
        ($($kind:literal => $variant:ident),* $(,)?) => {
            match outer.kind {
                $($kind => ($kind, read(payload).map(ClientFrame::$variant)),)*
                _ => return Err(BadFrame("this type of frame does not exist".into())),
            }
        };
    }
    let (kind, frame) = frames! {
        "authenticate" => Authenticate,
        "auth.renew" => AuthRenew,
        "hello" => Hello,
        "message.send" => MessageSend,
        "message.edit" => MessageEdit,
        "message.delete" => MessageDelete,
        "conversation.read" => ConversationRead,
        "user.typing" => UserTyping,
        "presence.set" => PresenceSet,
        "presence.watch" => PresenceWatch,
        "ping" => Ping,
    };
    Ok(Incoming { id: outer.id, frame, kind })
}

fn read<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, Problem> {
    serde_json::from_str(payload)
        .map_err(|error| Problem::misread(&error, format!("payload: {error}")))
}

/// The `error` answer for a problem.
pub(super) fn error(id: Option<FrameId>, problem: &Problem) -> ServerFrame {
    let payload = FrameError {
        code: problem.code.code().to_owned(),
        message: problem.detail.to_string(),
        retryable: problem.code.retryable(),
        retry_after_ms: problem.retry_after_ms(),
    };
    ServerFrame::Error { id, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_decoded_with_its_id() {
        let incoming = decode(r#"{"type":"ping","id":"a1"}"#).unwrap();
        assert_eq!(incoming.id, Some(FrameId::Text("a1".into())));
        assert_eq!(incoming.frame, Ok(ClientFrame::Ping(Empty {})));
        let numbered = decode(r#"{"type":"ping","id":7,"payload":{}}"#).unwrap();
        assert_eq!(numbered.id, Some(FrameId::Number(7)));
    }

    #[test]
    fn a_wrong_payload_can_be_answered() {
        for payload in [
            r#"{"conversation_id":"x","seq":1}"#,
            r#"{"seq":1}"#,
            r#"{"conversation_id":"0192f0c1-2345-7000-8000-000000000000","seq":1,"extra":1}"#,
            r#"{"conversation_id":"0192f0c1-2345-7000-8000-000000000000","seq":1,"seq":2}"#,
            r#"{"conversation_id":"0192f0c1-2345-7000-8000-000000000000","seq":1e999}"#,
        ] {
            let frame = format!(r#"{{"type":"conversation.read","id":1,"payload":{payload}}}"#);
            let incoming = decode(&frame).unwrap();
            assert!(incoming.frame.is_err(), "{payload}");
            assert_eq!(incoming.id, Some(FrameId::Number(1)));
        }
    }

    #[test]
    fn what_is_no_frame_ends_the_connection() {
        let nested = format!(r#"{{"type":"ping","payload":{}"#, "[".repeat(100_000));
        for text in [
            "",
            "{",
            "[]",
            "1",
            r#"{"id":1}"#,
            r#"{"type":"nonsense"}"#,
            r#"{"type":1}"#,
            r#"{"type":"ping"} x"#,
            r#"{"type":"ping","seq":1}"#,
            r#"{"type":"ping","type":"hello"}"#,
            &nested,
        ] {
            assert!(decode(text).is_err(), "{}", &text[..text.len().min(40)]);
        }
        let long = format!(r#"{{"type":"ping","id":"{}"}}"#, "i".repeat(65));
        assert!(decode(&long).is_err());
    }
}
