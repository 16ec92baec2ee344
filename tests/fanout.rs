//! Several replicas over one Postgres and one Redis: what one does, the
//! others' devices learn at once. The feed is slowed down to once a minute:
//! what arrives here, Redis has carried.

use std::time::Duration;

use futures_util::future::join_all;
use parley::model::*;
use serde_json::json;

use crate::support::{
    client::{Device, Ended, Person},
    cluster::Cluster,
    redis::Server,
};

const SELDOM: Duration = Duration::from_secs(60);

/// The replicas, each with somebody registered on it.
async fn replicas<const N: usize>(names: [&str; N]) -> (Server, Cluster, [Person; N]) {
    let redis = Server::start().await;
    let cluster = Cluster::on_redis(N, &redis.url(), |config| config.feed_interval = SELDOM).await;
    let mut people = Vec::new();
    for (replica, name) in cluster.replicas.iter().zip(names) {
        people.push(Person::register(&replica.url, name).await);
    }
    (redis, cluster, people.try_into().ok().expect("as many as names"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_everywhere_in_one_order() {
    let (_redis, _cluster, people) = replicas(["ada", "bo", "cy"]).await;
    let [ada, bo, cy] = &people;
    let id = ada.group("Everywhere", &[bo, cy]).await.id;
    let mut devices = join_all(people.iter().map(Person::connect)).await;
    let said = join_all(people.iter().enumerate().flat_map(|(who, person)| {
        (0..20).map(move |n| async move { person.say(id, &format!("{who}/{n}")).await.seq })
    }))
    .await;
    let mut said = said;
    said.sort_unstable();
    assert_eq!(said, (2..=61).collect::<Vec<_>>(), "seq 1 made the group");
    for device in &mut devices {
        for seq in &said {
            assert_eq!(device.message(id).await.seq, *seq);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_and_deletions_follow() {
    let (_redis, _cluster, [ada, bo]) = replicas(["ada", "bo"]).await;
    let id = ada.direct(&bo).await.id;
    let seq = ada.say(id, "first").await.seq;
    let mut there = bo.connect().await;
    let path = format!("/conversations/{id}/messages/{seq}");
    ada.patch(&path, json!({ "body": "second" })).await;
    ada.delete(&path).await;
    for body in [Some("second"), None] {
        let message = there
            .until(|frame| match frame {
                ServerFrame::MessageUpdated { payload, .. } => Some(payload.message.clone()),
                _ => None,
            })
            .await;
        assert_eq!((message.seq, message.body.as_deref()), (seq, body));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memberships_marks_and_settings_follow() {
    let (_redis, cluster, [ada, bo]) = replicas(["ada", "bo"]).await;
    let here = &cluster.replicas[0].url;
    let mut there = bo.connect().await;
    let id = ada.group("Come", &[]).await.id;
    let people = format!("/conversations/{id}/participants");
    ada.post(&people, json!({ "user_ids": [bo.id()] })).await;
    there.until(|frame| matches!(frame, ServerFrame::ConversationAdded { .. }).then_some(())).await;
    let last = ada.say(id, "read me").await.seq;
    while there.message(id).await.seq < last {}

    // What bo does on one replica reaches bo's device on the other, and ada's.
    let mut mine = ada.connect().await;
    let elsewhere = bo.at(here);
    elsewhere.post(&format!("/conversations/{id}/read"), json!({ "seq": last })).await;
    let mark = mark_of(&mut there).await;
    assert_eq!((mark.last_read_seq, mark.unread_count), (last, Some(0)));
    let mark = mark_of(&mut mine).await;
    assert_eq!((mark.user_id, mark.last_read_seq, mark.unread_count), (bo.id(), last, None));
    elsewhere.patch(&format!("/conversations/{id}/me"), json!({ "muted": true })).await;
    let settings = there
        .until(|frame| match frame {
            ServerFrame::ConversationSettings { payload, .. } => Some(*payload),
            _ => None,
        })
        .await;
    assert!(settings.muted);

    ada.delete(&format!("{people}/{}", bo.id())).await;
    there
        .until(|frame| matches!(frame, ServerFrame::ConversationRemoved { .. }).then_some(()))
        .await;
    ada.say(id, "without bo").await;
    there.stays_quiet().await;
}

async fn mark_of(device: &mut Device) -> MarkMoved {
    device
        .until(|frame| match frame {
            ServerFrame::ConversationRead { payload, .. } => Some(payload.clone()),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typing_presence_and_names_follow() {
    let (_redis, _cluster, [ada, bo]) = replicas(["ada", "bo"]).await;
    let id = ada.direct(&bo).await.id;
    let mut there = bo.connect().await;
    let mut here = ada.connect().await;
    let mut status = async |wanted: PresenceStatus| {
        there
            .until(|frame| match frame {
                ServerFrame::PresenceUpdated { payload } => {
                    (payload.user_id == ada.id() && payload.status == wanted).then_some(())
                }
                _ => None,
            })
            .await;
    };
    status(PresenceStatus::Online).await;
    here.ask("presence.set", json!({ "status": "away" })).await.unwrap();
    status(PresenceStatus::Away).await;
    here.post("user.typing", json!({ "conversation_id": id, "typing": true })).await;
    there
        .until(|frame| match frame {
            ServerFrame::UserTyping { payload, .. } => (payload.user_id == ada.id()).then_some(()),
            _ => None,
        })
        .await;
    ada.patch("/users/me", json!({ "display_name": "Ada L." })).await;
    there
        .until(|frame| match frame {
            ServerFrame::UserUpdated { payload } => {
                (payload.display_name == "Ada L.").then_some(())
            }
            _ => None,
        })
        .await;
    here.close().await;
    there
        .until(|frame| match frame {
            ServerFrame::PresenceUpdated { payload } => {
                (payload.status == PresenceStatus::Offline).then_some(())
            }
            _ => None,
        })
        .await;
}

/// Attack 4, as far as Redis carries it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_closes_sockets_on_every_replica() {
    let (_redis, cluster, [ada, bo, _]) = replicas(["ada", "bo", "cy"]).await;
    let id = ada.direct(&bo).await.id;
    let urls = cluster.replicas.iter().map(|replica| replica.url.clone());
    let mut devices = join_all(urls.map(|url| {
        let ada = ada.at(&url);
        async move { ada.connect().await }
    }))
    .await;
    ada.post("/auth/logout", json!({})).await;
    bo.say(id, "not for a session that has ended").await;
    for device in &mut devices {
        loop {
            match device.next_or_end().await {
                Err(ended) => break assert_eq!(ended, Ended::Closed(4403)),
                Ok(ServerFrame::MessageNew { payload, .. }) => {
                    panic!("told after the end of the session: {payload:?}")
                }
                Ok(_) => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_counts_are_the_same_on_every_replica() {
    let (_redis, cluster, [ada, bo, _]) = replicas(["ada", "bo", "cy"]).await;
    let id = ada.direct(&bo).await.id;
    let mut seqs = Vec::new();
    for n in 0..5 {
        seqs.push(ada.say(id, &format!("{n}")).await.seq);
    }
    let counted = async |expected: i64| {
        // Twice: the second time it comes from the cache.
        for replica in cluster.replicas.iter().chain(&cluster.replicas) {
            let view = bo.at(&replica.url).conversation(id).await;
            assert_eq!(view.unread_count, expected, "on {}", replica.url);
        }
    };
    counted(5).await;
    bo.post(&format!("/conversations/{id}/read"), json!({ "seq": seqs[1] })).await;
    counted(3).await;
    ada.delete(&format!("/conversations/{id}/messages/{}", seqs[4])).await;
    counted(2).await;
    for replica in &cluster.replicas {
        let text = replica.metrics.render();
        assert!(text.contains("parley_unread_mismatches_total 0"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_spent_on_all_replicas() {
    let (_redis, cluster, [ada, _]) = replicas(["ada", "bo"]).await;
    let ticket: serde_json::Value = ada.post("/auth/ticket", json!({})).await.ok();
    let query = format!("?token={}", ticket["ticket"].as_str().unwrap());
    let open =
        async |url: &str| crate::support::client::open_with(url, &query, Default::default()).await;
    assert!(open(&cluster.replicas[1].url).await.is_ok());
    for replica in &cluster.replicas {
        assert!(open(&replica.url).await.is_err());
    }
}
