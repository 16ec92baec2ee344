//! Making the same thing twice makes it once, however close together.

use futures_util::future::join_all;
use parley::model::*;
use serde_json::json;

use crate::support::cluster::{Cluster, Database};

crate::on_both_databases![
    a_pair_has_one_direct_conversation_from_whichever_side,
    a_group_is_made_once_per_client_id,
    a_client_id_belongs_to_its_creator,
];

async fn a_pair_has_one_direct_conversation_from_whichever_side(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let start = |n: usize| {
        let (from, to) =
            if n.is_multiple_of(2) { (ada.clone(), bo.id()) } else { (bo.clone(), ada.id()) };
        async move {
            let body = json!({ "kind": "direct", "participant_ids": [to] });
            from.post("/conversations", body).await
        }
    };
    let answers = join_all((0..16).map(start)).await;
    let made = answers.iter().filter(|answer| answer.status.as_u16() == 201).count();
    assert_eq!(made, 1);
    let id = answers[0].body["id"].clone();
    for answer in answers {
        assert_eq!(answer.body["id"], id);
        assert!(answer.ok::<Conversation>().participants.len() == 2);
    }
    for person in [&ada, &bo] {
        let list: Page<Conversation> = person.get("/conversations").await.ok();
        assert_eq!(list.items.len(), 1);
    }
    let again = json!({ "kind": "direct", "participant_ids": [ada.id()] });
    assert_eq!(bo.post("/conversations", again).await.status.as_u16(), 200);
}

async fn a_group_is_made_once_per_client_id(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let client_id = ClientId::new();
    let body = json!({
        "kind": "group", "client_id": client_id, "title": "Once", "participant_ids": [bo.id()],
    });
    let answers = join_all((0..8).map(|_| ada.post("/conversations", body.clone()))).await;
    let made = answers.iter().filter(|answer| answer.status.as_u16() == 201).count();
    assert_eq!(made, 1);
    let id = answers[0].body["id"].clone();
    assert!(answers.iter().all(|answer| answer.status.is_success() && answer.body["id"] == id));
    for (field, value) in
        [("title", json!("Twice")), ("participant_ids", json!([])), ("share_history", json!(true))]
    {
        let mut other = body.clone();
        other[field] = value;
        assert_eq!(
            ada.post("/conversations", other).await.refused(409),
            "client_id_reused",
            "{field}"
        );
    }
    let list: Page<Conversation> = ada.get("/conversations").await.ok();
    assert_eq!(list.items.len(), 1);
    // As asked for the first time, whatever became of it.
    ada.patch(&format!("/conversations/{}", list.items[0].id), json!({ "title": "Renamed" })).await;
    let repeated = ada.post("/conversations", body).await;
    assert_eq!((repeated.status.as_u16(), &repeated.body["id"]), (200, &id));
    assert_eq!(repeated.body["title"], "Renamed");
}

async fn a_client_id_belongs_to_its_creator(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let body = json!({
        "kind": "group", "client_id": ClientId::new(), "title": "Mine", "participant_ids": [],
    });
    let mine: Conversation = ada.post("/conversations", body.clone()).await.ok();
    let theirs = bo.post("/conversations", body).await;
    assert_eq!(theirs.status.as_u16(), 201);
    assert_ne!(theirs.ok::<Conversation>().id, mine.id);
    // Without one, every group is a new one.
    let bare = json!({ "kind": "group", "title": "Bare", "participant_ids": [] });
    for _ in 0..2 {
        assert_eq!(ada.post("/conversations", bare.clone()).await.status.as_u16(), 201);
    }
}
