//! Lists in pages: every item once, in order, however the pages are cut.

use futures_util::future::join_all;
use parley::model::*;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::support::{
    client::Person,
    cluster::{Cluster, Database},
};

crate::on_both_databases![
    conversations_come_newest_activity_first,
    people_and_participants_come_in_pages,
    devices_come_last_seen_first,
    history_pages_join_without_holes,
    an_empty_end_of_history_is_a_page_too,
];

/// All items of a list, in pages of at most `limit`.
async fn all<T: DeserializeOwned>(person: &Person, path: &str, limit: usize) -> Vec<T> {
    let with = if path.contains('?') { '&' } else { '?' };
    let first = format!("{path}{with}limit={limit}");
    let mut page: Page<T> = person.get(&first).await.ok();
    let mut items = Vec::new();
    loop {
        assert!(page.items.len() <= limit);
        assert!(page.next.is_none() || page.items.len() == limit, "only the last page is short");
        items.append(&mut page.items);
        let Some(next) = page.next else { return items };
        page = person.get(&format!("{first}&after={next}")).await.ok();
    }
}

async fn conversations_come_newest_activity_first(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(ada.group(&format!("G{n}"), &[]).await.id);
    }
    // Activity moves a conversation up; times of the same millisecond do not
    // make the order of these two sure, so the clock moves on.
    for id in [ids[2], ids[0]] {
        cluster.replicas[0].clock.advance(std::time::Duration::from_secs(1));
        ada.say(id, "up").await;
    }
    let whole: Page<Conversation> = ada.get("/conversations").await.ok();
    let order: Vec<_> = whole.items.iter().map(|c| c.id).collect();
    assert_eq!((order.len(), order[0], order[1], whole.next), (7, ids[0], ids[2], None));
    for limit in [1, 2, 3, 7, 8] {
        let paged: Vec<Conversation> = all(&ada, "/conversations", limit).await;
        assert_eq!(paged.iter().map(|c| c.id).collect::<Vec<_>>(), order, "{limit}");
    }
    // More than a page may have is answered with what a page may have.
    let much: Page<Conversation> = ada.get("/conversations?limit=1000000").await.ok();
    assert_eq!(much.items.len(), 7);
    // Reading and settings are no activity.
    ada.patch(&format!("/conversations/{}/me", ids[5]), json!({ "pinned": true })).await;
    ada.post(&format!("/conversations/{}/read", ids[5]), json!({ "seq": 1 })).await;
    let again: Vec<Conversation> = all(&ada, "/conversations", 3).await;
    assert_eq!(again.iter().map(|c| c.id).collect::<Vec<_>>(), order);
}

async fn people_and_participants_come_in_pages(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let names: Vec<String> = (0..10).map(|n| format!("guest{n}")).collect();
    let guests = join_all(names.iter().map(|name| cluster.register(name))).await;
    let found: Vec<User> = all(&ada, "/users?query=guest", 3).await;
    assert_eq!(found.iter().map(|u| u.username.clone()).collect::<Vec<_>>(), names);

    let id = ada.group("All", &guests.iter().take(5).collect::<Vec<_>>()).await.id;
    let path = format!("/conversations/{id}/participants");
    for guest in &guests[5..] {
        ada.post(&path, json!({ "user_ids": [guest.id()] })).await.ok::<Conversation>();
    }
    let whole: Page<Participant> = ada.get(&path).await.ok();
    assert_eq!((whole.items.len(), &whole.next), (11, &None));
    assert!(whole.items.is_sorted_by_key(|p| p.joined_seq));
    for limit in [1, 4, 11] {
        let paged: Vec<Participant> = all(&ada, &path, limit).await;
        assert_eq!(paged, whole.items, "{limit}");
    }
    let view = ada.conversation(id).await;
    assert_eq!(
        (view.participant_count, view.participants.len()),
        (11, limits::INLINE_PARTICIPANTS)
    );
    assert!(view.participants.iter().any(|p| p.user.id == ada.id()));
}

async fn history_pages_join_without_holes(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let (ada, bo) = (cluster.register("ada").await, cluster.register("bo").await);
    let id = ada.direct(&bo).await.id;
    // Changes take seqs too: those of messages are not dense.
    for n in 0..30 {
        let said = ada.say(id, &format!("{n}")).await.seq;
        if n % 3 == 0 {
            let path = format!("/conversations/{id}/messages/{said}");
            ada.patch(&path, json!({ "body": format!("{n}!") })).await.ok::<ChangeAck>();
        }
    }
    let path = format!("/conversations/{id}/messages");
    let whole: History = bo.get(&format!("{path}?limit=200")).await.ok();
    let last = bo.conversation(id).await.last_seq;
    assert_eq!((whole.messages.len(), last), (31, 41));
    assert_eq!((whole.range.from_seq, whole.range.to_seq), (1, last));
    assert!(!whole.has_more_before && !whole.has_more_after);
    for limit in [1, 4, 7, 31] {
        let ask = async |query: String| -> History {
            let page: History = bo.get(&format!("{path}?limit={limit}{query}")).await.ok();
            assert!(page.messages.len() <= limit);
            assert!(page.messages.is_sorted_by_key(|m| m.seq));
            page
        };
        // Down from the newest, and up from the oldest.
        let mut page = ask(String::new()).await;
        assert_eq!(page.range.to_seq, last);
        let mut down = page.messages.clone();
        while page.has_more_before {
            let from = page.range.from_seq;
            page = ask(format!("&before={from}")).await;
            assert_eq!(page.range.to_seq, from - 1);
            down.splice(0..0, page.messages.clone());
        }
        assert_eq!((down, page.range.from_seq), (whole.messages.clone(), 1));
        let mut page = ask("&after=0".into()).await;
        assert_eq!(page.range.from_seq, 1);
        let mut up = page.messages.clone();
        while page.has_more_after {
            let to = page.range.to_seq;
            page = ask(format!("&after={to}")).await;
            assert_eq!(page.range.from_seq, to + 1);
            up.extend(page.messages.clone());
        }
        assert_eq!((up, page.range.to_seq), (whole.messages.clone(), last));
        // Out from the middle.
        let middle = ask("&around=20".into()).await;
        assert!(middle.range.from_seq <= 20 && middle.range.to_seq >= 20);
        let below = ask(format!("&before={}", middle.range.from_seq)).await;
        let above = ask(format!("&after={}", middle.range.to_seq)).await;
        assert_eq!(below.range.to_seq + 1, middle.range.from_seq);
        assert_eq!(middle.range.to_seq + 1, above.range.from_seq);
        let joined: Vec<_> =
            [&below, &middle, &above].iter().flat_map(|page| page.messages.clone()).collect();
        let covered = below.range.from_seq..=above.range.to_seq;
        let expected: Vec<_> =
            whole.messages.iter().filter(|m| covered.contains(&m.seq)).cloned().collect();
        assert_eq!(joined, expected, "{limit}");
    }
}

async fn an_empty_end_of_history_is_a_page_too(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let ada = cluster.register("ada").await;
    let id = ada.group("Short", &[]).await.id;
    ada.say(id, "only").await;
    let ask = async |query: &str| -> History {
        ada.get(&format!("/conversations/{id}/messages?{query}")).await.ok()
    };
    for (query, from, to) in [("before=1", 1, 0), ("after=2", 3, 2)] {
        let page = ask(query).await;
        assert!(page.messages.is_empty() && page.range.to_seq < page.range.from_seq, "{query}");
        assert_eq!((page.range.from_seq, page.range.to_seq), (from, to), "{query}");
    }
    assert!(ask("before=1").await.has_more_after || !ask("before=1").await.has_more_before);
    let above = ask("after=2").await;
    assert!(!above.has_more_after);
}

async fn devices_come_last_seen_first(database: Database) {
    let cluster = Cluster::start(database, 1).await;
    let mut ada = cluster.register("ada").await;
    let mut logins = vec![ada.device];
    for n in 0..4 {
        // Two of them within the same moment.
        if n != 1 {
            cluster.replicas[0].clock.advance(std::time::Duration::from_secs(1));
        }
        ada = Person::login(cluster.url(), "ada").await;
        logins.push(ada.device);
    }
    let whole: Page<Device> = ada.get("/devices").await.ok();
    let order: Vec<_> = whole.items.iter().map(|device| device.id).collect();
    logins.reverse();
    assert_eq!((&order, whole.next), (&logins, None));
    assert_eq!(whole.items.iter().filter(|device| device.current).count(), 1);
    assert!(whole.items[0].current, "whoever asks was just seen");
    for limit in [1, 2, 5, 6] {
        let paged: Vec<Device> = all(&ada, "/devices", limit).await;
        assert_eq!(paged.iter().map(|device| device.id).collect::<Vec<_>>(), order, "{limit}");
    }
    assert_eq!(ada.get("/devices?after=x").await.refused(400), "invalid_cursor");
}
