//! The AsyncAPI document of the socket, generated from the frame types.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::{
    hub::Cause,
    model::{ClientFrame, FrameId, ServerFrame},
    problem::Code,
};

/// AsyncAPI 3.0: one channel, `/ws`, with every frame in both directions.
pub fn asyncapi() -> Value {
    let mut schemas = Map::new();
    schemas.insert(FrameId::name().into(), value(FrameId::schema()));
    let sent = messages::<ClientFrame>(&mut schemas, true);
    let received = messages::<ServerFrame>(&mut schemas, false);
    let references = |messages: &Map<String, Value>| -> Vec<Value> {
        let of = |name| json!({ "$ref": format!("#/channels/socket/messages/{name}") });
        messages.keys().map(of).collect()
    };
    let operations = json!({
        "send": {
            "action": "receive",
            "channel": { "$ref": "#/channels/socket" },
            "summary": "What a client sends. Answers are `ack` or `error` with the same `id`.",
            "messages": references(&sent),
        },
        "receive": {
            "action": "send",
            "channel": { "$ref": "#/channels/socket" },
            "summary": "What a client receives. Entries of a log carry `seq` and `event_id` and \
                        are applied in `seq` order.",
            "messages": references(&received),
        },
    });
    let mut all = sent;
    all.extend(received);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parley socket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": description(),
        },
        "channels": { "socket": { "address": "/ws", "messages": all } },
        "operations": operations,
        "components": { "schemas": schemas },
    })
}

/// One message per variant of a frame enum, by its `type`.
fn messages<F: ToSchema>(schemas: &mut Map<String, Value>, with_id: bool) -> Map<String, Value> {
    let mut parts = Vec::new();
    F::schemas(&mut parts);
    schemas.extend(parts.into_iter().map(|(name, schema)| (name, value(schema))));
    // The ack of a send has all that the ack of a change has: it is both.
    if let Some(Value::Object(ack)) = schemas.get_mut("Ack")
        && let Some(kinds) = ack.remove("oneOf")
    {
        ack.insert("anyOf".into(), kinds);
    }
    let frame = value(F::schema());
    let variants = frame["oneOf"].as_array().cloned().unwrap_or_default();
    let message = |mut payload: Value| {
        let name = payload["properties"]["type"]["enum"][0].as_str()?.to_owned();
        if with_id {
            payload["properties"]["id"] = json!({ "$ref": "#/components/schemas/FrameId" });
        }
        let direction = if with_id { "client" } else { "server" };
        let key = format!("{direction}.{name}");
        Some((key, json!({ "name": name, "contentType": "application/json", "payload": payload })))
    };
    variants.into_iter().filter_map(message).collect()
}

/// Serialising a schema cannot fail.
fn value(schema: impl serde::Serialize) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

fn description() -> String {
    let mut text = String::from(
        "Text frames of JSON, at most 64 KiB either way. Authenticate with `Authorization: \
         Bearer`, with `?token=` (an access token or a ticket), or with a first frame \
         `authenticate` within 5 s; then send `hello`. Nothing counts as up to date before \
         `live`.\n\nClose codes:\n\n",
    );
    let mut told = Vec::new();
    for cause in Cause::ALL.iter().filter(|cause| cause.close_code() != 1006) {
        let line = format!("- {}: {}\n", cause.close_code(), cause.reason());
        if !told.contains(&line) {
            text += &line;
            told.push(line);
        }
    }
    text += "\nWhere there is time for it `reconnect` comes before 1012 and 1013 and says when to come \
             back; who reconnects resumes with its cursors and misses nothing.\n\nError codes:\n\n";
    for code in Code::ALL {
        let again = if code.retryable() { " (a retry can help)" } else { "" };
        text += &format!("- `{}`: {}{again}\n", code.code(), code.title());
    }
    text
}
