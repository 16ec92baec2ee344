//! Beginning conversations.

use parley::store::{LogRange, Refusal};

use super::*;

store_contract![
    a_pair_has_one_direct_conversation,
    a_direct_conversation_needs_exactly_one_other,
    a_group_begins_with_its_first_entry,
    a_group_is_one_per_client_id,
    a_client_id_serves_one_request,
    strangers_cannot_be_put_into_groups,
    a_group_begins_with_a_limited_number,
    direct_partners_are_the_other_sides,
];

async fn a_pair_has_one_direct_conversation(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let attempts = (0..12).map(|n: usize| {
        let store = if n.is_multiple_of(3) { db.other() } else { db.store.clone() };
        let new = if n.is_multiple_of(2) { new_direct(ada, bob) } else { new_direct(bob, ada) };
        async move { store.create_conversation(&new).await.unwrap() }
    });
    let made = together(attempts).await;
    assert_eq!(made.iter().filter(|made| made.created).count(), 1);
    assert!(made.iter().all(|one| one.id == made[0].id));
    let membership = db.store.membership(made[0].id, ada).await.unwrap().unwrap();
    assert_eq!((membership.role, membership.joined_seq), (Role::Member, 1));
}

async fn a_direct_conversation_needs_exactly_one_other(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    refuses!(db.store.create_conversation(&new_direct(ada, ada)).await, Refusal::Conflict(_));
    let mut three = new_direct(ada, bob);
    three.others.push(eve);
    refuses!(db.store.create_conversation(&three).await, Refusal::Conflict(_));
    three.others.clear();
    refuses!(db.store.create_conversation(&three).await, Refusal::Conflict(_));
}

async fn a_group_begins_with_its_first_entry(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let new = new_group(ada, &[bob]);
    let made = db.store.create_conversation(&new).await.unwrap();
    assert!(made.created && made.id == new.id);
    let log = db.log(new.id).await;
    assert_eq!(log.len(), 1);
    let LogEntry { seq, event_id, prev_event_id, message, change } = &log[0];
    assert_eq!((*seq, *event_id, *prev_event_id), (1, new.event_id, None));
    assert_eq!(message.system, Some(SystemEvent::Created));
    assert_eq!((message.kind, message.sender_id), (MessageKind::System, ada));
    assert_eq!((message.created_at, message.body.as_ref()), (new.created_at, None));
    assert!(change.is_none());
    for (user, role) in [(ada, Role::Owner), (bob, Role::Member)] {
        let member = db.store.membership(new.id, user).await.unwrap().unwrap();
        assert_eq!((member.role, member.left_seq), (role, None));
        assert_eq!((member.joined_seq, member.visible_from_seq), (1, 1));
        assert_eq!(member.mark, ReadMark { last_read_seq: 1, last_read_at: None });
    }
    let head = db.head(new.id).await;
    assert_eq!((head.seq, head.event_id), (1, new.event_id));
    let at_start = Cursor { seq: 0, event_id: None };
    let unknown = db.store.log_range(ConversationId::new(), at_start, None, 10).await.unwrap();
    assert!(matches!(unknown, LogRange::Gone { left_seq: None }));
}

async fn a_group_is_one_per_client_id(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let new = NewConversation { client_id: Some(ClientId::new()), ..new_group(ada, &[bob]) };
    let attempts = (0..12).map(|n: usize| {
        let store = if n.is_multiple_of(3) { db.other() } else { db.store.clone() };
        let attempt = NewConversation {
            id: ConversationId::new(),
            event_id: EventId::new(),
            created_at: at(n as i64),
            ..new.clone()
        };
        async move { store.create_conversation(&attempt).await.unwrap() }
    });
    let made = together(attempts).await;
    assert_eq!(made.iter().filter(|made| made.created).count(), 1);
    assert!(made.iter().all(|one| one.id == made[0].id));
    // Another creator may use the same id.
    let theirs =
        NewConversation { id: ConversationId::new(), others: vec![ada], creator: bob, ..new };
    assert!(db.store.create_conversation(&theirs).await.unwrap().created);
}

async fn a_client_id_serves_one_request(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let first = NewConversation { client_id: Some(ClientId::new()), ..new_group(ada, &[bob, eve]) };
    let id = db.create(&first).await;
    let fresh = || NewConversation { id: ConversationId::new(), ..first.clone() };
    let titled = NewConversation { title: Some("Other".into()), ..fresh() };
    let smaller = NewConversation { others: vec![bob], ..fresh() };
    let shared = NewConversation { share_history: true, ..fresh() };
    for other in [titled, smaller, shared] {
        refuses!(db.store.create_conversation(&other).await, Refusal::ClientIdReused);
    }
    // Changed since, but the same request.
    let title = ConversationChange::SetTitle { title: "Renamed".into() };
    db.change(id, ada, title).await.unwrap();
    db.remove(id, ada, bob).await;
    let reordered = NewConversation { others: vec![eve, bob], ..fresh() };
    let repeat = db.store.create_conversation(&reordered).await.unwrap();
    assert!(repeat.id == id && !repeat.created);
}

async fn strangers_cannot_be_put_into_groups(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let nobody = UserId::new();
    let with_nobody = new_group(ada, &[bob, nobody]);
    refuses!(
        db.store.create_conversation(&with_nobody).await,
        Refusal::UnknownUser(id) if id == nobody
    );
    refuses!(db.store.create_conversation(&new_direct(ada, nobody)).await, Refusal::UnknownUser(_));
    let direct = db.direct(ada, bob).await;
    db.store.set_disabled(bob, true, at(1)).await.unwrap();
    refuses!(
        db.store.create_conversation(&new_group(ada, &[bob])).await,
        Refusal::UnknownUser(id) if id == bob
    );
    // What exists, exists.
    assert_eq!(db.direct(ada, bob).await, direct);
}

async fn a_group_begins_with_a_limited_number(db: Db) {
    let ada = db.user("ada").await;
    let many: Vec<UserId> = (0..=limits::ADDED_AT_ONCE).map(|_| UserId::new()).collect();
    refuses!(db.store.create_conversation(&new_group(ada, &many)).await, Refusal::TooMany(..));
    let alone = db.group(ada, &[]).await;
    assert_eq!(db.store.participants(alone, ada, None, 10).await.unwrap().len(), 1);
}

async fn direct_partners_are_the_other_sides(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    db.direct(ada, bob).await;
    db.direct(eve, ada).await;
    db.group(ada, &[bob, eve]).await;
    let mut partners = db.store.direct_partners(ada).await.unwrap();
    partners.sort();
    assert_eq!(partners, [bob, eve]);
    assert_eq!(db.store.direct_partners(bob).await.unwrap(), [ada]);
}
