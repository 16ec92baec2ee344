//! Who comes, who goes, who may do what.

use parley::store::Refusal;

use super::*;

store_contract![
    adding_tells_once_for_all_who_are_new,
    only_managers_add_and_rename,
    a_newcomer_sees_from_their_entry_or_everything,
    rejoining_begins_a_new_interval,
    leaving_ends_the_interval,
    admins_do_not_remove_owners,
    the_oldest_admin_inherits,
    the_oldest_member_inherits,
    the_last_one_may_leave,
    only_owners_change_roles_and_one_remains,
    titles_change_once,
    direct_conversations_keep_their_pair,
    outsiders_find_nothing,
    limits_hold,
    participants_come_in_pages,
];

fn system(written: &Written, place: usize) -> &SystemEvent {
    written.entries[place].message.system.as_ref().expect("a system message")
}

async fn adding_tells_once_for_all_who_are_new(db: Db) {
    let [ada, bob, eve, zoe] = db.users(["ada", "bob", "eve", "zoe"]).await;
    let new = new_group(ada, &[bob]);
    let id = db.create(&new).await;
    let add = ConversationChange::Add { users: vec![eve, bob, zoe, eve] };
    let written = db.change(id, ada, add.clone()).await.unwrap();
    assert_eq!(written.entries.len(), 1);
    let entry = &written.entries[0];
    assert_eq!((entry.seq, entry.prev_event_id), (2, Some(new.event_id)));
    assert_eq!((entry.message.sender_id, entry.message.updated_seq), (ada, 2));
    let mut expected = vec![eve, zoe];
    expected.sort();
    let SystemEvent::ParticipantAdded { user_ids } = system(&written, 0) else { panic!() };
    assert_eq!((user_ids, &written.users), (&expected, &expected));
    assert_eq!(db.log(id).await[1], *entry, "what is delivered is what is stored");
    let member = db.store.membership(id, eve).await.unwrap().unwrap();
    assert_eq!((member.joined_seq, member.mark.last_read_seq), (2, 2));

    let written = db.change(id, ada, add).await.unwrap();
    assert!(written.entries.is_empty() && written.users.is_empty());
    let nobody = ConversationChange::Add { users: vec![] };
    assert!(db.change(id, ada, nobody).await.unwrap().entries.is_empty());
    assert_eq!(db.head(id).await.seq, 2);
}

async fn only_managers_add_and_rename(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[bob]).await;
    let add = ConversationChange::Add { users: vec![eve] };
    let title = ConversationChange::SetTitle { title: "Mine".into() };
    refuses!(db.change(id, bob, add.clone()).await, Refusal::Forbidden(_));
    refuses!(db.change(id, bob, title.clone()).await, Refusal::Forbidden(_));
    let admin = ConversationChange::SetRole { user: bob, role: Role::Admin };
    db.change(id, ada, admin).await.unwrap();
    db.change(id, bob, add).await.unwrap();
    db.change(id, bob, title).await.unwrap();

    db.store.set_disabled(eve, true, at(1)).await.unwrap();
    for user in [UserId::new(), eve] {
        let add = ConversationChange::Add { users: vec![user] };
        refuses!(db.change(id, ada, add).await, Refusal::UnknownUser(id) if id == user);
    }
}

async fn a_newcomer_sees_from_their_entry_or_everything(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    for (share_history, visible_from) in [(false, 3), (true, 1)] {
        let id = db.create(&NewConversation { share_history, ..new_group(ada, &[]) }).await;
        db.send(id, ada, "early").await;
        db.add(id, ada, bob).await;
        let member = db.store.membership(id, bob).await.unwrap().unwrap();
        assert_eq!((member.joined_seq, member.visible_from_seq), (3, visible_from));
        assert_eq!(member.mark.last_read_seq, 3, "nothing old counts as unread");
    }
}

async fn rejoining_begins_a_new_interval(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let admin = ConversationChange::SetRole { user: bob, role: Role::Admin };
    db.change(id, ada, admin).await.unwrap();
    db.remove(id, ada, bob).await;
    db.send(id, ada, "while away").await;
    db.add(id, ada, bob).await;
    let member = db.store.membership(id, bob).await.unwrap().unwrap();
    assert_eq!((member.joined_seq, member.visible_from_seq, member.left_seq), (5, 5, None));
    assert_eq!((member.role, member.mark.last_read_seq), (Role::Member, 5));
}

async fn leaving_ends_the_interval(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[bob, eve]).await;
    let written = db.remove(id, bob, bob).await;
    assert_eq!(*system(&written, 0), SystemEvent::ParticipantLeft { user_id: bob });
    assert_eq!(written.users, [bob]);
    assert_eq!(written.entries[0].removed(), Some(bob));
    let written = db.remove(id, ada, eve).await;
    assert_eq!(*system(&written, 0), SystemEvent::ParticipantRemoved { user_id: eve });
    for (user, left_seq) in [(bob, 2), (eve, 3)] {
        let member = db.store.membership(id, user).await.unwrap().unwrap();
        assert_eq!(member.left_seq, Some(left_seq));
    }
    let again = ConversationChange::Remove { user: bob };
    refuses!(db.change(id, ada, again.clone()).await, Refusal::NotFound);
    refuses!(db.change(id, bob, again).await, Refusal::NotFound);
}

async fn admins_do_not_remove_owners(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[bob, eve]).await;
    let remove = |user| ConversationChange::Remove { user };
    refuses!(db.change(id, bob, remove(eve)).await, Refusal::Forbidden(_));
    let admin = ConversationChange::SetRole { user: bob, role: Role::Admin };
    db.change(id, ada, admin).await.unwrap();
    refuses!(db.change(id, bob, remove(ada)).await, Refusal::Forbidden(_));
    db.remove(id, bob, eve).await;
}

async fn the_oldest_admin_inherits(db: Db) {
    let [ada, bob, eve, zoe] = db.users(["ada", "bob", "eve", "zoe"]).await;
    let id = db.group(ada, &[bob]).await;
    db.add(id, ada, eve).await;
    db.add(id, ada, zoe).await;
    for user in [zoe, eve] {
        let admin = ConversationChange::SetRole { user, role: Role::Admin };
        db.change(id, ada, admin).await.unwrap();
    }
    let written = db.remove(id, ada, ada).await;
    assert_eq!(written.entries.len(), 2);
    let heir = SystemEvent::RoleChanged { user_id: eve, role: Role::Owner };
    assert_eq!(*system(&written, 1), heir);
    assert_eq!(written.entries[1].prev_event_id, Some(written.entries[0].event_id));
    assert_eq!(written.users, [ada, eve]);
    assert_eq!(db.store.membership(id, eve).await.unwrap().unwrap().role, Role::Owner);
    assert_eq!(db.head(id).await.event_id, written.entries[1].event_id);
}

async fn the_oldest_member_inherits(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[eve]).await;
    db.add(id, ada, bob).await;
    let written = db.remove(id, ada, ada).await;
    let heir = SystemEvent::RoleChanged { user_id: eve, role: Role::Owner };
    assert_eq!(*system(&written, 1), heir);
    // Of two owners one may go without an heir.
    let owner = ConversationChange::SetRole { user: bob, role: Role::Owner };
    db.change(id, eve, owner).await.unwrap();
    assert_eq!(db.remove(id, eve, eve).await.entries.len(), 1);
}

async fn the_last_one_may_leave(db: Db) {
    let ada = db.user("ada").await;
    let id = db.group(ada, &[]).await;
    assert_eq!(db.remove(id, ada, ada).await.entries.len(), 1);
    assert_eq!(db.head(id).await.seq, 2);
    let add = ConversationChange::Add { users: vec![ada] };
    refuses!(db.change(id, ada, add).await, Refusal::NotFound);
}

async fn only_owners_change_roles_and_one_remains(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[bob, eve]).await;
    let give = |user, role| ConversationChange::SetRole { user, role };
    refuses!(db.change(id, bob, give(bob, Role::Owner)).await, Refusal::Forbidden(_));
    refuses!(db.change(id, ada, give(ada, Role::Member)).await, Refusal::Conflict(_));
    refuses!(db.change(id, ada, give(UserId::new(), Role::Admin)).await, Refusal::NotFound);
    assert!(db.change(id, ada, give(bob, Role::Member)).await.unwrap().entries.is_empty());

    let written = db.change(id, ada, give(bob, Role::Owner)).await.unwrap();
    let told = SystemEvent::RoleChanged { user_id: bob, role: Role::Owner };
    assert_eq!((system(&written, 0), &written.users), (&told, &vec![bob]));
    db.change(id, ada, give(ada, Role::Member)).await.unwrap();
    refuses!(db.change(id, ada, give(eve, Role::Admin)).await, Refusal::Forbidden(_));

    // Two owners who demote each other at the same time leave one.
    db.change(id, bob, give(ada, Role::Owner)).await.unwrap();
    let duel = [(ada, bob), (bob, ada)].map(|(actor, target)| {
        let db = db.clone();
        async move { db.change(id, actor, give(target, Role::Member)).await.is_ok() }
    });
    assert_eq!(together(duel).await.into_iter().filter(|won| *won).count(), 1);
}

async fn titles_change_once(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let title = ConversationChange::SetTitle { title: "Better".into() };
    let written = db.change(id, ada, title.clone()).await.unwrap();
    assert_eq!(*system(&written, 0), SystemEvent::TitleChanged { title: "Better".into() });
    assert!(db.change(id, ada, title).await.unwrap().entries.is_empty());
    assert_eq!(db.head(id).await.seq, 2);
}

async fn direct_conversations_keep_their_pair(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.direct(ada, bob).await;
    for change in [
        ConversationChange::Add { users: vec![eve] },
        ConversationChange::Remove { user: bob },
        ConversationChange::Remove { user: ada },
        ConversationChange::SetRole { user: ada, role: Role::Owner },
        ConversationChange::SetTitle { title: "Us".into() },
    ] {
        refuses!(db.change(id, ada, change).await, Refusal::Forbidden(_));
    }
    assert_eq!(db.head(id).await.seq, 1);
}

async fn outsiders_find_nothing(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let direct = db.direct(ada, bob).await;
    let group = db.group(ada, &[bob, eve]).await;
    db.remove(group, ada, eve).await;
    for id in [direct, group, ConversationId::new()] {
        for change in [
            ConversationChange::Add { users: vec![eve] },
            ConversationChange::Remove { user: bob },
            ConversationChange::SetRole { user: eve, role: Role::Owner },
            ConversationChange::SetTitle { title: "Ours".into() },
        ] {
            refuses!(db.change(id, eve, change).await, Refusal::NotFound);
        }
        refuses!(db.store.participants(id, eve, None, 10).await, Refusal::NotFound);
        refuses!(db.store.set_settings(id, eve, Some(true), None).await, Refusal::NotFound);
        refuses!(db.store.advance_read(id, eve, 1, at(1)).await, Refusal::NotFound);
    }
}

async fn limits_hold(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    let many = (0..=limits::ADDED_AT_ONCE).map(|_| UserId::new()).collect();
    let add = ConversationChange::Add { users: many };
    refuses!(db.change(id, ada, add).await, Refusal::TooMany(_, 100));
}

async fn participants_come_in_pages(db: Db) {
    let [ada, bob, eve, zoe] = db.users(["ada", "bob", "eve", "zoe"]).await;
    let id = db.group(ada, &[bob]).await;
    db.add(id, ada, zoe).await;
    db.add(id, ada, eve).await;
    db.remove(id, ada, bob).await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = db.store.participants(id, ada, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.joined_seq, last.user.id));
        seen.extend(page);
    }
    let names: Vec<&str> = seen.iter().map(|one| one.user.username.as_str()).collect();
    assert_eq!(names, ["ada", "zoe", "eve"]);
    assert_eq!((seen[0].role, seen[1].joined_seq, seen[1].last_read_seq), (Role::Owner, 2, 2));
}
