//! Pages of history.

use parley::store::{Around, Refusal};

use super::*;

store_contract![
    the_newest_page_reaches_the_top,
    pages_back_meet_without_a_gap,
    pages_forward_meet_without_a_gap,
    a_page_around_a_message_shows_both_sides,
    nothing_from_before_a_newcomer,
    tombstones_and_system_messages_are_history,
];

/// Messages at 1, 2, 3, 6, 7, 8; changes at 4 and 5 and 9.
async fn conversation(db: &Db) -> (ConversationId, UserId) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    db.send(id, ada, "two").await;
    db.send(id, bob, "three").await;
    for body in ["2", "deux"] {
        db.store.edit_message(id, ada, 2, body, EventId::new(), at(200)).await.unwrap();
    }
    for body in ["six", "seven", "eight"] {
        db.send(id, bob, body).await;
    }
    db.store.delete_message(id, bob, 7, EventId::new(), at(201)).await.unwrap();
    (id, bob)
}

struct Page {
    seqs: Vec<Seq>,
    range: (Seq, Seq),
    more: (bool, bool),
}

async fn page(db: &Db, id: ConversationId, viewer: UserId, around: Around, limit: i64) -> Page {
    let history = db.store.history(id, viewer, around, limit).await.unwrap();
    Page {
        seqs: history.messages.iter().map(|message| message.seq).collect(),
        range: (history.range.from_seq, history.range.to_seq),
        more: (history.has_more_before, history.has_more_after),
    }
}

#[track_caller]
fn is(page: Page, seqs: &[Seq], range: (Seq, Seq), more: (bool, bool)) {
    assert_eq!((page.seqs.as_slice(), page.range, page.more), (seqs, range, more));
}

async fn the_newest_page_reaches_the_top(db: Db) {
    let (id, bob) = conversation(&db).await;
    is(page(&db, id, bob, Around::Newest, 2).await, &[7, 8], (7, 9), (true, false));
    is(page(&db, id, bob, Around::Newest, 50).await, &[1, 2, 3, 6, 7, 8], (1, 9), (false, false));
    is(page(&db, id, bob, Around::Newest, 6).await, &[1, 2, 3, 6, 7, 8], (1, 9), (false, false));
    refuses!(db.store.history(id, UserId::new(), Around::Newest, 5).await, Refusal::NotFound);
    let nowhere = ConversationId::new();
    refuses!(db.store.history(nowhere, bob, Around::Newest, 5).await, Refusal::NotFound);
}

async fn pages_back_meet_without_a_gap(db: Db) {
    let (id, bob) = conversation(&db).await;
    is(page(&db, id, bob, Around::Before(7), 2).await, &[3, 6], (3, 6), (true, true));
    is(page(&db, id, bob, Around::Before(3), 2).await, &[1, 2], (1, 2), (false, true));
    is(page(&db, id, bob, Around::Before(6), 2).await, &[2, 3], (2, 5), (true, true));
    is(page(&db, id, bob, Around::Before(1), 2).await, &[], (1, 0), (false, true));
    is(page(&db, id, bob, Around::Before(99), 2).await, &[7, 8], (7, 9), (true, false));
    is(page(&db, id, bob, Around::Before(-3), 2).await, &[], (1, -4), (false, true));
}

async fn pages_forward_meet_without_a_gap(db: Db) {
    let (id, bob) = conversation(&db).await;
    is(page(&db, id, bob, Around::After(0), 2).await, &[1, 2], (1, 2), (false, true));
    is(page(&db, id, bob, Around::After(2), 2).await, &[3, 6], (3, 6), (true, true));
    is(page(&db, id, bob, Around::After(6), 2).await, &[7, 8], (7, 9), (true, false));
    is(page(&db, id, bob, Around::After(9), 2).await, &[], (10, 9), (true, false));
    is(page(&db, id, bob, Around::After(Seq::MAX), 2).await, &[], (Seq::MAX, 9), (true, false));
}

async fn a_page_around_a_message_shows_both_sides(db: Db) {
    let (id, bob) = conversation(&db).await;
    is(page(&db, id, bob, Around::Around(3), 4).await, &[2, 3, 6, 7], (2, 7), (true, true));
    is(page(&db, id, bob, Around::Around(1), 4).await, &[1, 2, 3], (1, 3), (false, true));
    is(page(&db, id, bob, Around::Around(8), 4).await, &[7, 8], (7, 9), (true, false));
}

async fn nothing_from_before_a_newcomer(db: Db) {
    let (id, bob) = conversation(&db).await;
    let eve = db.user("eve").await;
    let owner = db.store.participants(id, bob, None, 10).await.unwrap();
    let owner = owner.iter().find(|one| one.role == Role::Owner).expect("an owner").user.id;
    db.add(id, owner, eve).await;
    db.send(id, bob, "welcome").await;
    is(page(&db, id, eve, Around::Newest, 50).await, &[10, 11], (10, 11), (false, false));
    is(page(&db, id, eve, Around::Before(10), 50).await, &[], (10, 9), (false, true));
    is(page(&db, id, eve, Around::After(3), 50).await, &[10, 11], (10, 11), (false, false));
    db.remove(id, owner, eve).await;
    refuses!(db.store.history(id, eve, Around::Newest, 50).await, Refusal::NotFound);
}

async fn tombstones_and_system_messages_are_history(db: Db) {
    let (id, bob) = conversation(&db).await;
    let messages = db.store.history(id, bob, Around::Newest, 50).await.unwrap().messages;
    assert_eq!(messages[0].system, Some(SystemEvent::Created));
    assert_eq!(messages[1].body.as_deref(), Some("deux"));
    assert_eq!((messages[1].updated_seq, messages[1].edited_at), (5, Some(at(200))));
    assert_eq!((messages[4].body.as_ref(), messages[4].deleted_at), (None, Some(at(201))));
}
