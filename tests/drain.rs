//! Replicas that send their clients away: because they are asked to go, to let
//! others have a share, or after a while anyway. Everybody is told before it
//! happens, nobody is kept waiting, and what was begun is finished.

mod balanced;
mod load;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parley::model::*;
use tempfile::tempdir;

use crate::support::{
    client::{Device, Ended, Person, open},
    eventually,
    limits::{PROCESS, SOON},
    process::{Serving, run, stderr, stdout},
};

/// The next `reconnect`, and when it came.
async fn asked_to_leave(device: &mut Device) -> (Instant, Reconnect) {
    let reconnect = device.until(|frame| match frame {
        ServerFrame::Reconnect { payload } => Some(payload.clone()),
        _ => None,
    });
    let payload = reconnect.await;
    (Instant::now(), payload)
}

async fn devices(person: &Person, count: usize) -> Vec<Device> {
    join_all((0..count).map(|_| person.connect())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_asks_everybody_to_leave_before_it_ends_them() {
    let folder = tempdir().unwrap();
    let arguments = ["--rate-limits=off", "--drain-window=3s"];
    let mut replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let id = ada.group("Leaving", &[]).await.id;
    let mut devices = devices(&ada, 8).await;
    assert_eq!(replica.ready().await.unwrap().0, 200);

    replica.signal("TERM");
    let (_, body) = eventually("it is no longer ready", PROCESS, async || {
        replica.ready().await.filter(|ready| ready.0 == 503)
    })
    .await;
    assert!(body.contains("draining"), "{body}");
    // It lives, says so, and answers, until the last has left.
    let live = reqwest::get(format!("{}/livez", replica.admin)).await.unwrap();
    assert_eq!(live.status(), 200);
    assert_eq!(replica.figure("parley_draining").await, Some(1.0));
    let answer = ada.get("/users/me").await;
    assert_eq!(answer.headers["connection"], "close", "the next request goes elsewhere");
    assert_eq!(answer.status, 200);
    match open(&ada).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(refused)) => {
            assert_eq!(refused.status(), 503);
            assert!(refused.headers().contains_key("retry-after"));
        }
        other => panic!("nobody new comes in: {:?}", other.map(drop)),
    }
    let leaving = devices.iter_mut().enumerate().map(async |(n, device)| {
        let (at, asked) = asked_to_leave(device).await;
        assert_eq!(asked.reason, "drain");
        assert!((300..=750).contains(&asked.after_ms), "{} ms", asked.after_ms);
        // Still as good as any.
        device.send(id, &format!("last words of {n}")).await;
        assert_eq!(device.ended().await, Ended::Closed(1012));
        let grace = at.elapsed();
        assert!(grace > Duration::from_millis(asked.after_ms), "{grace:?}: no time to go");
        (at, asked.after_ms)
    });
    let mut asked = join_all(leaving).await;
    asked.sort_unstable();
    let spread = asked[7].0 - asked[0].0;
    assert!(spread > Duration::from_secs(1), "evenly over the window, not {spread:?}");
    let mut waits: Vec<_> = asked.iter().map(|asked| asked.1).collect();
    waits.dedup();
    assert_eq!(waits.len(), 8, "each is asked to come back at another moment");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_by_himself_is_not_waited_for() {
    let folder = tempdir().unwrap();
    let arguments = ["--rate-limits=off", "--drain-window=1h"];
    let mut replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let (mut early, late) = (ada.connect().await, ada.connect().await);
    let begun = Instant::now();
    let admin = replica.admin_listen();
    let command = ["drain", &admin];
    let leaving = async {
        asked_to_leave(&mut early).await;
        early.close().await;
        late.close().await; // before its turn
    };
    let (drained, ()) = tokio::join!(run(folder.path(), &command), leaving);
    assert_eq!(drained.status.code(), Some(0), "{}", stderr(&drained));
    let told = stdout(&drained);
    assert!(told.starts_with("Draining: 2 connections."), "{told}");
    assert!(told.ends_with("The replica has ended.\n"), "{told}");
    assert_eq!(replica.ended().await, Some(0));
    assert!(begun.elapsed() < SOON, "{:?}: nobody was there to wait for", begun.elapsed());

    let again = run(folder.path(), &command).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("nothing answers"), "{}", stderr(&again));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_replica_drains_at_once() {
    let folder = tempdir().unwrap();
    let mut replica = Serving::start(folder.path(), &["--drain-window=1h"]).await;
    let admin = replica.admin_listen();
    let drained = run(folder.path(), &["drain", &admin]).await;
    assert_eq!(drained.status.code(), Some(0), "{}", stderr(&drained));
    assert_eq!(replica.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cap_holds_where_the_window_is_too_short() {
    let folder = tempdir().unwrap();
    let arguments = ["--rate-limits=off", "--drain-window=1s", "--drain-rate=10"];
    let mut replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let mut devices = devices(&ada, 40).await;
    replica.signal("TERM");
    let leaving = devices.iter_mut().map(async |device| {
        let (at, _) = asked_to_leave(device).await;
        assert_eq!(device.ended().await, Ended::Closed(1012));
        at
    });
    let mut asked = join_all(leaving).await;
    asked.sort_unstable();
    // Frames arrive a little earlier or later than they were sent.
    let least = Duration::from_millis(850);
    for second in asked.windows(11) {
        assert!(second[10] - second[0] >= least, "11 within {:?}", second[10] - second[0]);
    }
    let warned = replica.line_with("drain_window gives way").await;
    assert!(warned.contains("\"rate\":10"), "{warned}");
    assert_eq!(replica.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_connection_is_politely_moved() {
    let folder = tempdir().unwrap();
    let arguments = [
        "--rate-limits=off",
        "--max-connection-age=2s",
        "--heartbeat-interval=500ms",
        "--idle-timeout=10s",
    ];
    let mut replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let id = ada.group("Ageing", &[]).await.id;
    let begun = Instant::now();
    let mut devices = devices(&ada, 20).await;
    let aged = devices.iter_mut().map(async |device| {
        let (at, asked) = asked_to_leave(device).await;
        assert_eq!(asked.reason, "age");
        device.send(id, "still here").await;
        at - begun
    });
    let mut aged = join_all(aged).await;
    aged.sort_unstable();
    assert!(aged[0] >= Duration::from_millis(1600), "{aged:?}: too young");
    let spread = aged[19] - aged[0];
    assert!(spread >= Duration::from_millis(400), "all at once: {aged:?}");
    assert_eq!(devices[0].ended().await, Ended::Closed(1012));
    let moved = replica.figure("parley_connections_sent_away_total{reason=\"age\"}").await;
    assert_eq!(moved, Some(20.0));

    drop(devices);
    replica.signal("TERM");
    assert_eq!(replica.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_is_sent_away_when_asked() {
    let folder = tempdir().unwrap();
    let arguments = ["--rate-limits=off", "--drain-window=2s"];
    let replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let devices = devices(&ada, 10).await;
    let admin = replica.admin_listen();
    for wrong in ["0", "1.5", "-1", "half", "NaN"] {
        let refused = run(folder.path(), &["rebalance", &admin, &format!("--share={wrong}")]).await;
        assert_eq!(refused.status.code(), Some(2), "{wrong}");
        let url = format!("{}/admin/rebalance?share={wrong}", replica.admin);
        let refused = reqwest::Client::new().post(url).send().await.unwrap();
        assert_eq!(refused.status(), 422, "{wrong}");
    }
    let done = run(folder.path(), &["rebalance", &admin, "--share=0.3"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let told = stdout(&done);
    assert!(told.starts_with("Sending away 3 of 10 connections."), "{told}");
    assert!(told.ends_with("They have left; 7 connections stay.\n"), "{told}");
    let moved = replica.figure("parley_connections_sent_away_total{reason=\"rebalance\"}").await;
    assert_eq!(moved, Some(3.0));
    assert_eq!(replica.ready().await.unwrap().0, 200, "it takes others as before");

    let slow = async |share: &str| run(folder.path(), &["rebalance", &admin, share]).await;
    let begun = run(folder.path(), &["rebalance", &admin, "--share=1", "--no-wait"]).await;
    assert_eq!(begun.status.code(), Some(0));
    let second = slow("--share=0.5").await;
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("under way"), "{}", stderr(&second));
    assert!(run(folder.path(), &["drain", &admin, "--no-wait"]).await.status.success());
    let late = slow("--share=0.5").await;
    assert_eq!(late.status.code(), Some(1));
    assert!(stderr(&late).contains("draining"), "{}", stderr(&late));
    drop(devices);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_by_age_is_nothing_a_rebalance_waits_for() {
    let folder = tempdir().unwrap();
    let arguments = [
        "--rate-limits=off",
        "--max-connection-age=1s",
        "--heartbeat-interval=500ms",
        "--idle-timeout=10s",
    ];
    let replica = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&replica.public, "ada").await;
    let mut devices = devices(&ada, 4).await;
    // Told, and with some seconds left.
    join_all(devices.iter_mut().map(asked_to_leave)).await;
    let done = run(folder.path(), &["rebalance", &replica.admin_listen(), "--share=1"]).await;
    assert!(stdout(&done).starts_with("Sending away 0 of 4 connections."), "{}", stdout(&done));
}
