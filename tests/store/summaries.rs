//! Conversations as one member sees them.

use parley::store::Select;

use super::*;

store_contract![
    a_summary_is_the_state_of_its_log,
    each_member_has_their_own,
    the_newest_activity_comes_first,
    the_last_message_is_one_i_may_see,
    at_most_eight_participants_are_shown,
    a_summary_is_of_one_moment,
    states_tell_all_of_a_user,
];

async fn summary(db: &Db, user: UserId, id: ConversationId) -> Conversation {
    let mut found = db.store.summaries(user, &Select::These(vec![id])).await.unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0).conversation
}

async fn a_summary_is_the_state_of_its_log(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let new = NewConversation { share_history: true, ..new_group(ada, &[bob]) };
    let id = db.create(&new).await;
    let shown = summary(&db, bob, id).await;
    assert_eq!((shown.id, shown.kind), (id, ConversationKind::Group));
    assert_eq!((shown.title.as_deref(), shown.share_history), (Some("A group"), true));
    assert_eq!((shown.created_by, shown.created_at), (Some(ada), at(1)));
    assert_eq!((shown.last_seq, shown.last_event_id), (1, new.event_id));
    assert_eq!(shown.last_message, Some(db.log(id).await[0].message.clone()));
    assert_eq!((shown.unread_count, shown.unread_as_of_seq), (0, 1));

    let long = "ü".repeat(300);
    db.send(id, ada, &long).await;
    let shown = summary(&db, bob, id).await;
    let last = shown.last_message.unwrap();
    assert_eq!((last.seq, shown.last_seq, shown.unread_as_of_seq), (2, 2, 2));
    assert_eq!(last.body.as_deref(), Some("ü".repeat(200).as_str()));
    db.store.delete_message(id, ada, 2, EventId::new(), at(300)).await.unwrap();
    let shown = summary(&db, bob, id).await;
    let last = shown.last_message.unwrap();
    assert_eq!((last.seq, last.body, last.deleted_at), (2, None, Some(at(300))));
    assert_eq!((shown.last_seq, last.updated_seq), (3, 3));
    assert_eq!(shown.last_event_id, db.head(id).await.event_id);

    let direct = db.direct(ada, bob).await;
    let shown = summary(&db, ada, direct).await;
    assert_eq!(
        (shown.kind, shown.title, shown.role),
        (ConversationKind::Direct, None, Role::Member)
    );
}

async fn each_member_has_their_own(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[bob]).await;
    db.send(id, ada, "x").await;
    db.store.advance_read(id, bob, 2, at(7)).await.unwrap();
    db.store.set_settings(id, bob, Some(true), Some(true)).await.unwrap();
    let shown = summary(&db, bob, id).await;
    assert_eq!((shown.role, shown.joined_seq, shown.visible_from_seq), (Role::Member, 1, 1));
    assert_eq!((shown.last_read_seq, shown.last_read_at), (2, Some(at(7))));
    assert!(shown.muted && shown.pinned);
    assert_eq!(shown.participant_count, 2);
    let people = db.store.participants(id, ada, None, 10).await.unwrap();
    assert_eq!(shown.participants, people, "as the list of participants has them");
    let hers = summary(&db, ada, id).await;
    assert_eq!((hers.role, hers.last_read_seq, hers.muted), (Role::Owner, 1, false));
    let select = Select::These(vec![id]);
    assert!(db.store.summaries(eve, &select).await.unwrap().is_empty());
    db.remove(id, ada, bob).await;
    assert!(db.store.summaries(bob, &select).await.unwrap().is_empty());
}

async fn the_newest_activity_comes_first(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let mut groups = Vec::new();
    for _ in 0..5 {
        groups.push(db.group(ada, &[bob]).await);
    }
    // Two of the same moment; the others as they were created.
    for (group, time) in [(3, 50), (1, 50), (4, 40)] {
        let message = NewMessage { created_at: at(time), ..text(groups[group], bob, "x") };
        append_one(&db.store, &message).await.unwrap();
    }
    let mut expected = [groups[1], groups[3]];
    expected.sort_by(|a, b| b.cmp(a));
    let mut expected = expected.to_vec();
    expected.push(groups[4]);
    let mut quiet = [groups[0], groups[2]];
    quiet.sort_by(|a, b| b.cmp(a));
    expected.extend(quiet);

    for limit in [1, 2, 3, 10] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = db.store.summaries(ada, &Select::Newest { after, limit }).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.last_activity_at, last.conversation.id));
            seen.extend(page.iter().map(|summary| summary.conversation.id));
        }
        assert_eq!(seen, expected, "in pages of {limit}");
    }
}

async fn the_last_message_is_one_i_may_see(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[]).await;
    let secret = db.send(id, ada, "secret").await;
    db.add(id, ada, bob).await;
    // A change of what bob may not see is not activity of his.
    db.store.edit_message(id, ada, secret, "x", EventId::new(), at(900)).await.unwrap();
    let shown = summary(&db, bob, id).await;
    assert_eq!((shown.visible_from_seq, shown.last_seq), (3, 4));
    let last = shown.last_message.unwrap();
    assert_eq!(last.system, Some(SystemEvent::ParticipantAdded { user_ids: vec![bob] }));
}

async fn at_most_eight_participants_are_shown(db: Db) {
    let names = ["a00", "b00", "c00", "d00", "e00", "f00", "g00", "h00", "i00", "j00"];
    let users = db.users(names).await;
    let id = db.group(users[0], &[]).await;
    for user in &users[1..] {
        db.add(id, users[0], *user).await;
    }
    let names = async |user| -> Vec<String> {
        let shown = summary(&db, user, id).await;
        assert_eq!(shown.participant_count, 10);
        shown.participants.into_iter().map(|one| one.user.username).collect()
    };
    let oldest = ["a00", "b00", "c00", "d00", "e00", "f00", "g00", "h00"];
    assert_eq!(names(users[2]).await, oldest);
    let with_me = ["a00", "b00", "c00", "d00", "e00", "f00", "g00", "j00"];
    assert_eq!(names(users[9]).await, with_me);
}

/// While messages and members come and go, every summary holds together.
async fn a_summary_is_of_one_moment(db: Db) {
    let [ada, bob, eve] = db.users(["ada", "bob", "eve"]).await;
    let id = db.group(ada, &[bob]).await;
    let writer = db.clone();
    let writing = tokio::spawn(async move {
        for n in 0..40 {
            writer.add(id, ada, eve).await;
            writer.send(id, ada, &n.to_string()).await;
            writer.remove(id, ada, eve).await;
        }
    });
    while !writing.is_finished() {
        let shown = summary(&db, bob, id).await;
        // Every entry here is a message, so the last one is the top of the log.
        let last = shown.last_message.expect("a last message");
        assert_eq!((last.seq, last.id), (shown.last_seq, shown.last_event_id));
        let eve_is_in = shown.last_seq % 3 != 1;
        assert_eq!(shown.participant_count, if eve_is_in { 3 } else { 2 });
        assert_eq!(shown.participants.len() as i64, shown.participant_count);
    }
    writing.await.unwrap();
}

async fn states_tell_all_of_a_user(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let [one, two] = [db.group(ada, &[bob]).await, db.group(ada, &[bob]).await];
    db.remove(one, ada, bob).await;
    db.store.set_settings(two, bob, None, Some(true)).await.unwrap();
    let mut states = db.store.user_states(&[bob, UserId::new(), ada]).await.unwrap();
    states.sort_by_key(|state| state.user.username.clone());
    assert_eq!(states.len(), 2);
    let bobs = &states[1];
    assert_eq!((bobs.user.id, bobs.token_epoch, bobs.disabled), (bob, 0, false));
    assert_eq!(bobs.live_devices.len(), 1);
    let of = |id| bobs.memberships.iter().find(|m| m.conversation_id == id).unwrap();
    assert_eq!((of(one).left_seq, of(two).left_seq), (Some(2), None));
    assert!(of(two).pinned);
    assert_eq!(Some(of(two)), db.store.membership(two, bob).await.unwrap().as_ref());
    assert_eq!(states[0].memberships.len(), 2);
}
