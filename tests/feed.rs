//! Two replicas that share nothing but Postgres: what one does, the other's
//! devices learn through the feed.

use std::time::Duration;

use parley::{
    bus::Bus,
    clock::Clock,
    hub::{DepartureSettings, Hub, new_origin},
    metrics::Metrics,
    model::*,
    shutdown::Shutdown,
};
use serde_json::json;

use crate::support::{
    client::{Ended, Person},
    cluster::{Cluster, Database},
    eventually,
    limits::SOON,
};

/// Invariant 6: complete within two seconds.
const COMPLETE: Duration = Duration::from_secs(2);

async fn two() -> (Cluster, String, String) {
    let cluster = Cluster::start(Database::Postgres, 2).await;
    let urls = [cluster.replicas[0].url.clone(), cluster.replicas[1].url.clone()];
    let [one, two] = urls;
    (cluster, one, two)
}

/// Three times the target: a busy machine must not fail the rule.
async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(COMPLETE * 3, what).await.expect("complete in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i06_messages_reach_the_devices_of_another_replica() {
    let (_cluster, one, two) = two().await;
    let (ada, bo) = (Person::register(&one, "ada").await, Person::register(&two, "bo").await);
    let id = ada.direct(&bo).await.id;
    let mut there = within(bo.connect()).await;
    for n in 0..5 {
        let sent = ada.say(id, &format!("{n}")).await;
        let come = within(there.message(id)).await;
        assert_eq!((come.id, come.seq, come.body), (sent.id, sent.seq, sent.body));
    }
    // And back, interleaved.
    let mut here = ada.connect().await;
    bo.say(id, "from there").await;
    ada.say(id, "from here").await;
    for text in ["from there", "from here"] {
        assert_eq!(within(here.message(id)).await.body.as_deref(), Some(text));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i06_memberships_reach_them() {
    let (_cluster, one, two) = two().await;
    let (ada, bo) = (Person::register(&one, "ada").await, Person::register(&two, "bo").await);
    let mut there = bo.connect().await;
    let id = ada.group("Across", &[]).await.id;
    let people = format!("/conversations/{id}/participants");
    ada.post(&people, json!({ "user_ids": [bo.id()] })).await;
    within(there.until(|frame| match frame {
        ServerFrame::ConversationAdded { conversation_id, .. } => {
            (*conversation_id == id).then_some(())
        }
        _ => None,
    }))
    .await;
    ada.delete(&format!("{people}/{}", bo.id())).await;
    within(there.until(|frame| match frame {
        ServerFrame::ConversationRemoved { conversation_id, .. } => {
            (*conversation_id == id).then_some(())
        }
        _ => None,
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i06_own_marks_and_settings_reach_them() {
    let (_cluster, one, two) = two().await;
    let (ada, bo) = (Person::register(&one, "ada").await, Person::register(&one, "bo").await);
    let id = ada.direct(&bo).await.id;
    let last = ada.say(id, "read me").await.seq;
    let mut there = bo.at(&two).connect().await;
    assert_eq!(there.snapshot[0].unread_count, 1);
    bo.post(&format!("/conversations/{id}/read"), json!({ "seq": last })).await;
    let mark = within(there.until(|frame| match frame {
        ServerFrame::ConversationRead { payload, .. } => Some(payload.clone()),
        _ => None,
    }))
    .await;
    assert_eq!((mark.last_read_seq, mark.unread_count), (last, Some(0)));
    bo.patch(&format!("/conversations/{id}/me"), json!({ "muted": true })).await;
    let settings = within(there.until(|frame| match frame {
        ServerFrame::ConversationSettings { payload, .. } => Some(*payload),
        _ => None,
    }))
    .await;
    assert_eq!(settings, Settings { muted: true, pinned: false });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_closes_sockets_on_every_replica() {
    let (_cluster, one, two) = two().await;
    let ada = Person::register(&one, "ada").await;
    let other = Person::login(&two, "ada").await;
    let mut here = ada.connect().await;
    let mut there = other.connect().await;
    let revoked = ada.delete(&format!("/devices/{}", other.device)).await;
    assert_eq!(revoked.status.as_u16(), 204);
    assert_eq!(within(there.ended()).await, Ended::Closed(4403));
    here.stays_quiet().await;
    ada.post("/auth/logout-all", json!({})).await;
    assert_eq!(within(here.ended()).await, Ended::Closed(4403));
    assert_eq!(ada.at(&two).get("/users/me").await.refused(401), "signed_out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_spent_on_all_replicas() {
    use crate::support::client::open_with;
    let (_cluster, one, two) = two().await;
    let ada = Person::register(&one, "ada").await;
    let ticket: serde_json::Value = ada.post("/auth/ticket", json!({})).await.ok();
    let query = format!("?token={}", ticket["ticket"].as_str().unwrap());
    let first = open_with(&one, &query, Default::default()).await;
    assert!(first.is_ok());
    for url in [&two, &one] {
        assert!(open_with(url, &query, Default::default()).await.is_err());
    }
}

/// A replica that slept through a failover tells what the database has lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_after_the_log_has_lost_it_is_not_believed_for_long() {
    let cluster = Cluster::start(Database::Postgres, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    let last = cluster.log(id).await.pop().expect("its creation");
    let (bus, arrivals) = Bus::local();
    let Bus::Local(local) = &bus else { panic!("a bus in this process") };
    let (sleeper, _) = local.sibling();
    let (clock, metrics, shutdown) = (Clock::default(), Metrics::new(), Shutdown::new());
    let store = cluster.store().clone();
    let leave = DepartureSettings::default();
    let hub = Hub::new(store, bus, new_origin(), clock.clone(), metrics, shutdown.clone(), leave);
    tokio::spawn(hub.clone().listen(arrivals, shutdown.kill_token()));
    tokio::spawn(hub.clone().follow_feed(Duration::from_millis(100), shutdown.kill_token()));
    let who = Principal { user: bo.id(), device: bo.device };
    let bo = hub.register(who, 1).await.expect("a place");
    let joined = hub.join(&[id], &bo.mailbox).await;
    joined[0].confirm(last.seq, last.event_id);

    let (seq, event_id) = (last.seq + 1, EventId::new());
    let lost = LogEntry { seq, event_id, prev_event_id: Some(last.event_id), ..last };
    let event = Event::Entry(Entry::encode(lost));
    let (topic, origin) = (Topic::Conversation(id), new_origin());
    let accepted_at = clock.now();
    let told = Envelope { topic, origin, accepted_at, trace: None, event };
    Bus::Local(sleeper).publish(vec![told]);
    let mut items = 0;
    eventually("it looks for itself", SOON, async || {
        let taken = bo.mailbox.take();
        items += taken.items.len();
        taken.behind.contains(&id).then_some(())
    })
    .await;
    assert_eq!(items, 1, "it was told");
    shutdown.begin_kill();
}
