//! Many at once, slow ones, and those who leave in the middle.

use futures_util::future::join_all;
use parley::model::*;
use serde_json::json;

use crate::support::{
    client::{Device, Ended, Person},
    cluster::{Cluster, Database},
    eventually, limits,
};

crate::on_both_databases![
    concurrent_sends_share_commits,
    who_leaves_right_after_sending_loses_nothing,
    a_reader_that_stops_slows_nobody_and_misses_nothing,
    a_slow_reader_does_not_outlive_its_session,
    frames_and_connections_are_counted,
];

/// The value of a metric without labels.
fn metric(cluster: &Cluster, name: &str) -> u64 {
    let text = cluster.replicas[0].metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is missing in\n{text}")).parse().expect("a count")
}

async fn concurrent_sends_share_commits(database: Database) {
    const SENDERS: usize = 4;
    const EACH: usize = 50;
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let id = ada.group("Busy", &[]).await.id;
    let mut devices = Vec::new();
    for _ in 0..SENDERS {
        devices.push(ada.connect().await);
    }
    let count = |name: &str| metric(&cluster, name);
    let (accepted, commits) =
        ("parley_messages_accepted_total", "parley_commit_batch_messages_count");
    let before = (count(accepted), count(commits));
    let send = async |mut device: Device| {
        let mut asked = Vec::new();
        for n in 0..EACH {
            let key = ClientMessageId::new();
            let payload =
                json!({ "conversation_id": id, "client_msg_id": key, "body": format!("{n}") });
            asked.push(device.post("message.send", payload).await);
        }
        let mut acked = Vec::new();
        for _ in &asked {
            let ack = device.until(|frame| match frame {
                ServerFrame::Ack { payload: Ack::Sent(ack), .. } => Some(ack.seq),
                _ => None,
            });
            acked.push(ack.await);
        }
        assert!(acked.is_sorted(), "the sends of one socket stay in their order");
        acked
    };
    let mut seqs: Vec<_> = join_all(devices.into_iter().map(send)).await.concat();
    seqs.sort_unstable();
    let total = SENDERS * EACH;
    assert_eq!(seqs, (2..=total as Seq + 1).collect::<Vec<_>>());
    let (accepted, commits) = (count(accepted) - before.0, count(commits) - before.1);
    assert_eq!(accepted, total as u64);
    assert!(commits < accepted, "{commits} commits for {accepted} messages");
}

async fn who_leaves_right_after_sending_loses_nothing(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let id = ada.group("Brief", &[]).await.id;
    let mut keys = Vec::new();
    for n in 0..10 {
        let mut device = ada.connect().await;
        let key = ClientMessageId::new();
        let payload =
            json!({ "conversation_id": id, "client_msg_id": key, "body": format!("{n}") });
        device.post("message.send", payload).await;
        keys.push(Some(key));
        // Without a word, or politely: the answer is not waited for.
        match n % 2 {
            0 => drop(device),
            _ => device.close().await,
        }
    }
    let all = async || {
        let page: History = ada.get(&format!("/conversations/{id}/messages")).await.ok();
        let mut found: Vec<_> = page.messages.iter().skip(1).map(|m| m.client_msg_id).collect();
        found.sort();
        (found.len() == keys.len()).then_some(found)
    };
    let found = eventually("every message is in the history", limits::SOON, all).await;
    keys.sort();
    assert_eq!(found, keys);
    // Asking again with the same ids tells where they are.
    for key in keys.into_iter().flatten() {
        let body = json!({ "client_msg_id": key, "body": "?" });
        let answer = ada.post(&format!("/conversations/{id}/messages"), body).await;
        assert_eq!(answer.refused(409), "client_msg_id_reused");
    }
}

async fn seqs(device: &mut Device, id: ConversationId, count: usize) -> Vec<Seq> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        seqs.push(device.message(id).await.seq);
    }
    seqs
}

async fn a_reader_that_stops_slows_nobody_and_misses_nothing(database: Database) {
    const MESSAGES: usize = 300;
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let cy = cluster.register("cy").await;
    let id = ada.group("Loud", &[&bo, &cy]).await.id;
    let (mut stalled, mut reading) = (bo.connect().await, cy.connect().await);
    // More than the buffers of a connection hold.
    let text = "x".repeat(4_000);
    let talk = async |person: Person| {
        for _ in 0..MESSAGES / 3 {
            person.say(id, &text).await;
        }
    };
    let talking = join_all([talk(ada.clone()), talk(ada.clone()), talk(ada.clone())]);
    let (_, read) = tokio::join!(talking, seqs(&mut reading, id, MESSAGES));
    let expected: Vec<_> = (2..=MESSAGES as Seq + 1).collect();
    assert_eq!(read, expected);
    // It reads on, and is told everything in order.
    assert_eq!(seqs(&mut stalled, id, MESSAGES).await, expected);
}

async fn frames_and_connections_are_counted(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let device = ada.connect().await;
    assert_eq!(metric(&cluster, "parley_connections"), 1);
    device.close().await;
    let closed = async || (metric(&cluster, "parley_connections") == 0).then_some(());
    eventually("the connection is counted out", limits::SOON, closed).await;
    assert_eq!(metric(&cluster, "parley_connections_opened_total"), 1);
    let text = cluster.replicas[0].metrics.render();
    for line in [
        "parley_connections_closed_total{cause=\"client\",code=\"1000\"} 1",
        "parley_forks_total 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

/// More is on its way than buffers hold, so that the gateway is in the middle
/// of it when the session ends.
async fn a_slow_reader_does_not_outlive_its_session(database: Database) {
    const MISSED: usize = 900;
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    let text = "\u{1f6f0}".repeat(parley::model::limits::BODY_CHARS);
    for _ in 0..MISSED / 50 {
        join_all((0..50).map(|_| ada.say(id, &text))).await;
    }
    let first = cluster.log(id).await.swap_remove(0);
    let cursor = Cursor { seq: first.seq, event_id: Some(first.event_id) };
    let mut device = Device::over(crate::support::client::open(&bo).await.unwrap()).await;
    device
        .write(&json!({ "type": "hello", "payload": { "cursors": { id.to_string(): cursor } } }))
        .await;
    device.message(id).await;
    bo.post("/auth/logout", json!({})).await;
    let mut told = 1;
    let ended = loop {
        match device.next_or_end().await {
            Ok(ServerFrame::MessageNew { .. }) => told += 1,
            Ok(_) => {}
            Err(ended) => break ended,
        }
    };
    assert_eq!(ended, Ended::Closed(4403));
    assert!(told < MISSED, "it was told everything first");
}
