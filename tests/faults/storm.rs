//! Five thousand devices whose replica dies: all of them come back to another
//! one, and none is long without what it missed.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use parley::model::*;
use serde::Deserialize;
use serde_json::json;
use tempfile::tempdir;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{Message as Raw, client::IntoClientRequest, protocol::WebSocketConfig},
};

use super::{pause, within};
use crate::support::{
    client::Socket,
    limits::{PROCESS, SOON},
    postgres, process,
    process::Serving,
    redis,
};

const DEVICES: usize = 5_000;
const CONVERSATIONS: usize = 1_000;
/// The target is a minute.
const RESYNCED: Duration = Duration::from_secs(3 * 60);
const STEP: Duration = Duration::from_secs(30);

#[derive(Clone, Deserialize)]
struct Seeded {
    access_token: String,
    conversations: Vec<ConversationId>,
}

/// What all devices share.
struct Fleet {
    /// Where to knock.
    door: watch::Receiver<String>,
    live: AtomicUsize,
    /// Devices that have the last message of every conversation of theirs.
    complete: AtomicUsize,
    attempts: AtomicUsize,
    broken: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes: `make faults`"]
async fn five_thousand_devices_come_back_within_a_minute() {
    let folder = tempdir().unwrap();
    let (database, redis) = (postgres::fresh_database().await, redis::Server::start().await);
    let keys = folder.path().join("keys.json");
    parley::auth::key_file::generate(&keys, parley::clock::Clock::default().now()).unwrap();
    let users = seed(folder.path(), &database, &keys).await;
    let replica = async || Serving::replica(folder.path(), &database, &redis.url(), &keys).await;
    let (first, second) = (replica().await, replica().await);

    let (knock, door) = watch::channel(first.public.clone());
    let (live, complete, attempts) = Default::default();
    let fleet = Arc::new(Fleet { door, live, complete, attempts, broken: AtomicBool::new(false) });
    let begun = Instant::now();
    for user in &users {
        tokio::spawn(follow(user.clone(), fleet.clone()));
    }
    let all = |count: &AtomicUsize| (count.load(Relaxed) == DEVICES).then_some(());
    within(RESYNCED, || all(&fleet.live)).await.expect("everybody is connected at first");
    println!("{DEVICES} connected in {:.1} s", begun.elapsed().as_secs_f64());

    drop(first);
    let died = Instant::now();
    // What each of them misses: they know it by its text.
    let mut told = std::collections::HashSet::new();
    for user in &users {
        for id in &user.conversations {
            if told.insert(*id) {
                post(&second.public, user, *id).await;
            }
        }
    }
    let posted = died.elapsed();
    fleet.attempts.store(0, Relaxed);
    let back = Instant::now();
    knock.send_replace(second.public.clone());
    let resynced = within(RESYNCED, || all(&fleet.complete)).await;
    let (complete, attempts) = (fleet.complete.load(Relaxed), fleet.attempts.load(Relaxed));
    println!(
        "{complete} of {DEVICES} devices have what they missed {:.1} s after they could come \
         back, by {attempts} attempts; {} messages were missed, in {:.1} s",
        back.elapsed().as_secs_f64(),
        told.len(),
        posted.as_secs_f64()
    );
    resynced.expect("everybody is complete in time");
    assert!(!fleet.broken.load(Relaxed), "somebody was told something out of order");
}

async fn seed(folder: &Path, database: &str, keys: &Path) -> Vec<Seeded> {
    let tokens = folder.join("tokens.json");
    let mut command = process::gateway(folder);
    command
        .args(["seed", "--users", &DEVICES.to_string()])
        .args(["--conversations", &CONVERSATIONS.to_string(), "--tokens"])
        .arg(&tokens)
        .arg(format!("--database-url={database}"))
        .arg(format!("--keys-file={}", keys.display()));
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = timeout(PROCESS * 10, output).await.expect("in time").unwrap().unwrap();
    assert!(output.status.success(), "{}", process::stderr(&output));
    serde_json::from_slice(&std::fs::read(tokens).unwrap()).unwrap()
}

async fn post(base: &str, user: &Seeded, id: ConversationId) {
    let answer = reqwest::Client::new()
        .post(format!("{base}/conversations/{id}/messages"))
        .bearer_auth(&user.access_token)
        .json(&json!({ "client_msg_id": ClientMessageId::new(), "body": "the last one" }))
        .timeout(SOON)
        .send();
    assert_eq!(answer.await.unwrap().status(), 201);
}

/// A device, for ever: with its cursors wherever it comes back.
async fn follow(user: Seeded, fleet: Arc<Fleet>) {
    let mut cursors = Cursors::new();
    let mut missing: std::collections::HashSet<_> = user.conversations.iter().copied().collect();
    let mut complete = false;
    let mut backoff = Duration::from_millis(100);
    loop {
        let ended = session(&user, &fleet, &mut cursors, &mut missing, &mut complete).await;
        // As a client does: at once, then later and later.
        backoff = if ended.is_some() { Duration::from_millis(100) } else { backoff * 2 };
        backoff = backoff.min(Duration::from_secs(3));
        let spread = 0.5 + f64::from(backoff.as_millis() as u32 % 97 + user_spread(&user)) / 200.0;
        pause(backoff.mul_f64(spread)).await;
    }
}

/// Differs from device to device.
fn user_spread(user: &Seeded) -> u32 {
    user.access_token.bytes().map(u32::from).sum::<u32>() % 100
}

/// None when it never became live.
async fn session(
    user: &Seeded,
    fleet: &Fleet,
    cursors: &mut Cursors,
    missing: &mut std::collections::HashSet<ConversationId>,
    complete: &mut bool,
) -> Option<()> {
    fleet.attempts.fetch_add(1, Relaxed);
    let base = fleet.door.borrow().clone();
    let mut request =
        format!("{}/ws", base.replacen("http", "ws", 1)).into_client_request().ok()?;
    let bearer = format!("Bearer {}", user.access_token).parse().ok()?;
    request.headers_mut().insert("authorization", bearer);
    // Thousands of them live in this one process.
    let config = WebSocketConfig::default().read_buffer_size(2 * 1024);
    let connecting = connect_async_with_config(request, Some(config), true);
    let (mut socket, _) = timeout(STEP, connecting).await.ok()?.ok()?;
    let hello = json!({ "type": "hello", "payload": { "cursors": &*cursors } });
    socket.send(Raw::text(hello.to_string())).await.ok()?;
    let mut live = false;
    while let Some(frame) = next(&mut socket).await {
        match frame {
            ServerFrame::Conversations { payload } => {
                for view in payload.items {
                    let end = Cursor { seq: view.last_seq, event_id: Some(view.last_event_id) };
                    cursors.entry(view.id).or_insert(end);
                }
            }
            ServerFrame::MessageNew { conversation_id, seq, event_id, payload } => {
                let cursor =
                    cursors.insert(conversation_id, Cursor { seq, event_id: Some(event_id) });
                let follows = cursor.is_some_and(|before| before.seq + 1 == seq);
                fleet.broken.fetch_or(!follows, Relaxed);
                if payload.body.as_deref() == Some("the last one") {
                    missing.remove(&conversation_id);
                }
            }
            ServerFrame::Live { .. } => {
                live = true;
                fleet.live.fetch_add(1, Relaxed);
            }
            ServerFrame::ConversationReset { .. } => fleet.broken.store(true, Relaxed),
            _ => {}
        }
        if live && missing.is_empty() && !std::mem::replace(complete, true) {
            fleet.complete.fetch_add(1, Relaxed);
        }
    }
    if live {
        fleet.live.fetch_sub(1, Relaxed);
    }
    live.then_some(())
}

async fn next(socket: &mut Socket) -> Option<ServerFrame> {
    loop {
        match socket.next().await?.ok()? {
            Raw::Text(text) => return serde_json::from_str(text.as_str()).ok(),
            Raw::Close(_) => return None,
            _ => {}
        }
    }
}
