//! Unread counts: of every person on every replica, and of every device,
//! against a recount by SQL.

use std::collections::HashMap;

use parley::model::*;
use sqlx::{PgConnection, Row};

use super::super::{cast::Cast, history::Rule, world::World};

/// The definition, written a second time.
const RECOUNT: &str = "select p.user_id, p.conversation_id, p.last_read_seq, p.visible_from_seq,
        (select count(*) from messages m
         where m.conversation_id = p.conversation_id and m.kind = 'text'
             and m.deleted_at is null and m.sender_id <> p.user_id
             and m.seq > p.last_read_seq and m.seq >= p.visible_from_seq) as unread
    from conversation_participants p join conversations c on c.id = p.conversation_id
    where p.left_seq is null";

pub async fn check(connection: &mut PgConnection, world: &World, cast: &Cast) {
    let mut truth: HashMap<(UserId, ConversationId), (i64, Seq, Seq)> = HashMap::new();
    for row in sqlx::query(RECOUNT).fetch_all(connection).await.unwrap() {
        let place = (UserId(row.get(0)), ConversationId(row.get(1)));
        let visible_from = row.get("visible_from_seq");
        truth.insert(place, (row.get("unread"), row.get("last_read_seq"), visible_from));
    }
    for (n, gateway) in world.gateways.iter().enumerate() {
        for person in &cast.people {
            let api = person.at(&format!("http://127.0.0.1:{}", gateway.listen()));
            let page: Page<Conversation> = api.get("/conversations?limit=200").await.ok();
            let theirs = truth.keys().filter(|(user, _)| *user == person.id()).count();
            if page.items.len() != theirs {
                let what = format!(
                    "gateway {n} shows {} conversations to {}, not {theirs}",
                    page.items.len(),
                    person.user.username
                );
                world.history.violation(Rule::Incomplete, what);
            }
            for view in page.items {
                let Some((unread, mark, _)) = truth.get(&(person.id(), view.id)) else {
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
    let mut counted = 0;
    for (n, device) in cast.devices.iter().enumerate().filter(|(_, it)| it.is_live()) {
        for (id, held) in &device.view.lock().held {
            let place = (device.person.id(), *id);
            let Some((unread, mark, visible_from)) = truth.get(&place) else { continue };
            if held.visible_from != *visible_from {
                let what = format!(
                    "device {n} sees {id} from {} on, not from {visible_from}",
                    held.visible_from
                );
                world.history.violation(Rule::Leaked, what);
            }
            let shown = held.unread.map(|(count, _)| count);
            counted += usize::from(shown.is_some());
            if held.mark != *mark || shown.is_some_and(|shown| shown != *unread) {
                let what = format!(
                    "device {n}: {shown:?} unread after {} in {id}, not {unread} after {mark}",
                    held.mark
                );
                world.history.violation(Rule::Unread, what);
            }
        }
    }
    // At the cap a device counts no further, but few are there.
    if counted == 0 {
        world.history.violation(Rule::Unread, "no device has counted anything");
    }
}
