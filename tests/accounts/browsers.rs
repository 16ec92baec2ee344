//! Pages: whose may speak for their visitor, and where they keep the refresh
//! token.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;

use crate::support::{
    client::{Answer, Api, Device, PASSWORD, open_with},
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    pages_of_strangers_are_refused,
    a_page_keeps_its_refresh_token_in_a_cookie,
    a_cookie_counts_for_a_page_of_ours_only,
    a_page_of_the_allowlist_may_sign_in,
];

const FRIEND: &str = "https://chat.example";

async fn from_page(
    api: &Api,
    origin: &str,
    path: &str,
    cookie: &str,
    body: Option<Value>,
) -> Answer {
    let mut request = api.request(Method::POST, path).header("origin", origin);
    if !cookie.is_empty() {
        request = request.header("cookie", cookie);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    api.run(request).await
}

fn credentials() -> Value {
    json!({ "username": "ada", "password": PASSWORD })
}

fn cookie_of(answer: &Answer) -> String {
    answer.headers["set-cookie"].to_str().unwrap().to_owned()
}

/// What a browser sends back of a `Set-Cookie`.
fn pair_of(cookie: &str) -> &str {
    cookie.split(';').next().unwrap()
}

async fn pages_of_strangers_are_refused(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let own = cluster.url().to_owned();
    let strangers = [
        "null".to_owned(),
        format!("{own}.evil.example"),
        format!("{own}0"),
        format!("{own}/"),
        "http://127.0.0.1:1".to_owned(),
        "http://127.0.0.1".to_owned(),
        "https://evil.example".to_owned(),
        own.replace("127.0.0.1", "evil-127.0.0.1"),
        own.replace("127.0.0.1", "127.0.0.1@evil.example"),
    ];
    for origin in &strangers {
        let api = Api::new(&own);
        for path in ["/auth/login", "/auth/register", "/auth/refresh", "/auth/logout"] {
            let answer = from_page(&api, origin, path, "", Some(credentials())).await;
            assert_eq!(answer.refused(403), "origin_refused", "{origin} {path}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
            assert!(!answer.headers.contains_key("set-cookie"));
        }
        let headers = HashMap::from([
            ("origin", origin.clone()),
            ("authorization", format!("Bearer {}", ada.token.as_deref().unwrap())),
        ]);
        match open_with(&own, "", headers).await {
            Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status().as_u16(), 403),
            other => panic!("{origin}: {other:?}"),
        }
        // Nor without any token: the first frame would follow the upgrade.
        let bare = open_with(&own, "", HashMap::from([("origin", origin.clone())])).await;
        assert!(bare.is_err(), "{origin}");
    }
    let headers = HashMap::from([
        ("origin", own.clone()),
        ("authorization", format!("Bearer {}", ada.token.as_deref().unwrap())),
    ]);
    Device::over(open_with(&own, "", headers).await.unwrap()).await;
}

async fn a_page_keeps_its_refresh_token_in_a_cookie(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (api, own) = (Api::new(cluster.url()), cluster.url());
    let registered = from_page(&api, own, "/auth/register", "", Some(credentials())).await;
    let mut cookie = cookie_of(&registered);
    assert_eq!(registered.status.as_u16(), 201);
    assert_eq!(registered.body["refresh_token"], Value::Null);
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/auth", "Max-Age=2592000"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "this page came without TLS: {cookie}");
    for _ in 0..3 {
        let refreshed = from_page(&api, own, "/auth/refresh", pair_of(&cookie), None).await;
        assert_eq!(refreshed.status.as_u16(), 200, "{}", refreshed.body);
        assert_eq!(refreshed.body["refresh_token"], Value::Null);
        let next = cookie_of(&refreshed);
        assert_ne!(pair_of(&next), pair_of(&cookie));
        cookie = next;
        let mut session = Api::new(own);
        session.token = refreshed.body["access_token"].as_str().map(str::to_owned);
        assert_eq!(session.get("/users/me").await.ok::<Value>()["username"], "ada");
    }
    let out = from_page(&api, own, "/auth/logout", pair_of(&cookie), None).await;
    assert_eq!(out.status.as_u16(), 204, "{}", out.body);
    assert!(cookie_of(&out).contains("Max-Age=0"));
    let ended = from_page(&api, own, "/auth/refresh", pair_of(&cookie), None).await;
    assert_eq!(ended.refused(401), "signed_out");
}

async fn a_cookie_counts_for_a_page_of_ours_only(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (api, own) = (Api::new(cluster.url()), cluster.url());
    let registered = from_page(&api, own, "/auth/register", "", Some(credentials())).await;
    let cookie = cookie_of(&registered);
    let cookie = pair_of(&cookie);
    for path in ["/auth/refresh", "/auth/logout"] {
        let without_origin = api.request(Method::POST, path).header("cookie", cookie);
        assert_eq!(api.run(without_origin).await.refused(403), "origin_refused");
        let stranger = from_page(&api, "https://evil.example", path, cookie, None).await;
        assert_eq!(stranger.refused(403), "origin_refused");
    }
    // It authenticates nothing but the refresh.
    let me = api.request(Method::GET, "/users/me").header("cookie", cookie).header("origin", own);
    assert_eq!(api.run(me).await.refused(401), "unauthenticated");
    let two = format!("{cookie}; parley_refresh=slipped.1.in.x");
    assert_eq!(
        from_page(&api, own, "/auth/refresh", &two, None).await.refused(401),
        "unauthenticated"
    );
    let refreshed = from_page(&api, own, "/auth/refresh", cookie, None).await;
    assert_eq!(refreshed.status.as_u16(), 200);
}

async fn a_page_of_the_allowlist_may_sign_in(database: Database) {
    let cluster =
        Cluster::configured(database, 1, |config| config.allowed_origins = vec![FRIEND.into()])
            .await;
    let api = Api::new(cluster.url());
    let registered = from_page(&api, FRIEND, "/auth/register", "", Some(credentials())).await;
    let cookie = cookie_of(&registered);
    assert!(cookie.contains("Secure"), "{cookie}");
    assert_eq!(registered.headers["access-control-allow-origin"], FRIEND);
    assert_eq!(registered.headers["access-control-allow-credentials"], "true");
    let refreshed = from_page(&api, FRIEND, "/auth/refresh", pair_of(&cookie), None).await;
    assert_eq!(refreshed.status.as_u16(), 200);
    for near in
        ["http://chat.example", "https://chat.example:444", "https://chat.example.evil.example"]
    {
        let answer = from_page(&api, near, "/auth/login", "", Some(credentials())).await;
        assert_eq!(answer.refused(403), "origin_refused", "{near}");
    }
}
