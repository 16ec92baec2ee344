//! A replica that is asked to go: nobody new comes in, everybody is told when
//! to come back, and what was begun is finished.

use parley::model::*;
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{
    client::{Ended, Person, open},
    eventually,
    limits::PROCESS,
    process::Serving,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_are_sent_away_over_the_window_and_the_process_ends_with_0() {
    let folder = tempdir().unwrap();
    let arguments = ["--rate-limits=off", "--drain-window=2s"];
    let mut replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let id = ada.group("Leaving", &[]).await.id;
    let mut devices = Vec::new();
    for _ in 0..8 {
        devices.push(ada.connect().await);
    }
    let ready = async |replica: &Serving| -> (u16, Value) {
        let answer = reqwest::get(format!("{}/readyz", replica.admin)).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    };
    assert_eq!(ready(&replica).await.0, 200);

    replica.signal("TERM");
    let (_, body) = eventually("it is no longer ready", PROCESS, async || {
        let answer = ready(&replica).await;
        (answer.0 == 503).then_some(answer)
    })
    .await;
    assert_eq!(body["obstacles"][0], "draining");
    // It lives, and says so, until the last has left.
    let live = reqwest::get(format!("{}/livez", replica.admin)).await.unwrap();
    assert_eq!(live.status(), 200);
    match open(&ada).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(refused)) => {
            assert_eq!(refused.status(), 503);
            assert!(refused.headers().contains_key("retry-after"));
        }
        other => panic!("nobody new comes in: {:?}", other.map(drop)),
    }
    // The last to be sent away still sends, and is answered.
    devices.last_mut().unwrap().send(id, "last words").await;
    for device in &mut devices {
        let mut after = None;
        let ended = loop {
            match device.next_or_end().await {
                Ok(ServerFrame::Reconnect { payload }) => after = Some(payload.after_ms),
                Ok(_) => {}
                Err(ended) => break ended,
            }
        };
        assert_eq!(ended, Ended::Closed(1012));
        assert!(after.is_some(), "told beforehand when to come back");
    }
    assert_eq!(replica.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_at_once() {
    let folder = tempdir().unwrap();
    let arguments = ["--rate-limits=off", "--drain-window=1h"];
    let mut replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let mut devices = [ada.connect().await, ada.connect().await];
    replica.signal("TERM");
    replica.line_with("draining").await;
    replica.signal("TERM");
    assert_eq!(replica.ended().await, Some(1));
    assert_eq!(devices[1].ended().await, Ended::Lost);
}
