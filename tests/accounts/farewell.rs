//! Deleting one's own account.

use parley::model::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    client::{Answer, Api, Ended, PASSWORD, Person},
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    an_account_is_deleted_by_who_knows_its_password,
    who_deletes_their_account_leaves_their_groups_in_order,
];

async fn delete(person: &Person, password: &str) -> Answer {
    let request = person.request(Method::DELETE, "/users/me");
    person.run(request.json(&json!({ "password": password }))).await
}

async fn an_account_is_deleted_by_who_knows_its_password(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let direct = ada.direct(&bo).await.id;
    ada.say(direct, "Remember me").await;
    let other = Person::login(cluster.url(), "ada").await;
    let mut socket = other.connect().await;

    let wrong = delete(&ada, "wrong guess").await;
    assert_eq!(wrong.body["field"], "password", "{}", wrong.body);
    assert_eq!(wrong.refused(401), "bad_credentials");
    assert_eq!(ada.get("/users/me").await.status.as_u16(), 200);

    assert_eq!(delete(&ada, PASSWORD).await.status.as_u16(), 204);
    assert_eq!(socket.ended().await, Ended::Closed(4403));
    assert_eq!(ada.get("/users/me").await.refused(401), "signed_out");
    let body = json!({ "username": "ada", "password": PASSWORD });
    let login = Api::new(cluster.url()).post("/auth/login", body).await;
    assert_eq!(login.refused(401), "bad_credentials");

    // What was said stays, without the name, and the name is free.
    let path = format!("/conversations/{direct}/messages");
    let page: History = bo.get(&path).await.ok();
    let said = page.messages.iter().filter_map(|message| message.body.as_deref());
    assert_eq!(said.collect::<Vec<_>>(), ["Remember me"]);
    let seen: User = bo.get(&format!("/users/{}", ada.id())).await.ok();
    assert_eq!(seen.display_name, "Deleted user");
    let found: Page<User> = bo.get("/users?query=ada").await.ok();
    assert_eq!(found.items, []);
    assert_ne!(cluster.register("ada").await.id(), ada.id());
}

async fn who_deletes_their_account_leaves_their_groups_in_order(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let group = ada.group("Garden", &[&bo]).await.id;
    assert_eq!(delete(&ada, PASSWORD).await.status.as_u16(), 204);
    let left: Conversation = bo.get(&format!("/conversations/{group}")).await.ok();
    assert_eq!((left.participant_count, left.role), (1, Role::Owner));
    let last: Value = bo.get(&format!("/conversations/{group}/messages?limit=200")).await.ok();
    let told = last["messages"].to_string();
    assert!(told.contains("participant_left"), "{told}");
}
