use aws_lc_rs::hmac;
use proptest::prelude::*;

use super::*;

const HERE: u64 = 7;
const THERE: u64 = 8;

struct TwoKeys;

fn key(kid: &str) -> Arc<hmac::Key> {
    Arc::new(hmac::Key::new(hmac::HMAC_SHA256, kid.as_bytes()))
}

impl SealKeys for TwoKeys {
    fn signing(&self) -> (String, Arc<hmac::Key>) {
        ("new".into(), key("new"))
    }

    fn find(&self, kid: &str) -> Option<Arc<hmac::Key>> {
        ["new", "old"].contains(&kid).then(|| key(kid))
    }
}

fn envelope(topic: Topic, event: Event, trace: Option<TraceContext>) -> Envelope {
    let accepted_at = Timestamp::from_millis(1_790_000_000_123).unwrap();
    Envelope { topic, origin: THERE, accepted_at, trace, event }
}

fn frame(text: &str) -> Encoded {
    Encoded::received(Bytes::copy_from_slice(text.as_bytes()))
}

fn entry(prev: bool, removed: bool) -> Envelope {
    let conversation_id = ConversationId::new();
    let entry = Entry {
        conversation_id,
        seq: 41,
        event_id: EventId::new(),
        prev_event_id: prev.then(EventId::new),
        subject_seq: 40,
        removed: removed.then(UserId::new),
        frame: frame(r#"{"type":"message.new"}"#),
    };
    let trace = TraceContext { trace_id: [1; 16], span_id: [2; 8], sampled: true };
    let topic = Topic::Conversation(conversation_id);
    envelope(topic, Event::Entry(Arc::new(entry)), Some(trace))
}

fn signals() -> Vec<Envelope> {
    let at = Timestamp::from_millis(1_790_000_000_000).unwrap();
    let (id, user_id) = (ConversationId::new(), UserId::new());
    let user = User {
        id: user_id,
        username: "ada".into(),
        display_name: "Ada \u{1f6f0}".into(),
        created_at: at,
    };
    let status = PresenceStatus::Away;
    let presence = Presence { user_id, status, last_seen_at: Some(at) };
    let settings = Settings { muted: true, pinned: false };
    let (there, me) = (Topic::Conversation(id), Topic::User(user_id));
    let signals = [
        (there, Signal::Read { user_id, frame: frame("read") }),
        (there, Signal::Typing { user_id, frame: frame("typing") }),
        (me, Signal::Mark { conversation_id: id, last_read_seq: 9, frame: frame("mark") }),
        (me, Signal::Settings { conversation_id: id, settings }),
        (me, Signal::Changed),
        (me, Signal::Profile { user }),
        (me, Signal::Presence { presence }),
    ];
    signals
        .into_iter()
        .map(|(topic, signal)| envelope(topic, Event::Signal(Arc::new(signal)), None))
        .collect()
}

fn all() -> Vec<Envelope> {
    let entries = [(false, false), (true, false), (false, true), (true, true)];
    let mut all = signals();
    all.extend(entries.map(|(prev, removed)| entry(prev, removed)));
    all
}

#[test]
fn what_is_sealed_opens_as_it_was() {
    for envelope in all() {
        let bytes = sealed(&envelope, "a channel", &TwoKeys);
        let opened = opened(&bytes, "a channel", envelope.topic, HERE, &TwoKeys).unwrap();
        assert_eq!(format!("{opened:?}"), format!("{envelope:?}"));
    }
}

#[test]
fn the_frame_is_a_slice_of_what_came_in() {
    let envelope = entry(true, false);
    let bytes = sealed(&envelope, "c", &TwoKeys);
    let opened = opened(&bytes, "c", envelope.topic, HERE, &TwoKeys).unwrap();
    let Event::Entry(entry) = opened.event else { panic!("an entry") };
    let whole = bytes.as_ptr() as usize..bytes.as_ptr() as usize + bytes.len();
    assert!(whole.contains(&(entry.frame.bytes().as_ptr() as usize)));
}

#[test]
fn own_and_foreign_are_told_apart() {
    let envelope = entry(true, false);
    let bytes = sealed(&envelope, "c", &TwoKeys);
    let open = |channel, own| opened(&bytes, channel, envelope.topic, own, &TwoKeys).err();
    assert_eq!(open("c", THERE), Some(Refused::Own));
    assert_eq!(open("another", HERE), Some(Refused::Forged), "sealed for one channel only");
    let user = Topic::User(UserId::new());
    let elsewhere = opened(&bytes, "c", user, HERE, &TwoKeys).err();
    assert_eq!(elsewhere, Some(Refused::Malformed), "entries are of conversations");
}

#[test]
fn a_key_that_is_gone_opens_nothing() {
    struct Stranger;
    impl SealKeys for Stranger {
        fn signing(&self) -> (String, Arc<hmac::Key>) {
            ("elsewhere".into(), key("elsewhere"))
        }
        fn find(&self, _kid: &str) -> Option<Arc<hmac::Key>> {
            None
        }
    }
    let envelope = entry(true, false);
    let bytes = sealed(&envelope, "c", &Stranger);
    let refused = opened(&bytes, "c", envelope.topic, HERE, &TwoKeys).err();
    assert_eq!(refused, Some(Refused::UnknownKey));
}

proptest! {
    #[test]
    fn no_changed_byte_goes_unnoticed(which in 0..11_usize, at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let envelope = all().swap_remove(which);
        let mut bytes = sealed(&envelope, "c", &TwoKeys).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(opened(&bytes.into(), "c", envelope.topic, HERE, &TwoKeys).is_err());
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let topic = Topic::Conversation(ConversationId::new());
        prop_assert!(opened(&bytes.into(), "c", topic, HERE, &TwoKeys).is_err());
    }
}
