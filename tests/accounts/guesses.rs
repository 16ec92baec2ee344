//! Guessing at passwords: what it tells, what it costs, whom it hurts.

use parley::{config::Registration, model::*};
use serde_json::{Value, json};

use crate::support::{
    client::{Answer, Api, PASSWORD},
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    a_wrong_password_and_an_unknown_name_are_answered_alike,
    guesses_are_limited_and_lock_no_known_device_out,
    a_name_is_taken_in_any_case,
    registration_can_be_closed,
    what_breaks_a_rule_makes_no_account,
];

async fn login(base: &str, body: Value) -> Answer {
    Api::new(base).post("/auth/login", body).await
}

async fn a_wrong_password_and_an_unknown_name_are_answered_alike(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    cluster.register("ada").await;
    let erased = cluster.register("bo").await;
    cluster.store().set_password(erased.id(), "", erased.user.created_at).await.unwrap();
    let guess = async |username: &str| {
        login(cluster.url(), json!({ "username": username, "password": "wrong guess" })).await
    };
    let (known, unknown) = (guess("ada").await, guess("nobody").await);
    assert_eq!(guess("bo").await.body, unknown.body);
    assert_eq!(known.refused(401), "bad_credentials");
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    let names = |answer: &Answer| -> Vec<_> { answer.headers.keys().cloned().collect() };
    assert_eq!(names(&known), names(&unknown));
}

async fn guesses_are_limited_and_lock_no_known_device_out(database: Database) {
    let cluster = Cluster::configured(database, 1, |config| config.rate_limits = true).await;
    let ada = cluster.register("ada").await;
    let mut limited = None;
    for n in 0..30 {
        let http = Api::new(cluster.url());
        // Nobody here is a proxy: the header moves no count.
        let guess = http
            .request(reqwest::Method::POST, "/auth/login")
            .header("x-forwarded-for", format!("203.0.113.{n}"))
            .json(&json!({ "username": "ada", "password": "wrong guess" }));
        let answer = http.run(guess).await;
        if answer.status.as_u16() == 429 {
            limited = Some(answer);
            break;
        }
        assert_eq!(answer.refused(401), "bad_credentials");
    }
    let limited = limited.expect("guesses come to an end");
    assert_eq!(limited.refused(429), "rate_limited");
    let wait: u64 = limited.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait > 0);
    // The right password of a stranger's device is not even looked at …
    let right = json!({ "username": "ada", "password": PASSWORD });
    assert_eq!(login(cluster.url(), right).await.refused(429), "rate_limited");
    // … but a device that ada used before gets in.
    let known = |secret: &str| {
        json!({
            "username": "ada", "password": PASSWORD,
            "device_id": ada.device, "device_secret": secret,
        })
    };
    assert_eq!(login(cluster.url(), known("not it")).await.refused(429), "rate_limited");
    let signed_in: AuthResponse = login(cluster.url(), known(&ada.device_secret)).await.ok();
    assert_eq!(signed_in.user.id, ada.id());
}

async fn a_name_is_taken_in_any_case(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    cluster.register("ada").await;
    for name in ["ada", "ADA", "Ada"] {
        let body = json!({ "username": name, "password": PASSWORD });
        let answer = Api::new(cluster.url()).post("/auth/register", body).await;
        assert_eq!(answer.refused(409), "username_taken");
        assert_eq!(answer.body["field"], "username");
    }
}

async fn registration_can_be_closed(database: Database) {
    let cluster =
        Cluster::configured(database, 1, |config| config.registration = Registration::Closed).await;
    let body = json!({ "username": "ada", "password": PASSWORD });
    let answer = Api::new(cluster.url()).post("/auth/register", body.clone()).await;
    assert_eq!(answer.refused(403), "registration_closed");
    assert_eq!(login(cluster.url(), body).await.refused(401), "bad_credentials");
}

async fn what_breaks_a_rule_makes_no_account(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let api = Api::new(cluster.url());
    let long = "x".repeat(129);
    for (field, body) in [
        ("username", json!({ "username": "", "password": PASSWORD })),
        ("username", json!({ "username": "a b", "password": PASSWORD })),
        ("username", json!({ "username": "-ada", "password": PASSWORD })),
        ("username", json!({ "username": "adä", "password": PASSWORD })),
        ("username", json!({ "username": "a\nb", "password": PASSWORD })),
        ("username", json!({ "username": "a".repeat(33), "password": PASSWORD })),
        ("password", json!({ "username": "ada", "password": "1234567" })),
        ("password", json!({ "username": "ada", "password": long })),
        ("display_name", json!({ "username": "ada", "password": PASSWORD, "display_name": " " })),
        (
            "display_name",
            json!({ "username": "ada", "password": PASSWORD, "display_name": "a\u{1b}[31m" }),
        ),
        (
            "device_label",
            json!({ "username": "ada", "password": PASSWORD, "device_label": "a\r\nb" }),
        ),
    ] {
        let answer = api.post("/auth/register", body.clone()).await;
        assert_eq!(answer.refused(422), "invalid_field", "{body}");
        assert_eq!(answer.body["field"], field, "{body}");
    }
    let megabyte = json!({ "username": "ada", "password": "x".repeat(1_000_000) });
    for path in ["/auth/register", "/auth/login"] {
        let answer = api.post(path, megabyte.clone()).await;
        assert_eq!(answer.refused(400), "invalid_request");
        assert_eq!(answer.body["field"], "password");
    }
    let body = json!({ "username": "ada", "password": PASSWORD, "role": "admin" });
    assert_eq!(api.post("/auth/register", body).await.refused(400), "invalid_request");
    // None of them took the name.
    cluster.register("ada").await;
}
