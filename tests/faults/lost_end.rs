//! A Postgres that comes back without its last commits, as after a failover to
//! a standby that was behind, or from a backup. What is gone is gone, but nobody
//! may go on as if it were not.

use std::{process::Command, sync::Arc};

use futures_util::future::join_all;
use parley::model::*;
use tempfile::tempdir;
use tokio::task::spawn_blocking;

use crate::support::{
    client::{Device, Person},
    eventually,
    limits::{PROCESS, SOON},
    postgres,
    process::Serving,
    redis,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_has_lost_its_end_resets_its_devices() {
    let postgres = Arc::new(spawn_blocking(postgres::Server::start).await.unwrap());
    let (database, redis) = (postgres.fresh_database().await, redis::Server::start().await);
    let folder = tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    parley::auth::key_file::generate(&keys, parley::clock::Clock::default().now()).unwrap();
    let replica = async || Serving::replica(folder.path(), &database, &redis.url(), &keys).await;
    let replicas = [replica().await, replica().await];
    let ada = Person::register(&replicas[0].public, "ada").await;
    let bob = Person::register(&replicas[1].public, "bob").await;
    let (forked, quiet) = (ada.group("Forked", &[&bob]).await.id, ada.direct(&bob).await.id);
    for id in [forked, quiet] {
        ada.say(id, "kept").await;
    }

    let server = postgres.clone();
    let backup = folder.path().join("backup");
    let to = backup.clone();
    spawn_blocking(move || {
        server.stop();
        copy(&server.data(), &to);
        server.resume();
    })
    .await
    .unwrap();
    let [mut first, mut second] = [come_back(&ada).await, come_back(&bob).await];
    let lost = async |person: &Person| {
        let path = format!("/conversations/{forked}/messages");
        let body = serde_json::json!({ "client_msg_id": ClientMessageId::new(), "body": "lost" });
        let answer = person.try_run(person.request(reqwest::Method::POST, &path).json(&body)).await;
        answer.ok().filter(|answer| answer.status == 201)
    };
    for _ in 0..3 {
        eventually("it is acknowledged", PROCESS, async || lost(&ada).await).await;
    }
    for device in [&mut first, &mut second] {
        for _ in 0..3 {
            assert_eq!(device.message(forked).await.body.as_deref(), Some("lost"));
        }
    }

    let server = postgres.clone();
    spawn_blocking(move || {
        server.stop();
        let data = server.data();
        std::fs::remove_dir_all(&data).unwrap();
        copy(&backup, &data);
        server.resume();
    })
    .await
    .unwrap();
    // Those who are connected learn of it by themselves, and only where it is so.
    let resets = join_all([&mut first, &mut second].map(|device| {
        device.until(|frame| match frame {
            ServerFrame::ConversationReset { conversation_id, payload } => {
                Some((*conversation_id, payload.reason, payload.conversation.last_seq))
            }
            _ => None,
        })
    }));
    let resets = tokio::time::timeout(SOON, resets).await.expect("the fork is noticed");
    for (id, reason, last_seq) in resets {
        assert_eq!((id, reason, last_seq), (forked, ResetReason::Fork, 2));
    }
    // From there on all is as ever: same places, other messages.
    let said = eventually("somebody writes", PROCESS, async || lost(&bob).await).await;
    assert_eq!(said.body["seq"], 3);
    for device in [&mut first, &mut second] {
        assert_eq!(device.message(forked).await.seq, 3);
    }
    let after = ada.say(quiet, "nothing happened here").await;
    assert_eq!(second.message(quiet).await.id, after.id);
}

/// Its session outlived the restart, and the gateway finds its database again.
async fn come_back(person: &Person) -> Device {
    let connect = async || Device::try_connect(person, Cursors::new()).await.ok();
    eventually("it connects", PROCESS, connect).await
}

/// With its owner and its rights.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp");
    assert!(copied.success());
}
