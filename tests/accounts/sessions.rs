//! Signing in, refreshing, and every way a session ends.

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use parley::model::*;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as Raw;

use crate::support::{
    client::{Answer, Api, Device, Ended, PASSWORD, Person},
    cluster::{Cluster, Database},
    eventually, limits,
};

crate::on_both_databases![
    a_refresh_rotates_and_may_be_repeated_for_a_while,
    a_used_refresh_token_ends_the_device,
    parallel_refreshes_of_one_token_all_succeed,
    logging_out_ends_this_device_only,
    a_refresh_token_alone_is_enough_to_log_out,
    logging_out_everywhere_ends_every_device,
    a_new_password_ends_the_other_devices,
    a_login_under_way_does_not_outlive_a_new_password,
    a_device_is_listed_and_can_be_ended_from_another,
    one_device_too_many_signs_out_the_one_seen_longest_ago,
    the_sockets_of_one_user_are_limited,
    sockets_of_one_user_that_come_at_once_are_limited_too,
];

/// The old refresh token is answered for this long after it was replaced.
const GRACE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

async fn refresh(base: &str, token: &str) -> Answer {
    Api::new(base).post("/auth/refresh", json!({ "refresh_token": token })).await
}

fn refresh_token(tokens: &Value) -> String {
    tokens["refresh_token"].as_str().expect("a refresh token").to_owned()
}

/// The same session with the access token of an answer.
fn with_access(person: &Person, tokens: &Value) -> Person {
    let mut person = person.clone();
    person.api.token = tokens["access_token"].as_str().map(str::to_owned);
    person
}

async fn closed_4403(device: &mut Device) {
    assert_eq!(device.ended().await, Ended::Closed(4403));
}

async fn alive(device: &mut Device) {
    device.stays_quiet().await;
    let id = device.post("ping", json!({})).await;
    device
        .until(|frame| match frame {
            ServerFrame::Pong { id: Some(FrameId::Number(n)), .. } => (*n == id).then_some(()),
            _ => None,
        })
        .await;
}

async fn a_refresh_rotates_and_may_be_repeated_for_a_while(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let again = Person::login(cluster.url(), "ADA").await;
    assert_eq!(ada.id(), again.id());
    assert_ne!(ada.device, again.device);

    let first: Value = refresh(cluster.url(), &ada.refresh_token).await.ok();
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_ne!(refresh_token(&first), ada.refresh_token);
    let me: User = with_access(&ada, &first).get("/users/me").await.ok();
    assert_eq!(me.id, ada.id());
    // The answer was lost: the same token leads to the same successor.
    cluster.age_rotations(GRACE - SECOND * 10).await;
    let repeated: Value = refresh(cluster.url(), &ada.refresh_token).await.ok();
    assert_eq!(refresh_token(&repeated), refresh_token(&first));
    let second: Value = refresh(cluster.url(), &refresh_token(&first)).await.ok();
    assert_ne!(refresh_token(&second), refresh_token(&first));
    for nonsense in ["", "x", "a.b.c.d", &ada.refresh_token[1..]] {
        assert_eq!(refresh(cluster.url(), nonsense).await.refused(401), "unauthenticated");
    }
    let nothing = ada.run(ada.request(reqwest::Method::POST, "/auth/refresh")).await;
    assert_eq!(nothing.refused(401), "unauthenticated");
}

async fn a_used_refresh_token_ends_the_device(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let other = Person::login(cluster.url(), "ada").await;
    let (mut stolen_from, mut elsewhere) = (ada.connect().await, other.connect().await);
    let next: Value = refresh(cluster.url(), &ada.refresh_token).await.ok();
    cluster.age_rotations(GRACE + SECOND).await;
    let reused = refresh(cluster.url(), &ada.refresh_token).await;
    assert_eq!(reused.refused(401), "signed_out");
    closed_4403(&mut stolen_from).await;
    // The whole line has ended, for whoever holds it.
    assert_eq!(refresh(cluster.url(), &refresh_token(&next)).await.refused(401), "signed_out");
    let ada = with_access(&ada, &next);
    assert_eq!(ada.get("/users/me").await.refused(401), "signed_out");
    alive(&mut elsewhere).await;
}

async fn parallel_refreshes_of_one_token_all_succeed(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let answers = join_all((0..20).map(|_| refresh(cluster.url(), &ada.refresh_token))).await;
    let tokens: HashSet<String> =
        answers.into_iter().map(|answer| refresh_token(&answer.ok())).collect();
    assert_eq!(tokens.len(), 1, "one line continues");
    let mut token = tokens.into_iter().next().unwrap();
    for _ in 0..3 {
        token = refresh_token(&refresh(cluster.url(), &token).await.ok());
    }
    assert_eq!(ada.get("/users/me").await.ok::<User>().id, ada.id());
}

/// Replicas share Postgres only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_counts_its_grace_by_no_replicas_clock() {
    let cluster = Cluster::start(Database::Postgres, 2).await;
    cluster.replicas[1].clock.advance(SECOND * 60);
    let [behind, ahead] = [0, 1].map(|n| cluster.replicas[n].url.as_str());
    let ada = cluster.register("ada").await;
    let mut token = ada.refresh_token.clone();
    for (first, then) in [(behind, ahead), (ahead, behind)] {
        let next: Value = refresh(first, &token).await.ok();
        let same: Value = refresh(then, &token).await.ok();
        assert_eq!(refresh_token(&next), refresh_token(&same));
        token = refresh_token(&next);
    }
    // Nor is it longer by a clock that is behind.
    refresh(ahead, &token).await.ok::<Value>();
    cluster.age_rotations(GRACE + SECOND).await;
    assert_eq!(refresh(behind, &token).await.refused(401), "signed_out");
}

async fn logging_out_ends_this_device_only(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let other = Person::login(cluster.url(), "ada").await;
    let (mut here, mut there) = (ada.connect().await, other.connect().await);
    assert_eq!(ada.post("/auth/logout", json!({})).await.status.as_u16(), 204);
    closed_4403(&mut here).await;
    assert_eq!(ada.get("/users/me").await.refused(401), "signed_out");
    assert_eq!(refresh(cluster.url(), &ada.refresh_token).await.refused(401), "signed_out");
    assert!(crate::support::client::open(&ada).await.is_err());
    alive(&mut there).await;
    assert_eq!(other.get("/users/me").await.ok::<User>().id, ada.id());
}

async fn a_refresh_token_alone_is_enough_to_log_out(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let mut device = ada.connect().await;
    let stranger = Api::new(cluster.url());
    let body = json!({ "refresh_token": ada.refresh_token });
    for _ in 0..2 {
        assert_eq!(stranger.post("/auth/logout", body.clone()).await.status.as_u16(), 204);
    }
    closed_4403(&mut device).await;
    assert_eq!(stranger.post("/auth/logout", json!({})).await.refused(401), "unauthenticated");
}

async fn logging_out_everywhere_ends_every_device(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let other = Person::login(cluster.url(), "ada").await;
    let mut bystander = bo.connect().await;
    let mut sockets = [ada.connect().await, ada.connect().await, other.connect().await];
    assert_eq!(ada.post("/auth/logout-all", json!({})).await.status.as_u16(), 204);
    for socket in &mut sockets {
        closed_4403(socket).await;
    }
    for person in [&ada, &other] {
        assert_eq!(person.get("/users/me").await.refused(401), "signed_out");
        let refreshed = refresh(cluster.url(), &person.refresh_token).await;
        assert_eq!(refreshed.refused(401), "signed_out");
    }
    alive(&mut bystander).await;
    Person::login(cluster.url(), "ada").await.connect().await;
}

async fn a_new_password_ends_the_other_devices(database: Database) {
    const NEW: &str = "battery staple horse";
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let other = Person::login(cluster.url(), "ada").await;
    let (mut own, mut others) = (ada.connect().await, other.connect().await);
    let change = |current: &str| json!({ "current_password": current, "new_password": NEW });
    let wrong = ada.post("/users/me/password", change("not the password")).await;
    assert!(wrong.status.is_client_error(), "{}", wrong.body);
    let short = json!({ "current_password": PASSWORD, "new_password": "short" });
    assert_eq!(ada.post("/users/me/password", short).await.refused(422), "invalid_field");
    alive(&mut others).await;

    let changed = ada.post("/users/me/password", change(PASSWORD)).await;
    assert_eq!(changed.status.as_u16(), 204, "{}", changed.body);
    closed_4403(&mut others).await;
    assert_eq!(other.get("/users/me").await.refused(401), "signed_out");
    assert_eq!(refresh(cluster.url(), &other.refresh_token).await.refused(401), "signed_out");
    alive(&mut own).await;
    assert_eq!(ada.get("/users/me").await.ok::<User>().id, ada.id());
    refresh(cluster.url(), &ada.refresh_token).await.ok::<Value>();
    let login = async |password: &str| {
        let body = json!({ "username": "ada", "password": password });
        Api::new(cluster.url()).post("/auth/login", body).await
    };
    assert_eq!(login(PASSWORD).await.refused(401), "bad_credentials");
    login(NEW).await.ok::<AuthResponse>();
}

async fn a_login_under_way_does_not_outlive_a_new_password(database: Database) {
    /// More than are checked at once: the others have read the old hash and wait.
    const LOGINS: usize = 24;
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let login = async || {
        let body = json!({ "username": "ada", "password": PASSWORD });
        Api::new(cluster.url()).post("/auth/login", body).await
    };
    let mut logins: FuturesUnordered<_> = (0..LOGINS).map(|_| login()).collect();
    let first = logins.next().await.expect("an answer");
    let new = "no password has this hash";
    cluster.store().set_password(ada.id(), new, ada.user.created_at).await.unwrap();
    let answers: Vec<_> = logins.chain(futures_util::stream::iter([first])).collect().await;
    for answer in answers {
        if answer.status != 200 {
            assert_eq!(answer.refused(401), "bad_credentials");
            continue;
        }
        let signed_in = with_access(&ada, &answer.body);
        assert_eq!(signed_in.get("/users/me").await.refused(401), "signed_out");
        let token = refresh_token(&answer.body);
        assert_eq!(refresh(cluster.url(), &token).await.refused(401), "signed_out");
    }
}

async fn a_device_is_listed_and_can_be_ended_from_another(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let other = Person::login(cluster.url(), "ada").await;
    let listed: Page<parley::model::Device> = ada.get("/devices").await.ok();
    let current: Vec<_> = listed.items.iter().filter(|d| d.current).map(|d| d.id).collect();
    assert_eq!((listed.items.len(), current, listed.next), (2, vec![ada.device], None));

    let (mut here, mut there) = (ada.connect().await, other.connect().await);
    let path = format!("/devices/{}", other.device);
    assert_eq!(bo.delete(&path).await.refused(404), "not_found");
    assert_eq!(ada.delete(&path).await.status.as_u16(), 204);
    closed_4403(&mut there).await;
    alive(&mut here).await;
    assert_eq!(ada.delete(&path).await.refused(404), "not_found");
    assert_eq!(ada.delete("/devices/nonsense").await.refused(400), "invalid_request");
    let left: Page<parley::model::Device> = ada.get("/devices").await.ok();
    assert_eq!(left.items.len(), 1);
}

async fn one_device_too_many_signs_out_the_one_seen_longest_ago(database: Database) {
    let cluster = Cluster::configured(database, 1, |config| config.max_devices_per_user = 2).await;
    let first = cluster.register("ada").await;
    let mut socket = first.connect().await;
    let second = Person::login(cluster.url(), "ada").await;
    alive(&mut socket).await;
    cluster.replicas[0].clock.advance(SECOND);
    let third = Person::login(cluster.url(), "ada").await;
    closed_4403(&mut socket).await;
    assert_eq!(first.get("/users/me").await.refused(401), "signed_out");
    for device in [&second, &third] {
        let devices: Page<serde_json::Value> = device.get("/devices").await.ok();
        assert_eq!(devices.items.len(), 2);
    }
}

async fn the_sockets_of_one_user_are_limited(database: Database) {
    let cluster =
        Cluster::configured(database, 1, |config| config.max_connections_per_user = 2).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let other = Person::login(cluster.url(), "ada").await;
    let (first, _second) = (ada.connect().await, other.connect().await);
    match crate::support::client::open(&ada).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
            assert_eq!(answer.status().as_u16(), 429);
            assert!(answer.headers().contains_key("retry-after"));
        }
        other => panic!("{other:?}"),
    }
    bo.connect().await;
    first.close().await;
    let open = async || crate::support::client::open(&ada).await.ok();
    eventually("a place is free again", limits::SOON, open).await;
}

async fn sockets_of_one_user_that_come_at_once_are_limited_too(database: Database) {
    const PLACES: usize = 3;
    let cluster =
        Cluster::configured(database, 1, |config| config.max_connections_per_user = PLACES).await;
    let ada = cluster.register("ada").await;
    let attempts = join_all((0..60).map(|_| crate::support::client::open(&ada))).await;
    let mut open = Vec::new();
    for mut socket in attempts.into_iter().flatten() {
        match socket.next().await {
            Some(Ok(Raw::Text(_))) => open.push(socket),
            Some(Ok(Raw::Close(Some(close)))) => assert_eq!(u16::from(close.code), 4429),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(open.len(), PLACES);
}
