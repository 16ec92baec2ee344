//! Editing and deleting.

use parley::store::Refusal;

use super::*;

store_contract![
    an_edit_is_an_entry_with_the_new_state,
    a_deletion_leaves_a_tombstone,
    who_may_edit_and_delete,
    what_cannot_be_seen_cannot_be_changed,
    system_messages_stay,
];

async fn an_edit_is_an_entry_with_the_new_state(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let message = text(id, bob, "draft");
    append_one(&db.store, &message).await.unwrap();
    let edit = EventId::new();
    let written = db.store.edit_message(id, bob, 2, "final", edit, at(200)).await.unwrap();
    let entry = &written.entries[0];
    assert_eq!((entry.seq, entry.event_id), (3, edit));
    assert_eq!(entry.prev_event_id, Some(message.event_id));
    assert_eq!(entry.change, Some(LogChange { kind: Change::Edited, actor: bob }));
    assert_eq!((entry.message.seq, entry.message.updated_seq), (2, 3));
    assert_eq!(entry.message.body.as_deref(), Some("final"));
    assert_eq!((entry.message.edited_at, entry.message.created_at), (Some(at(200)), at(100)));
    let log = db.log(id).await;
    assert_eq!(log[2], *entry, "what is delivered is what is stored");
    assert_eq!(log[1].message, entry.message, "a message is read in its current state");
    assert!(written.users.is_empty());

    let same = db.store.edit_message(id, bob, 2, "final", EventId::new(), at(201)).await;
    assert!(same.unwrap().entries.is_empty());
    assert_eq!(db.head(id).await.seq, 3);
}

async fn a_deletion_leaves_a_tombstone(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    db.send(id, bob, "oops").await;
    let delete = async || db.store.delete_message(id, bob, 2, EventId::new(), at(200)).await;
    let written = delete().await.unwrap();
    let entry = &written.entries[0];
    assert_eq!(entry.change, Some(LogChange { kind: Change::Deleted, actor: bob }));
    assert_eq!((entry.message.body.as_ref(), entry.message.deleted_at), (None, Some(at(200))));
    assert_eq!(db.log(id).await[2], *entry);
    assert!(delete().await.unwrap().entries.is_empty());
    let edit = db.store.edit_message(id, bob, 2, "no", EventId::new(), at(201)).await;
    refuses!(edit, Refusal::Conflict(_));
}

async fn who_may_edit_and_delete(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[bob, eve]).await;
    db.send(id, bob, "bob's").await;
    let edit =
        async |actor| db.store.edit_message(id, actor, 2, "changed", EventId::new(), at(200)).await;
    let delete = async |actor| db.store.delete_message(id, actor, 2, EventId::new(), at(201)).await;
    refuses!(edit(ada).await, Refusal::Forbidden(_));
    refuses!(edit(eve).await, Refusal::Forbidden(_));
    refuses!(delete(eve).await, Refusal::Forbidden(_));
    edit(bob).await.unwrap();
    delete(ada).await.unwrap();

    let direct = db.direct(ada, bob).await;
    db.send(direct, ada, "mine").await;
    let delete = db.store.delete_message(direct, bob, 2, EventId::new(), at(202)).await;
    refuses!(delete, Refusal::Forbidden(_));
}

async fn what_cannot_be_seen_cannot_be_changed(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[bob]).await;
    db.send(id, bob, "before").await;
    let edit = async |actor, seq| {
        db.store.edit_message(id, actor, seq, "x", EventId::new(), at(200)).await
    };
    let delete =
        async |actor, seq| db.store.delete_message(id, actor, seq, EventId::new(), at(200)).await;
    refuses!(edit(eve, 2).await, Refusal::NotFound);
    refuses!(delete(eve, 2).await, Refusal::NotFound);
    refuses!(edit(bob, 99).await, Refusal::NotFound);
    db.remove(id, ada, bob).await;
    refuses!(edit(bob, 2).await, Refusal::NotFound);
    refuses!(delete(bob, 2).await, Refusal::NotFound);
    db.add(id, ada, bob).await;
    refuses!(edit(bob, 2).await, Refusal::NotFound);
    refuses!(delete(bob, 2).await, Refusal::NotFound);
    // A change is not a message.
    delete(ada, 2).await.unwrap();
    refuses!(delete(ada, 5).await, Refusal::NotFound);
}

async fn system_messages_stay(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let edit = db.store.edit_message(id, ada, 1, "x", EventId::new(), at(200)).await;
    refuses!(edit, Refusal::Forbidden(_));
    let delete = db.store.delete_message(id, ada, 1, EventId::new(), at(200)).await;
    refuses!(delete, Refusal::Forbidden(_));
}
