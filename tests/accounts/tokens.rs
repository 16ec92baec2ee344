//! Access tokens and tickets: how long they hold, and what becomes of the
//! sockets they opened.

use std::{collections::HashMap, time::Duration};

use parley::model::*;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;

use crate::support::{
    client::{Api, Device, Ended, Person, open_with},
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    a_ticket_opens_one_socket,
    a_ticket_is_void_after_half_a_minute,
    a_ticket_opens_one_socket_by_clocks_a_minute_apart,
    a_ticket_is_void_long_after_by_every_clock,
    an_access_token_opens_a_socket_in_the_url_too,
    an_access_token_expires,
    a_socket_outlives_its_token_only_when_renewed,
    a_socket_is_renewed_only_by_its_own_session,
    what_is_no_token_opens_nothing,
];

const MINUTE: Duration = Duration::from_secs(60);
/// An access token holds for 15 minutes, with a minute for clocks that differ.
const TOKEN_AND_LEEWAY: Duration = Duration::from_secs(16 * 60);
const SECOND: Duration = Duration::from_secs(1);

async fn ticket(person: &Person) -> String {
    let answer: Value = person.post("/auth/ticket", json!({})).await.ok();
    assert_eq!(answer["expires_in"], 30);
    answer["ticket"].as_str().unwrap().to_owned()
}

/// The status that an upgrade with this token in the URL is refused with.
async fn refused(base: &str, token: &str) -> u16 {
    match open_with(base, &format!("?token={token}"), HashMap::new()).await {
        Err(tungstenite::Error::Http(answer)) => {
            let kind = answer.headers().get("content-type").map(|kind| kind.as_bytes());
            assert_eq!(kind, Some(&b"application/problem+json"[..]));
            answer.status().as_u16()
        }
        other => panic!("{other:?}"),
    }
}

async fn opened(base: &str, token: &str) -> Device {
    let socket = open_with(base, &format!("?token={token}"), HashMap::new()).await;
    let mut device = Device::over(socket.expect("the socket opens")).await;
    device.hello(Cursors::new()).await;
    device
}

async fn a_ticket_opens_one_socket(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let ticket = ticket(&ada).await;
    let device = opened(cluster.url(), &ticket).await;
    assert_eq!((device.ready.user.id, device.ready.device), (ada.id(), ada.device));
    assert_eq!(refused(cluster.url(), &ticket).await, 401);
    // It opens sockets and nothing else.
    let mut api = Api::new(cluster.url());
    api.token = Some(self::ticket(&ada).await);
    assert_eq!(api.get("/users/me").await.refused(401), "unauthenticated");
}

async fn a_ticket_is_void_after_half_a_minute(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let ticket = ticket(&ada).await;
    cluster.replicas[0].clock.advance(SECOND * 31);
    assert_eq!(refused(cluster.url(), &ticket).await, 401);
}

async fn a_ticket_opens_one_socket_by_clocks_a_minute_apart(database: Database) {
    let cluster = Cluster::start(database, 2).await;
    cluster.replicas[1].clock.advance(MINUTE - SECOND);
    let [behind, ahead] = [0, 1].map(|n| cluster.replicas[n].url.as_str());
    let ada = cluster.register("ada").await;
    let (early, late) = (ticket(&ada.at(ahead)).await, ticket(&ada.at(behind)).await);
    opened(behind, &early).await;
    opened(ahead, &late).await;
    // Void by its own clock, and by the other one long since.
    let unused = ticket(&ada.at(behind)).await;
    cluster.replicas.iter().for_each(|replica| replica.clock.advance(SECOND * 31));
    assert_eq!(refused(behind, &unused).await, 401);
    // Spent is spent: also when the clock ahead has tidied up since, by which
    // the first ticket of the clock behind is void.
    opened(ahead, &ticket(&ada.at(ahead)).await).await;
    for spent in [&early, &late] {
        assert_eq!(refused(behind, spent).await, 401);
        assert_eq!(refused(ahead, spent).await, 401);
    }
}

async fn a_ticket_is_void_long_after_by_every_clock(database: Database) {
    let cluster = Cluster::start(database, 2).await;
    let ada = cluster.register("ada").await;
    let ticket = ticket(&ada).await;
    cluster.replicas[1].clock.advance(SECOND * 30 + MINUTE);
    assert_eq!(refused(&cluster.replicas[1].url, &ticket).await, 401);
}

async fn an_access_token_opens_a_socket_in_the_url_too(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let token = ada.token.clone().unwrap();
    opened(cluster.url(), &token).await;
    opened(cluster.url(), &token).await;
}

async fn an_access_token_expires(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let clock = &cluster.replicas[0].clock;
    clock.advance(TOKEN_AND_LEEWAY - SECOND * 10);
    assert_eq!(ada.get("/users/me").await.ok::<User>().id, ada.id());
    clock.advance(SECOND * 11);
    let expired = ada.get("/users/me").await;
    assert_eq!(expired.refused(401), "token_expired");
    assert!(expired.headers.contains_key("www-authenticate"));
    assert_eq!(refused(cluster.url(), ada.token.as_deref().unwrap()).await, 401);
    let body = json!({ "refresh_token": ada.refresh_token });
    Api::new(cluster.url()).post("/auth/refresh", body).await.ok::<Value>();
}

async fn a_socket_outlives_its_token_only_when_renewed(database: Database) {
    let cluster = Cluster::configured(database, 1, |config| {
        config.heartbeat_interval = Duration::from_millis(100);
    })
    .await;
    let ada = cluster.register("ada").await;
    let clock = &cluster.replicas[0].clock;
    let (mut lapsed, mut renewed) = (ada.connect().await, ada.connect().await);
    clock.advance(MINUTE * 14);
    let body = json!({ "refresh_token": ada.refresh_token });
    let tokens: Value = Api::new(cluster.url()).post("/auth/refresh", body).await.ok();
    let token = json!({ "access_token": tokens["access_token"] });
    assert_eq!(renewed.ask("auth.renew", token).await, Ok(Ack::Done(Empty {})));
    // Expired, but within the grace.
    clock.advance(MINUTE + MINUTE / 2);
    lapsed.stays_quiet().await;
    clock.advance(MINUTE);
    assert_eq!(lapsed.ended().await, Ended::Closed(4401));
    renewed.stays_quiet().await;
    assert_eq!(
        renewed.ask("presence.set", json!({ "status": "away" })).await,
        Ok(Ack::Done(Empty {}))
    );
}

async fn a_socket_is_renewed_only_by_its_own_session(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let other = Person::login(cluster.url(), "ada").await;
    let mut device = ada.connect().await;
    for (person, code) in [(&bo, "forbidden"), (&other, "forbidden")] {
        let token = json!({ "access_token": person.token });
        assert_eq!(device.ask("auth.renew", token).await.unwrap_err().code, code);
    }
    let nonsense = device.ask("auth.renew", json!({ "access_token": "x" })).await;
    assert_eq!(nonsense.unwrap_err().code, "unauthenticated");
    let own = json!({ "access_token": ada.token });
    assert_eq!(device.ask("auth.renew", own).await, Ok(Ack::Done(Empty {})));
}

async fn what_is_no_token_opens_nothing(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let token = ada.token.clone().unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    let swapped =
        format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>());
    let long = "x".repeat(8_000);
    for token in ["", "x", "..", &unsigned, &swapped, &ada.refresh_token, &ada.device_secret, &long]
    {
        let status = refused(cluster.url(), token).await;
        assert_eq!(status, 401, "{token:.40}");
        let mut api = Api::new(cluster.url());
        api.token = Some(token.to_owned());
        assert_eq!(api.get("/users/me").await.refused(401), "unauthenticated");
    }
}
