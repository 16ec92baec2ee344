//! Real answers of a session against the OpenAPI document.

use std::collections::BTreeSet;

use parley::model::*;
use reqwest::Method;
use serde_json::{Value, json};

use super::conforms;
use crate::support::{
    client::{Answer, Api, PASSWORD},
    cluster::{Cluster, Database},
};

crate::on_both_databases![what_routes_answer_is_what_the_document_says];

/// Asks and holds every answer against the document.
struct Auditor {
    document: Value,
    asked: BTreeSet<(String, String)>,
}

impl Auditor {
    /// `route` as the document writes it; `path` with its places filled.
    async fn ask(
        &mut self,
        api: &Api,
        method: Method,
        route: &str,
        path: &str,
        body: Value,
        status: u16,
    ) -> Value {
        let what = format!("{method} {path} → {status}");
        let request = api.request(method.clone(), path);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer: Answer = api.run(request).await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.body);
        let method = method.as_str().to_lowercase();
        let operation = &self.document["paths"][route][&method];
        assert!(operation.is_object(), "{what} is not in the document");
        if status < 300 && !body.is_null() {
            let media = &operation["requestBody"]["content"]["application/json"]["schema"];
            conforms(&self.document, media, &body, &format!("the request of {what}"));
        }
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{what} is not in the document");
        let kind = answer.headers.get("content-type").map(|kind| kind.to_str().unwrap());
        match kind {
            Some(kind) => {
                let schema = &response["content"][kind]["schema"];
                assert!(schema.is_object(), "{what}: no schema for {kind}");
                conforms(&self.document, schema, &answer.body, &what);
            }
            None => assert!(response["content"].is_null(), "{what} has no body"),
        }
        self.asked.insert((method, route.to_owned()));
        answer.body
    }
}

const GROUP: &str = "/conversations/{conversation_id}";

async fn what_routes_answer_is_what_the_document_says(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let nobody = Api::new(cluster.url());
    let document: Value = nobody.get("/openapi.json").await.ok();
    let mut audit = Auditor { document, asked: BTreeSet::new() };
    let (bo, cy) = (cluster.register("bo").await, cluster.register("cy").await);
    let (get, post) = (|| Method::GET, || Method::POST);
    let (patch, delete) = (|| Method::PATCH, || Method::DELETE);

    // Accounts.
    let route = "/auth/register";
    let body = json!({ "username": "ada", "password": PASSWORD });
    let signed = audit.ask(&nobody, post(), route, route, body.clone(), 201).await;
    audit.ask(&nobody, post(), route, route, body.clone(), 409).await;
    audit.ask(&nobody, post(), route, route, json!({ "username": "x" }), 400).await;
    audit.ask(&nobody, post(), "/auth/login", "/auth/login", body, 200).await;
    let wrong = json!({ "username": "ada", "password": "wrong guess" });
    audit.ask(&nobody, post(), "/auth/login", "/auth/login", wrong, 401).await;
    let body = json!({ "refresh_token": signed["refresh_token"] });
    let fresh = audit.ask(&nobody, post(), "/auth/refresh", "/auth/refresh", body, 200).await;
    let mut ada = nobody.clone();
    ada.token = fresh["access_token"].as_str().map(str::to_owned);
    audit.ask(&ada, post(), "/auth/ticket", "/auth/ticket", Value::Null, 200).await;
    audit.ask(&ada, get(), "/users/me", "/users/me", Value::Null, 200).await;
    audit.ask(&nobody, get(), "/users/me", "/users/me", Value::Null, 401).await;
    let body = json!({ "display_name": "Ada" });
    audit.ask(&ada, patch(), "/users/me", "/users/me", body, 200).await;
    audit.ask(&ada, patch(), "/users/me", "/users/me", json!({ "display_name": "" }), 422).await;
    audit.ask(&ada, get(), "/users", "/users?query=bo", Value::Null, 200).await;
    audit.ask(&ada, get(), "/users", "/users?query=bo&after=x", Value::Null, 400).await;
    let path = format!("/users/{}", bo.id());
    audit.ask(&ada, get(), "/users/{user_id}", &path, Value::Null, 200).await;
    let devices = audit.ask(&ada, get(), "/devices", "/devices", Value::Null, 200).await;
    let other = devices["items"].as_array().unwrap().iter().find(|d| d["current"] == false);
    let path = format!("/devices/{}", other.unwrap()["id"].as_str().unwrap());
    audit.ask(&ada, delete(), "/devices/{device_id}", &path, Value::Null, 204).await;
    audit.ask(&ada, delete(), "/devices/{device_id}", &path, Value::Null, 404).await;

    // Conversations and who takes part.
    let body = json!({ "kind": "direct", "participant_ids": [bo.id()] });
    let list = "/conversations";
    audit.ask(&ada, post(), list, list, body.clone(), 201).await;
    audit.ask(&ada, post(), list, list, body, 200).await;
    let mut body = json!({
        "kind": "group", "title": "G", "participant_ids": [bo.id()], "client_id": ClientId::new(),
    });
    let group = audit.ask(&ada, post(), list, list, body.clone(), 201).await;
    body["title"] = json!("H");
    audit.ask(&ada, post(), list, list, body, 409).await;
    audit.ask(&ada, get(), list, "/conversations?limit=1", Value::Null, 200).await;
    let id = group["id"].as_str().unwrap().to_owned();
    let path = format!("/conversations/{id}");
    audit.ask(&ada, get(), GROUP, &path, Value::Null, 200).await;
    audit.ask(&cy, get(), GROUP, &path, Value::Null, 404).await;
    audit.ask(&ada, patch(), GROUP, &path, json!({ "title": "Renamed" }), 200).await;
    audit.ask(&bo, patch(), GROUP, &path, json!({ "title": "Mine" }), 403).await;
    let me = (format!("{GROUP}/me"), format!("{path}/me"));
    audit.ask(&ada, patch(), &me.0, &me.1, json!({ "muted": true }), 200).await;
    let people = (format!("{GROUP}/participants"), format!("{path}/participants"));
    audit.ask(&ada, get(), &people.0, &people.1, Value::Null, 200).await;
    let body = json!({ "user_ids": [cy.id()] });
    audit.ask(&ada, post(), &people.0, &people.1, body.clone(), 200).await;
    audit.ask(&bo, post(), &people.0, &people.1, body, 403).await;
    let one = (format!("{}/{{user_id}}", people.0), format!("{}/{}", people.1, cy.id()));
    audit.ask(&ada, patch(), &one.0, &one.1, json!({ "role": "admin" }), 204).await;
    audit.ask(&bo, patch(), &one.0, &one.1, json!({ "role": "owner" }), 403).await;
    audit.ask(&ada, delete(), &one.0, &one.1, Value::Null, 204).await;
    audit.ask(&ada, delete(), &one.0, &one.1, Value::Null, 404).await;

    // What is said.
    let said = (format!("{GROUP}/messages"), format!("{path}/messages"));
    let body = json!({ "client_msg_id": ClientMessageId::new(), "body": "hello" });
    let message = audit.ask(&bo, post(), &said.0, &said.1, body.clone(), 201).await;
    audit.ask(&bo, post(), &said.0, &said.1, body.clone(), 200).await;
    let mut other = body.clone();
    other["body"] = json!("else");
    audit.ask(&bo, post(), &said.0, &said.1, other, 409).await;
    audit.ask(&ada, get(), &said.0, &said.1, Value::Null, 200).await;
    audit.ask(&ada, get(), &said.0, &format!("{}?limit=0", said.1), Value::Null, 422).await;
    let at = (format!("{}/{{seq}}", said.0), format!("{}/{}", said.1, message["seq"]));
    audit.ask(&bo, patch(), &at.0, &at.1, json!({ "body": "hello!" }), 200).await;
    audit.ask(&ada, patch(), &at.0, &at.1, json!({ "body": "mine" }), 403).await;
    audit.ask(&ada, delete(), &at.0, &at.1, Value::Null, 200).await;
    audit.ask(&bo, patch(), &at.0, &at.1, json!({ "body": "late" }), 409).await;
    audit.ask(&ada, get(), &said.0, &said.1, Value::Null, 200).await;
    let read = (format!("{GROUP}/read"), format!("{path}/read"));
    audit.ask(&ada, post(), &read.0, &read.1, json!({ "seq": 3 }), 200).await;
    let missing = ConversationId::new().to_string();
    let cursors = json!({
        id.clone(): { "seq": 0, "event_id": null }, missing: { "seq": 0, "event_id": null },
    });
    audit.ask(&ada, post(), "/sync", "/sync", json!({ "cursors": cursors }), 200).await;
    // Who has left repeats what they sent.
    let leave = format!("{}/{}", people.1, bo.id());
    audit.ask(&bo, delete(), &one.0, &leave, Value::Null, 204).await;
    audit.ask(&bo, post(), &said.0, &said.1, body, 200).await;

    // And the end of it.
    let password = json!({ "current_password": PASSWORD, "new_password": "another password" });
    audit.ask(&ada, post(), "/users/me/password", "/users/me/password", password, 204).await;
    audit.ask(&ada, post(), "/auth/logout", "/auth/logout", Value::Null, 204).await;
    audit.ask(&ada, post(), "/auth/ticket", "/auth/ticket", Value::Null, 401).await;
    let (route, wrong) = ("/users/me", json!({ "password": "wrong guess" }));
    audit.ask(&cy, delete(), route, route, wrong, 401).await;
    audit.ask(&cy, delete(), route, route, json!({ "password": PASSWORD }), 204).await;
    audit.ask(&bo, post(), "/auth/logout-all", "/auth/logout-all", Value::Null, 204).await;

    let paths = audit.document["paths"].as_object().unwrap();
    let all: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone()))
        })
        .collect();
    assert_eq!(audit.asked, all, "every route was asked");
}
