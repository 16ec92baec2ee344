//! The whole binary, embedded: it starts, serves, is filled, and ends.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use parley::model::ServerFrame;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::tempdir;

use crate::support::{
    client::Person,
    postgres,
    process::{Serving, run, stderr, stdout},
};

/// Runs a command that must succeed; what it printed.
async fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

async fn login(server: &Serving, username: &str, password: &str) -> reqwest::Response {
    let body = json!({ "username": username, "password": password });
    let url = format!("{}/auth/login", server.public);
    reqwest::Client::new().post(url).json(&body).send().await.unwrap()
}

async fn token(server: &Serving, username: &str, password: &str) -> String {
    let answer = login(server, username, password).await;
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
}

/// All conversations of a user, as REST shows them.
async fn conversations(server: &Serving, token: &str) -> Vec<Value> {
    let url = format!("{}/conversations", server.public);
    let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_sigterm_drains_and_ends_with_0() {
    let folder = tempdir().unwrap();
    let mut server = Serving::start(folder.path(), &[]).await;
    let mode = |path| folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/keys.json")), (0o700, 0o600));
    server.signal("TERM");
    server.line_with("draining").await;
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn one_process_serves_an_embedded_database() {
    let folder = tempdir().unwrap();
    let _first = Serving::start(folder.path(), &[]).await;
    let ports = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    let second = run(folder.path(), &ports).await;
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("Another gateway serves"), "{}", stderr(&second));
}

#[tokio::test]
async fn the_demo_is_a_team_with_something_to_read() {
    let folder = tempdir().unwrap();
    let told = succeeds(folder.path(), &["demo"]).await;
    assert!(told.contains("maya") && told.contains("parley-demo"), "{told}");
    let again = run(folder.path(), &["demo"]).await;
    assert_eq!(again.status.code(), Some(1), "it adds to nobody's database unasked");
    assert!(stderr(&again).contains("--force"));

    let server = Serving::start(folder.path(), &[]).await;
    let token = token(&server, "maya", "parley-demo").await;
    let items = conversations(&server, &token).await;
    assert!(items.len() >= 6, "{} conversations", items.len());
    let launch = items.iter().find(|it| it["title"] == "Locker launch 📚").unwrap();
    assert_eq!((&launch["unread_count"], &launch["pinned"]), (&json!(4), &json!(true)));
    assert_eq!(launch["participant_count"], 7);
    let all_read = items.iter().filter(|it| it["unread_count"] == 0).count();
    assert!(0 < all_read && all_read < items.len(), "some have been read, some not");
}

#[tokio::test]
async fn seeded_users_are_signed_in() {
    let folder = tempdir().unwrap();
    let seed = ["seed", "--users=12", "--conversations=8", "--group-size=5", "--tokens=t.json"];
    succeeds(folder.path(), &seed).await;
    let text = fs::read_to_string(folder.path().join("t.json")).unwrap();
    let users: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(users.len(), 12);

    let server = Serving::start(folder.path(), &[]).await;
    for user in &users[..3] {
        let items = conversations(&server, user["access_token"].as_str().unwrap()).await;
        assert_eq!(items.len(), user["conversations"].as_array().unwrap().len());
        let refresh = json!({ "refresh_token": user["refresh_token"] });
        let url = format!("{}/auth/refresh", server.public);
        let answer = reqwest::Client::new().post(url).json(&refresh).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(login(&server, "load-00011", "parley-load").await.status(), 200);
}

#[tokio::test]
async fn accounts_are_managed_beside_a_running_replica() {
    let folder = tempdir().unwrap();
    let server = Serving::start(folder.path(), &[]).await;
    let told = succeeds(folder.path(), &["user", "create", "anna"]).await;
    let password = told.trim().trim_end_matches('.').rsplit(' ').next().unwrap().to_owned();
    assert_eq!(login(&server, "anna", &password).await.status(), 200);

    succeeds(folder.path(), &["user", "disable", "anna"]).await;
    assert_eq!(login(&server, "anna", &password).await.status(), 403);
    assert!(succeeds(folder.path(), &["user", "list"]).await.contains("disabled"));
    succeeds(folder.path(), &["user", "enable", "anna"]).await;
    assert_eq!(login(&server, "anna", &password).await.status(), 200);

    let told = succeeds(folder.path(), &["user", "reset-password", "anna"]).await;
    let renewed = told.trim().trim_end_matches('.').rsplit(' ').next().unwrap().to_owned();
    assert_eq!(login(&server, "anna", &password).await.status(), 401);
    assert_eq!(login(&server, "anna", &renewed).await.status(), 200);

    let unmeant = run(folder.path(), &["user", "delete", "anna"]).await;
    assert_eq!(unmeant.status.code(), Some(2));
    succeeds(folder.path(), &["user", "delete", "anna", "--yes"]).await;
    let gone = run(folder.path(), &["user", "disable", "anna"]).await;
    assert_eq!(gone.status.code(), Some(1));
}

#[tokio::test]
async fn the_schema_is_shown_and_applied() {
    let folder = tempdir().unwrap();
    assert!(succeeds(folder.path(), &["migrate", "status"]).await.contains("pending"));
    assert!(succeeds(folder.path(), &["migrate", "--dry-run"]).await.contains("would apply"));
    assert!(succeeds(folder.path(), &["migrate"]).await.contains("applied"));
    assert!(!succeeds(folder.path(), &["migrate", "status"]).await.contains("pending"));
    assert!(succeeds(folder.path(), &["migrate"]).await.contains("up to date"));
}

/// During a rollout the next version's migration has run, and this version's
/// replicas go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_schema_is_served_and_a_missing_one_is_refused() {
    let folder = tempdir().unwrap();
    succeeds(folder.path(), &["keys", "generate"]).await;
    let keys = folder.path().join("data/keys.json");
    let database = postgres::fresh_database().await;
    let mut connection = PgConnection::connect(&database).await.unwrap();
    let next = "alter table messages add column mood text;
        create table moods (name text primary key);
        insert into _sqlx_migrations
            (version, description, installed_on, success, checksum, execution_time)
        select 9999, 'of the next version', installed_on, success, checksum, execution_time
        from _sqlx_migrations where version = 1";
    connection.execute(next).await.unwrap();
    let mut serving = Serving::replica(folder.path(), &database, "", &keys).await;
    let (ada, bo) = (
        Person::register(&serving.public, "ada").await,
        Person::register(&serving.public, "bo").await,
    );
    let mut device = bo.connect().await;
    let id = ada.direct(&bo).await.id;
    ada.say(id, "as before").await;
    device
        .until(|frame| match frame {
            ServerFrame::MessageNew { payload, .. } => {
                (payload.body.as_deref() == Some("as before")).then_some(())
            }
            _ => None,
        })
        .await;
    serving.signal("TERM");
    assert_eq!(serving.ended().await, Some(0));

    let database = format!("--database-url={}", postgres::empty_database().await);
    let output = run(folder.path(), &["serve", "--listen=127.0.0.1:0", &database]).await;
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("Run `gateway migrate` once"), "{}", stderr(&output));
}
