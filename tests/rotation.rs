//! New signing keys while people are signed in: nobody notices, until a key is
//! taken away.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    client::{Api, Ended, Person},
    postgres,
    process::{Serving, run, stderr},
};

/// The kid of the key that a refresh token was signed with.
fn kid(refresh_token: &str) -> String {
    refresh_token.split('.').nth(2).expect("a refresh token").to_owned()
}

/// Changes the key file as an operator's editor would.
fn edit(file: &Path, change: impl FnOnce(&mut Vec<Value>)) {
    let mut document: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    change(document["keys"].as_array_mut().unwrap());
    let beside = file.with_extension("new");
    std::fs::write(&beside, document.to_string()).unwrap();
    std::fs::rename(&beside, file).unwrap();
}

async fn noticed(replicas: &mut [Serving]) {
    for replica in replicas {
        replica.line_with("the signing keys have changed").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_logs_nobody_out_and_a_removed_one_ends_what_it_opened() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let named = format!("--keys-file={}", file.display());
    assert!(run(folder.path(), &["keys", "generate", &named]).await.status.success());
    let database = format!("--database-url={}", postgres::fresh_database().await);
    let start = async || {
        let arguments = ["--rate-limits=off", "--heartbeat-interval=1s", &named, &database];
        Serving::start(folder.path(), &arguments).await
    };
    let mut replicas = [start().await, start().await];
    let bases = [replicas[0].public.clone(), replicas[1].public.clone()];

    let (ada, bo) =
        (Person::register(&bases[0], "ada").await, Person::register(&bases[0], "bo").await);
    let first = kid(&ada.refresh_token);
    let mut socket = ada.at(&bases[1]).connect().await;

    let rotated = run(folder.path(), &["keys", "rotate", &named]).await;
    assert!(rotated.status.success(), "{}", stderr(&rotated));
    noticed(&mut replicas).await;
    // It would sign in a minute and a half; the test has no patience.
    edit(&file, |keys| keys[1]["active_from"] = keys[1]["created_at"].clone());
    noticed(&mut replicas).await;

    // Who signed in before goes on, at both, and is given the new key's tokens.
    for base in &bases {
        ada.at(base).get("/users/me").await.ok::<Value>();
    }
    let refresh = json!({ "refresh_token": ada.refresh_token });
    let renewed: Value = Api::new(&bases[1]).post("/auth/refresh", refresh).await.ok();
    let second = kid(renewed["refresh_token"].as_str().unwrap());
    assert_ne!(first, second);
    let mut again = ada.at(&bases[0]);
    again.api.token = Some(renewed["access_token"].as_str().unwrap().to_owned());
    let mut new_socket = again.connect().await;
    let with_bo = ada.direct(&bo).await.id;
    bo.say(with_bo, "still here").await;
    let here = |frame: &parley::model::ServerFrame| {
        serde_json::to_string(frame).unwrap().contains("still here").then_some(())
    };
    socket.until(here).await;
    new_socket.until(here).await;

    // Taken away, as after a theft: what it signed is worth nothing any more.
    edit(&file, |keys| keys.retain(|key| key["kid"] != first.as_str()));
    noticed(&mut replicas).await;
    assert_eq!(socket.ended().await, Ended::Closed(4401));
    assert_eq!(ada.get("/users/me").await.refused(401), "unauthenticated");
    let refresh = json!({ "refresh_token": bo.refresh_token });
    assert_eq!(Api::new(&bases[0]).post("/auth/refresh", refresh).await.status.as_u16(), 401);
    let after: Value = again.get("/users/me").await.ok();
    assert_eq!(after["username"], "ada");
    new_socket.stays_quiet().await;
}
