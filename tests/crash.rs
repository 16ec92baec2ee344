//! The real binary, killed under load and started again.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;
use parking_lot::Mutex;
use parley::model::*;
use serde_json::json;
use tempfile::tempdir;

use crate::support::{
    self,
    client::Person,
    cluster::Database,
    eventually,
    limits::SOON,
    process::{Serving, run},
};

crate::on_both_databases![nothing_acknowledged_is_missing_after_kill_9];

const SENDERS: usize = 8;
const MESSAGES: usize = 40;

/// Sends until the connection dies, then repeats what had no answer: exactly
/// what the contract asks of a client.
async fn nothing_acknowledged_is_missing_after_kill_9(database: Database) {
    let folder = tempdir().unwrap();
    assert!(run(folder.path(), &["keys", "generate"]).await.status.success());
    let mut arguments = vec!["--rate-limits=off".to_owned()];
    if database == Database::Postgres {
        arguments.push(format!("--database-url={}", support::postgres::fresh_database().await));
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let gateway = Serving::start(folder.path(), &arguments).await;
    let ada = Person::register(&gateway.public, "ada").await;
    let bo = Person::register(&gateway.public, "bo").await;
    let id = ada.direct(&bo).await.id;
    let mut reader = bo.connect().await;
    let start = reader.snapshot[0].clone();

    let acked: Arc<Mutex<Vec<SendAck>>> = Arc::default();
    let unanswered: Arc<Mutex<Vec<(ClientMessageId, String)>>> = Arc::default();
    let senders = (0..SENDERS).map(|s| {
        let (ada, acked, unanswered) = (ada.clone(), acked.clone(), unanswered.clone());
        tokio::spawn(async move {
            let path = format!("/conversations/{id}/messages");
            for n in 0..MESSAGES {
                let (key, text) = (ClientMessageId::new(), format!("{s}/{n}"));
                let body = json!({ "client_msg_id": key, "body": text });
                let request = ada.request(reqwest::Method::POST, &path).json(&body);
                match ada.try_run(request).await {
                    Ok(answer) if answer.status.is_success() => {
                        let message: Message = answer.ok();
                        acked.lock().push(SendAck {
                            conversation_id: id,
                            seq: message.seq,
                            message_id: message.id,
                            client_msg_id: key,
                            created_at: message.created_at,
                            duplicate: false,
                        });
                    }
                    _ => unanswered.lock().push((key, text)),
                }
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    let some = || std::future::ready((acked.lock().len() > 60).then_some(()));
    eventually("a part is acknowledged", SOON, some).await;
    gateway.signal("KILL");
    // What the reader had applied when its connection died.
    let mut applied = Cursor { seq: start.last_seq, event_id: Some(start.last_event_id) };
    let mut texts = Vec::new();
    while let Ok(frame) = reader.next_or_end().await {
        apply(frame, &mut applied, &mut texts);
    }
    drop(gateway);
    join_all(senders).await;
    assert!(!unanswered.lock().is_empty(), "it was killed under load");
    let gateway = Serving::start(folder.path(), &arguments).await;
    let (ada, bo) = (ada.at(&gateway.public), bo.at(&gateway.public));

    // Repeated until there is a definite answer.
    let mut device = ada.connect().await;
    let repeated: Vec<_> = unanswered.lock().drain(..).collect();
    for (key, text) in repeated {
        let ack = device.send_as(id, key, &text).await.unwrap();
        acked.lock().push(ack);
    }
    let mut resumed = bo.resume(HashMap::from([(id, applied)])).await;
    for frame in std::mem::take(&mut resumed.missed) {
        apply(frame, &mut applied, &mut texts);
    }
    assert_eq!(texts.len(), SENDERS * MESSAGES, "each exactly once");
    let by_seq: HashMap<_, _> = texts.into_iter().map(|m| (m.seq, m.id)).collect();
    let acked = acked.lock();
    assert_eq!(acked.len(), SENDERS * MESSAGES);
    for ack in acked.iter() {
        assert_eq!(by_seq.get(&ack.seq), Some(&ack.message_id), "acknowledged, then missing");
    }
}

fn apply(frame: ServerFrame, applied: &mut Cursor, texts: &mut Vec<Message>) {
    if let ServerFrame::MessageNew { seq, event_id, payload, .. } = frame {
        assert_eq!(seq, applied.seq + 1, "a hole or a repetition");
        *applied = Cursor { seq, event_id: Some(event_id) };
        texts.push(payload);
    }
}
