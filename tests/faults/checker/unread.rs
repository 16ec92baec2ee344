//! Unread counts: of every person on every replica, and of every device,
//! against a recount by SQL.

use std::collections::HashMap;

use parley::model::*;
use sqlx::{PgConnection, Row};

use super::super::{cast::Cast, history::Rule, world::World};

/// The definition, written a second time.
const RECOUNT: &str = "select p.user_id, p.conversation_id, p.last_read_seq, c.last_seq,
        (select count(*) from messages m
         where m.conversation_id = p.conversation_id and m.kind = 'text'
             and m.deleted_at is null and m.sender_id <> p.user_id
             and m.seq > p.last_read_seq and m.seq >= p.visible_from_seq) as unread
    from conversation_participants p join conversations c on c.id = p.conversation_id
    where p.left_seq is null";

pub async fn check(connection: &mut PgConnection, world: &World, cast: &Cast) {
    let mut truth: HashMap<(UserId, ConversationId), (i64, Seq)> = HashMap::new();
    for row in sqlx::query(RECOUNT).fetch_all(connection).await.unwrap() {
        let place = (UserId(row.get(0)), ConversationId(row.get(1)));
        truth.insert(place, (row.get("unread"), row.get("last_read_seq")));
    }
    for (n, gateway) in world.gateways.iter().enumerate() {
        for person in &cast.people {
            let api = person.at(&format!("http://127.0.0.1:{}", gateway.listen()));
            let page: Page<Conversation> = api.get("/conversations?limit=200").await.ok();
            for view in page.items {
                let Some((unread, mark)) = truth.get(&(person.id(), view.id)) else {
                    let what = format!("gateway {n} shows {} to {}", view.id, person.id());
                    world.history.violation(Rule::Leaked, what);
                    continue;
                };
                let capped = (*unread).min(limits::UNREAD_CAP);
                if view.unread_count != capped || view.last_read_seq != *mark {
                    let what = format!(
                        "gateway {n}: {} has {} unread after {} in {}, not {capped} after {mark}",
                        person.user.username, view.unread_count, view.last_read_seq, view.id
                    );
                    world.history.violation(Rule::Unread, what);
                }
            }
        }
    }
    for (n, device) in cast.devices.iter().enumerate().filter(|(_, it)| it.is_live()) {
        for (id, held) in &device.view.lock().held {
            let Some((unread, mark)) = truth.get(&(device.person.id(), *id)) else { continue };
            let shown = held.unread.map(|(count, _)| count);
            if held.mark != *mark || shown.is_some_and(|shown| shown != *unread) {
                let what = format!(
                    "device {n}: {shown:?} unread after {} in {id}, not {unread} after {mark}",
                    held.mark
                );
                world.history.violation(Rule::Unread, what);
            }
        }
    }
}
