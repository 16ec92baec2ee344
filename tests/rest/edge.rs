//! What every answer carries, and what answers without a token.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    client::{Answer, Api},
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    every_answer_carries_the_headers,
    every_route_but_a_few_wants_a_token,
    unknown_paths_and_wrong_methods_are_problems,
    the_admin_listener_is_another_one,
];

fn audit(what: &str, answer: &Answer) {
    let header = |name: &str| {
        let value = answer.headers.get(name).unwrap_or_else(|| panic!("{what} lacks {name}"));
        value.to_str().unwrap().to_owned()
    };
    let policy = header("content-security-policy");
    for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe-eval"), "{what}: {policy}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("referrer-policy"), "no-referrer", "{what}");
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "{what}");
    assert!(!answer.headers.contains_key("server"), "{what}");
}

async fn every_answer_carries_the_headers(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let nobody = Api::new(cluster.url());
    let id = ada.group("Group", &[]).await.id;
    let huge = "x".repeat(3 * 1024 * 1024);
    let json =
        |request: reqwest::RequestBuilder| request.header("content-type", "application/json");
    let answers = [
        ("me", ada.get("/users/me").await, 200),
        ("conversation", ada.get(&format!("/conversations/{id}")).await, 200),
        (
            "created",
            ada.post(
                "/conversations",
                json!({ "kind": "group", "title": "G", "participant_ids": [] }),
            )
            .await,
            201,
        ),
        (
            "login",
            nobody
                .post("/auth/login", json!({ "username": "ada", "password": "wrong guess" }))
                .await,
            401,
        ),
        (
            "no content",
            ada.delete(&format!("/conversations/{id}/participants/{}", ada.id())).await,
            204,
        ),
        ("not a member", ada.get(&format!("/conversations/{id}")).await, 404),
        ("no token", nobody.get("/users/me").await, 401),
        ("no JSON", ada.run(json(ada.request(Method::POST, "/sync")).body("{")).await, 400),
        ("no field", ada.patch("/users/me", json!({ "display_name": "" })).await, 422),
        ("no type", ada.run(ada.request(Method::POST, "/sync").body("{}")).await, 415),
        ("no route", nobody.get("/nothing/here").await, 404),
        ("no method", nobody.run(nobody.request(Method::PUT, "/users/me")).await, 405),
        ("too large", ada.run(json(ada.request(Method::POST, "/sync")).body(huge)).await, 413),
        ("no upgrade", ada.get("/ws").await, 400),
        ("refused upgrade", nobody.get("/ws?token=x").await, 401),
    ];
    for (what, answer, status) in &answers {
        assert_eq!(answer.status.as_u16(), *status, "{what}: {}", answer.body);
        audit(what, answer);
        assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
        if *status >= 400 {
            answer.refused(*status);
            assert_eq!(
                answer.body["type"],
                format!("urn:parley:problem:{}", answer.body["code"].as_str().unwrap()),
                "{what}"
            );
        }
    }
    for path in ["/", "/login", "/c/anything", "/openapi.json", "/asyncapi.json", "/docs/"] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        audit(path, &answer);
    }
}

/// What a stranger may ask for. Whoever adds to this list says why.
const OPEN: [(&str, &str); 2] = [("POST", "/auth/login"), ("POST", "/auth/register")];

async fn every_route_but_a_few_wants_a_token(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let nobody = Api::new(cluster.url());
    let document: Value = nobody.get("/openapi.json").await.ok();
    let id = "0190a5e4-0000-7000-8000-000000000001";
    let (mut open, mut asked) = (BTreeSet::new(), 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        let filled: Vec<_> = path
            .split('/')
            .map(|part| match part {
                "{seq}" => "1",
                part if part.starts_with('{') => id,
                part => part,
            })
            .collect();
        let filled = filled.join("/");
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            asked += 1;
            let answer = nobody.run(nobody.request(method.clone(), &filled).json(&json!({}))).await;
            if answer.status.as_u16() != 401 || answer.body["code"] != "unauthenticated" {
                open.insert((method.to_string(), path.clone()));
            }
            let mut forged = nobody.clone();
            forged.token = Some("a.b.c".into());
            let answer = forged.run(forged.request(method.clone(), &filled).json(&json!({}))).await;
            let guarded = answer.status.as_u16() == 401;
            assert!(
                guarded || open.contains(&(method.to_string(), path.clone())),
                "{method} {path}"
            );
        }
    }
    assert!(asked >= 28, "{asked}");
    let expected = OPEN.map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(open, BTreeSet::from(expected));
}

async fn unknown_paths_and_wrong_methods_are_problems(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    for path in [
        "/nothing",
        "/auth",
        "/auth/nothing",
        "/conversations/x/y/z",
        "/users/me/nothing",
        "/assets/none.js",
        "/a%2fb",
        "/%00",
        "/..%2f..%2fetc%2fpasswd",
        "/docs/none",
    ] {
        let answer = ada.get(path).await;
        assert_eq!(answer.refused(404), "not_found", "{path}");
        assert_eq!(answer.body["status"], 404);
    }
    for (method, path) in [
        (Method::PUT, "/users/me"),
        (Method::DELETE, "/conversations"),
        (Method::GET, "/auth/login"),
        (Method::GET, "/sync"),
        (Method::POST, "/devices"),
        (Method::POST, "/openapi.json"),
        (Method::TRACE, "/users/me"),
    ] {
        let answer = ada.run(ada.request(method.clone(), path)).await;
        assert_eq!(answer.refused(405), "method_not_allowed", "{method} {path}");
        assert!(answer.headers.contains_key("allow"), "{method} {path}");
    }
}

async fn the_admin_listener_is_another_one(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    for path in ["/livez", "/readyz", "/startupz", "/metrics", "/admin/drain"] {
        for method in [Method::GET, Method::POST] {
            let answer = ada.run(ada.request(method.clone(), path)).await;
            assert!(matches!(answer.status.as_u16(), 404 | 405), "{method} {path}");
        }
    }
}
