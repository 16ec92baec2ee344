//! The bus's contract: each rule on the channels within a process and on
//! Redis. What only Redis can do wrong follows in a file of its own.

#![deny(dead_code)]

mod redis;

use std::sync::Arc;

use bytes::Bytes;
use parley::{
    auth::{BusKeys, KeySet, Keys, keys::Key},
    bus::{Arrival, Arrivals, Bus, LocalBus, RedisBus},
    clock::Clock,
    metrics::Metrics,
    model::*,
    shutdown::Shutdown,
};
use tokio::time::timeout;

use crate::support::{
    eventually,
    limits::{PROCESS, QUIET, SOON},
    redis as server,
};

/// Makes one test per rule and bus.
macro_rules! bus_contract {
    ($($rule:ident),* $(,)?) => {
        mod on_redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(super::two_ends_on(&super::server::shared().await).await).await
                }
            )*
        }
        mod in_process {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(super::two_ends_in_process()).await
                }
            )*
        }
    };
}

bus_contract![
    what_is_published_arrives_once_and_in_order,
    every_kind_of_event_arrives_as_it_was,
    a_subscription_holds_once_subscribe_returns,
    only_what_was_subscribed_to_arrives,
    what_an_end_publishes_does_not_come_back_to_it,
    a_topic_left_and_taken_up_again_is_heard,
    an_end_that_does_not_look_is_told_of_a_gap,
];

/// Two replicas' ends of one bus.
pub struct Ends {
    one: End,
    two: End,
}

pub struct End {
    bus: Bus,
    arrivals: Arrivals,
    origin: u64,
    metrics: Metrics,
    shutdown: Shutdown,
}

impl Drop for End {
    fn drop(&mut self) {
        self.shutdown.begin_kill();
    }
}

fn two_ends_in_process() -> Ends {
    let (one, one_in) = LocalBus::new();
    let (two, two_in) = one.sibling();
    let end = |bus, arrivals, origin| End {
        bus: Bus::Local(bus),
        arrivals,
        origin,
        metrics: Metrics::new(),
        shutdown: Shutdown::new(),
    };
    Ends { one: end(one, one_in, 1), two: end(two, two_in, 2) }
}

/// Keys that all ends of a test share.
fn keys() -> Keys {
    let now = Clock::default().now();
    Keys::fixed(KeySet::new(vec![Key::generate(now, now).unwrap()]).unwrap())
}

/// An end on Redis that does not wait for it.
fn end_on(url: &str, origin: u64, keys: &Keys) -> End {
    let (metrics, shutdown) = (Metrics::new(), Shutdown::new());
    let seals = Arc::new(BusKeys { keys: keys.clone(), clock: Clock::default() });
    let (bus, arrivals) = RedisBus::open(url, origin, seals, metrics.clone()).unwrap();
    let bus = Bus::Redis(bus);
    bus.start(&shutdown);
    End { bus, arrivals, origin, metrics, shutdown }
}

async fn two_ends_on(url: &str) -> Ends {
    let keys = keys();
    let ends = Ends { one: end_on(url, 1, &keys), two: end_on(url, 2, &keys) };
    ends.one.is_heard().await;
    ends.two.is_heard().await;
    ends
}

impl End {
    async fn is_heard(&self) {
        eventually("Redis is reached", SOON, async || self.bus.is_up().then_some(())).await;
    }

    fn publish(&self, events: impl IntoIterator<Item = (Topic, Event)>) {
        let accepted_at = Clock::default().now();
        let envelope = |(topic, event)| Envelope {
            topic,
            origin: self.origin,
            accepted_at,
            trace: None,
            event,
        };
        self.bus.publish(events.into_iter().map(envelope).collect());
    }

    /// The next envelope; what else arrives is a failure.
    async fn next(&mut self) -> Envelope {
        match timeout(SOON, self.arrivals.recv()).await.expect("an arrival in time") {
            Some(Arrival::Envelope(envelope)) => envelope,
            other => panic!("expected an envelope, got {other:?}"),
        }
    }

    /// Passes over arrivals up to a gap.
    async fn gap(&mut self) {
        let gap = async { while !matches!(self.arrivals.recv().await, Some(Arrival::Gap)) {} };
        timeout(SOON, gap).await.expect("a gap in time");
    }

    /// Envelopes that have come in over Redis.
    fn received(&self) -> u64 {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix("parley_bus_received_total "));
        line.and_then(|count| count.parse().ok()).unwrap_or_default()
    }

    async fn stays_quiet(&mut self) {
        if let Ok(arrival) = timeout(QUIET, self.arrivals.recv()).await {
            panic!("expected silence, got {arrival:?}");
        }
    }
}

fn conversation() -> (ConversationId, Topic) {
    let id = ConversationId::new();
    (id, Topic::Conversation(id))
}

fn entry(conversation_id: ConversationId, seq: Seq) -> Event {
    let text = format!(r#"{{"type":"message.new","seq":{seq}}}"#);
    Event::Entry(Arc::new(Entry {
        conversation_id,
        seq,
        event_id: EventId::new(),
        prev_event_id: Some(EventId::new()),
        subject_seq: seq,
        removed: None,
        frame: Encoded::received(Bytes::from(text)),
    }))
}

fn seq_of(envelope: &Envelope) -> Seq {
    match &envelope.event {
        Event::Entry(entry) => entry.seq,
        other => panic!("not an entry: {other:?}"),
    }
}

async fn what_is_published_arrives_once_and_in_order(mut ends: Ends) {
    let (id, topic) = conversation();
    ends.two.bus.subscribe(&[topic]).await;
    for seq in 1..=2_000 {
        ends.one.publish([(topic, entry(id, seq))]);
    }
    for seq in 1..=2_000 {
        assert_eq!(seq_of(&ends.two.next().await), seq);
    }
    ends.two.stays_quiet().await;
}

async fn every_kind_of_event_arrives_as_it_was(mut ends: Ends) {
    let (id, there) = conversation();
    let user_id = UserId::new();
    let me = Topic::User(user_id);
    ends.two.bus.subscribe(&[there, me]).await;
    let at = Clock::default().now();
    let user =
        User { id: user_id, username: "u".into(), display_name: "Ü".into(), created_at: at };
    let presence = Presence { user_id, status: PresenceStatus::Offline, last_seen_at: Some(at) };
    let frame = || Encoded::new(&ServerFrame::Heartbeat { payload: Empty {} });
    let settings = Settings { muted: true, pinned: true };
    let signals = [
        (there, Signal::Read { user_id, frame: frame() }),
        (there, Signal::Typing { user_id, frame: frame() }),
        (me, Signal::Mark { conversation_id: id, last_read_seq: 7, frame: frame() }),
        (me, Signal::Settings { conversation_id: id, settings }),
        (me, Signal::Changed),
        (me, Signal::Profile { user }),
        (me, Signal::Presence { presence }),
    ];
    let signals = signals.map(|(topic, signal)| (topic, Event::Signal(Arc::new(signal))));
    let events: Vec<_> = signals.into_iter().chain([(there, entry(id, 5))]).collect();
    ends.one.publish(events.clone());
    for (topic, event) in events {
        let come = ends.two.next().await;
        assert_eq!(come.topic, topic);
        assert_eq!(format!("{:?}", come.event), format!("{event:?}"));
    }
}

async fn a_subscription_holds_once_subscribe_returns(mut ends: Ends) {
    for seq in 1..=100 {
        let (id, topic) = conversation();
        ends.two.bus.subscribe(&[topic]).await;
        ends.one.publish([(topic, entry(id, seq))]);
        assert_eq!(seq_of(&ends.two.next().await), seq);
    }
}

async fn only_what_was_subscribed_to_arrives(mut ends: Ends) {
    let ((wanted, topic), (other, elsewhere)) = (conversation(), conversation());
    ends.two.bus.subscribe(&[topic]).await;
    ends.one.publish([(elsewhere, entry(other, 1)), (topic, entry(wanted, 2))]);
    assert_eq!(ends.two.next().await.topic, topic);
    ends.two.stays_quiet().await;
}

async fn what_an_end_publishes_does_not_come_back_to_it(mut ends: Ends) {
    let (id, topic) = conversation();
    ends.one.bus.subscribe(&[topic]).await;
    ends.two.bus.subscribe(&[topic]).await;
    ends.one.publish([(topic, entry(id, 1))]);
    assert_eq!(seq_of(&ends.two.next().await), 1);
    ends.two.publish([(topic, entry(id, 2))]);
    assert_eq!(seq_of(&ends.one.next().await), 2);
    ends.one.stays_quiet().await;
}

async fn a_topic_left_and_taken_up_again_is_heard(mut ends: Ends) {
    let (id, topic) = conversation();
    for seq in 1..=50 {
        ends.two.bus.subscribe(&[topic]).await;
        ends.one.publish([(topic, entry(id, seq))]);
        assert_eq!(seq_of(&ends.two.next().await), seq);
        ends.two.bus.unsubscribe(&[topic]);
    }
}

async fn an_end_that_does_not_look_is_told_of_a_gap(mut ends: Ends) {
    let (id, topic) = conversation();
    ends.two.bus.subscribe(&[topic]).await;
    // At a pace that the way there bears, until there is no room, and then
    // some more: those have arrived once Redis has counted them.
    let mut seq = 0;
    let mut publish = |count: Seq| {
        ends.one.publish((seq..seq + count).map(|seq| (topic, entry(id, seq))));
        seq += count;
    };
    // Tens of thousands, sealed and opened, while other tests run.
    eventually("there is no room", PROCESS, async || {
        publish(2_000);
        ends.two.arrivals.is_full().then_some(())
    })
    .await;
    let before = ends.two.received();
    publish(1_000);
    if matches!(ends.two.bus, Bus::Redis(_)) {
        // Two: by then the first of them has found no room.
        let more = async || (ends.two.received() > before + 1).then_some(());
        eventually("more has come", PROCESS, more).await;
    }
    ends.two.gap().await;
}
