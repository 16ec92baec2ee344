//! The published documents say what the gateway does: real answers and real
//! frames are held against their schemas.

mod rest;
mod socket;

use serde_json::{Value, json};

use crate::support::{
    client::Api,
    cluster::{Cluster, Database},
};

crate::on_both_databases![the_documents_are_served, the_human_page_needs_nothing_from_elsewhere];

async fn the_documents_are_served(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let api = Api::new(cluster.url());
    let openapi: Value = api.get("/openapi.json").await.ok();
    assert!(openapi["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    assert_eq!(openapi["info"]["title"], "Parley");
    let asyncapi: Value = api.get("/asyncapi.json").await.ok();
    assert_eq!(asyncapi["asyncapi"], "3.0.0");
    let about = asyncapi["info"]["description"].as_str().unwrap();
    for code in [1009, 1012, 1013, 4400, 4401, 4403, 4408, 4429] {
        assert!(about.contains(&format!("- {code}: ")), "{code} is not described");
    }
    for document in [&openapi, &asyncapi] {
        for reference in references(document) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }
}

async fn the_human_page_needs_nothing_from_elsewhere(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let api = Api::new(cluster.url());
    let page = api.get("/docs/").await;
    assert_eq!(page.status.as_u16(), 200);
    let Value::String(page) = page.body else { panic!("{}", page.body) };
    for outside in ["http://", "https://", "=\"//"] {
        assert!(!page.contains(outside), "{outside} in\n{page}");
    }
    // What it does need is here.
    let mut needed = 0;
    for part in page.split("src=\"").chain(page.split("href=\"")).skip(1) {
        let Some(name) = part.split('"').next().filter(|name| name.contains('.')) else { continue };
        let name = name.trim_start_matches("./");
        if name.contains(['<', ' ']) {
            continue;
        }
        assert_eq!(api.get(&format!("/docs/{name}")).await.status.as_u16(), 200, "{name}");
        needed += 1;
    }
    assert!(needed > 0);
}

/// Every `$ref` of a document.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(|it| it.as_str()).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// Fails where `value` is not what `schema`, a part of `document`, says.
#[track_caller]
fn conforms(document: &Value, schema: &Value, value: &Value, what: &str) {
    let root = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::validator_for(&root).unwrap_or_else(|why| panic!("{what}: {why}"));
    let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{value:#}");
}
