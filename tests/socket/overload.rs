//! More devices than can be served at once: they wait in line, or are told when
//! to come again.

use std::time::Duration;

use futures_util::{SinkExt, future::join_all};
use parley::model::*;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message as Raw};

use crate::support::{
    client::{Device, Ended, Person, open},
    cluster::{Cluster, Database, Replica},
    eventually, limits,
};

crate::on_both_databases![
    many_at_once_wait_their_turn,
    who_finds_no_place_in_line_is_told_when_to_come,
    who_goes_while_waiting_makes_room,
    nobody_waits_longer_than_the_patience,
    who_has_not_said_hello_holds_no_place,
    what_is_sent_while_waiting_is_heard,
];

/// One resume at once, and one that waits.
async fn narrow(database: Database) -> (Cluster, Person) {
    let cluster = Cluster::configured(database, 1, |config| {
        (config.resumes_at_once, config.resumes_waiting) = (1, 1);
    })
    .await;
    let ada = cluster.register("ada").await;
    (cluster, ada)
}

/// Up to `ready`.
async fn silent(person: &Person) -> Device {
    Device::over(open(person).await.expect("the socket opens")).await
}

async fn say_hello(device: &mut Device) {
    device.write(&json!({ "type": "hello", "payload": { "cursors": {} } })).await;
}

/// Said hello, and stands in line.
async fn waiting(person: &Person, replica: &Replica) -> Device {
    let mut device = silent(person).await;
    say_hello(&mut device).await;
    line_is(replica, 1.0).await;
    device
}

async fn line_is(replica: &Replica, length: f64) {
    let is = async || (replica.counted("parley_resumes_waiting ") == length).then_some(());
    eventually("the line is as long as it should be", limits::SOON, is).await;
}

/// When it was told to come again, and how it ended.
async fn sent_away(device: &mut Device) -> (Option<u64>, Ended) {
    let mut after = None;
    loop {
        match device.next_or_end().await {
            Ok(ServerFrame::Reconnect { payload }) => {
                assert_eq!(payload.reason, "overloaded");
                after = Some(payload.after_ms);
            }
            Ok(other) => panic!("{other:?}"),
            Err(ended) => return (after, ended),
        }
    }
}

async fn many_at_once_wait_their_turn(database: Database) {
    const DEVICES: usize = 40;
    let cluster = Cluster::configured(database, 1, |config| config.resumes_at_once = 1).await;
    let ada = cluster.register("ada").await;
    ada.group("Crowded", &[]).await;
    let devices = join_all((0..DEVICES).map(|_| ada.connect())).await;
    assert!(devices.iter().all(|device| device.snapshot.len() == 1));
    let replica = &cluster.replicas[0];
    assert_eq!(replica.counted("parley_resumes_refused"), 0.0);
    assert_eq!(replica.counted("parley_resumes_running "), 0.0);
    assert_eq!(replica.counted("parley_resumes_waiting "), 0.0);
}

async fn who_finds_no_place_in_line_is_told_when_to_come(database: Database) {
    let (cluster, ada) = narrow(database).await;
    let replica = &cluster.replicas[0];
    let mut early = silent(&ada).await;
    let place = replica.admission.admit().await.expect("a place");
    let mut first = waiting(&ada, replica).await;

    // Before the upgrade, by HTTP.
    let Err(tungstenite::Error::Http(refused)) = open(&ada).await else { panic!("no room") };
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let problem: Value = serde_json::from_slice(refused.body().as_deref().unwrap()).unwrap();
    assert_eq!((&problem["code"], &problem["retryable"]), (&json!("overloaded"), &json!(true)));
    assert!(problem["retry_after_ms"].as_u64().unwrap() > 0);
    // Over REST.
    let answer = ada.post("/sync", json!({ "cursors": {} })).await;
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.refused(503), "overloaded");
    // After it, by a frame and the code.
    say_hello(&mut early).await;
    let (after, ended) = sent_away(&mut early).await;
    assert_eq!(ended, Ended::Closed(1013));
    assert!(after.is_some_and(|after| after > 0), "told when");
    assert!(replica.counted("parley_resumes_refused_total{reason=\"full\"}") >= 3.0);
    assert_eq!(replica.counted("parley_auth_failures_total"), 0.0, "they are who they say");

    // Who waits is served as soon as there is a place; and then all are.
    drop(place);
    first.until(|frame| matches!(frame, ServerFrame::Live { .. }).then_some(())).await;
    ada.connect().await;
}

async fn who_goes_while_waiting_makes_room(database: Database) {
    let (cluster, ada) = narrow(database).await;
    let replica = &cluster.replicas[0];
    let place = replica.admission.admit().await.expect("a place");
    let gone = waiting(&ada, replica).await;
    // Without a word.
    drop(gone);
    line_is(replica, 0.0).await;
    let mut next = waiting(&ada, replica).await;
    drop(place);
    next.until(|frame| matches!(frame, ServerFrame::Live { .. }).then_some(())).await;
}

async fn nobody_waits_longer_than_the_patience(database: Database) {
    let patience = Duration::from_millis(300);
    let cluster = Cluster::configured(database, 1, |config| {
        (config.resumes_at_once, config.resume_patience) = (1, patience);
    })
    .await;
    let ada = cluster.register("ada").await;
    let _place = cluster.replicas[0].admission.admit().await.expect("a place");
    let mut device = silent(&ada).await;
    say_hello(&mut device).await;
    let (after, ended) = sent_away(&mut device).await;
    assert_eq!((after.is_some(), ended), (true, Ended::Closed(1013)));
    assert_eq!(cluster.replicas[0].counted("parley_resumes_refused_total{reason=\"late\"}"), 1.0);
}

async fn who_has_not_said_hello_holds_no_place(database: Database) {
    let (_cluster, ada) = narrow(database).await;
    let silent = join_all((0..5).map(|_| silent(&ada))).await;
    ada.connect().await;
    drop(silent);
}

async fn what_is_sent_while_waiting_is_heard(database: Database) {
    let (cluster, ada) = narrow(database).await;
    let replica = &cluster.replicas[0];
    let place = replica.admission.admit().await.expect("a place");
    let mut device = waiting(&ada, replica).await;
    for id in [1, 2] {
        let ping = Raw::text(json!({ "type": "ping", "id": id }).to_string());
        device.socket.send(ping).await.unwrap();
    }
    drop(place);
    device.until(|frame| matches!(frame, ServerFrame::Live { .. }).then_some(())).await;
    for expected in [1, 2] {
        let pong = device.until(|frame| match frame {
            ServerFrame::Pong { id: Some(FrameId::Number(id)), .. } => Some(*id),
            _ => None,
        });
        assert_eq!(pong.await, expected);
    }
}
