//! People, logins and how they are found.

use std::collections::HashSet;

use parley::store::{Account, Refusal, Revoke};

use super::*;

store_contract![
    names_are_unique,
    accounts_are_found_by_name_without_case,
    search_finds_starts_of_words,
    a_refresh_generation_moves_once,
    revoking_spares_whom_it_should,
    one_login_too_many_ends_the_one_seen_longest_ago,
    a_new_password_ends_the_other_sessions,
    what_was_checked_before_a_change_counts_no_more,
    disabling_ends_all_sessions,
    erasing_frees_the_name_and_keeps_the_words,
    a_ticket_is_spent_once,
    devices_are_touched_forwards,
];

async fn names_are_unique(db: Db) {
    db.user("Ada").await;
    let claims = ["ada", "ADA", "Ada"].map(|name| {
        let (store, user) = (db.store.clone(), new_user(name));
        async move { store.create_user(&user, &new_device(user.id)).await }
    });
    for claim in together(claims).await {
        refuses!(claim, Refusal::UsernameTaken);
    }
    let rivals = (0..8).map(|_| {
        let (store, user) = (db.store.clone(), new_user("grace"));
        async move { store.create_user(&user, &new_device(user.id)).await }
    });
    let won = together(rivals).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
}

async fn accounts_are_found_by_name_without_case(db: Db) {
    let id = db.user("Ada").await;
    let account = db.store.account_by_username("aDA").await.unwrap().unwrap();
    assert_eq!(account.user.id, id);
    assert_eq!(account.user.username, "Ada");
    assert_eq!(account.user.created_at, at(0));
    assert!(!account.disabled);
    assert_eq!(db.store.account(id).await.unwrap().unwrap().user, account.user);
    assert!(db.store.account_by_username("bob").await.unwrap().is_none());
    assert!(db.store.account(UserId::new()).await.unwrap().is_none());

    let user = db.store.set_display_name(id, "Countess").await.unwrap();
    assert_eq!(user.display_name, "Countess");
    assert_eq!(db.store.users(&[id, UserId::new()]).await.unwrap(), [user]);
    refuses!(db.store.set_display_name(UserId::new(), "x").await, Refusal::NotFound);
}

async fn search_finds_starts_of_words(db: Db) {
    let [ada, _, ostrom, odd] = db.users(["ada", "bob", "elinor", "x-100"]).await;
    db.store.set_display_name(ada, "Ada Lovelace").await.unwrap();
    db.store.set_display_name(ostrom, "Élinor  ÖSTROM").await.unwrap();
    db.store.set_display_name(odd, "100% \\_sure").await.unwrap();
    let find = async |query: &str| -> Vec<UserId> {
        let found = db.store.search_users(query, None, 10).await.unwrap();
        found.into_iter().map(|user| user.id).collect()
    };
    assert_eq!(find("LOVE").await, [ada]);
    assert_eq!(find("ad").await, [ada]);
    assert_eq!(find("öst").await, [ostrom], "any script, any case");
    assert_eq!(find("lace").await, [], "not from within a word");
    assert_eq!(find("100%").await, [odd]);
    assert_eq!(find("%").await, [], "a pattern is taken literally");
    assert_eq!(find("\\_").await, [odd]);

    db.store.set_disabled(ada, true, at(1)).await.unwrap();
    assert_eq!(find("ada").await, []);

    let page = db.store.list_users(None, 2).await.unwrap();
    let names = |page: &[(User, bool)]| -> Vec<(String, bool)> {
        page.iter().map(|(user, off)| (user.username.clone(), *off)).collect()
    };
    assert_eq!(names(&page), [("ada".into(), true), ("bob".into(), false)]);
    let rest = db.store.list_users(Some("BOB"), 10).await.unwrap();
    assert_eq!(names(&rest), [("elinor".into(), false), ("x-100".into(), false)]);
}

async fn a_refresh_generation_moves_once(db: Db) {
    let user = db.user("ada").await;
    let device = db.device(user).await;
    let rivals = (0..8).map(|_| {
        let (store, id) = (db.store.clone(), device.id);
        async move { store.rotate_refresh(id, 0, at(5)).await.unwrap() }
    });
    let won = together(rivals).await.into_iter().filter(|moved| *moved).count();
    assert_eq!(won, 1);
    let state = db.store.device_state(device.id).await.unwrap().unwrap();
    assert_eq!(state.refresh_generation, 1);
    // By one clock, whatever the replica's own says.
    match state.shared_now {
        Some(now) => assert!(now.since(state.refresh_rotated_at) < SOON),
        None => assert_eq!(state.refresh_rotated_at, at(5)),
    }
    assert_eq!((state.user_id, &state.secret_hash), (user, &device.secret_hash));
    assert!(!state.revoked && !state.user_disabled);

    db.store.revoke_devices(user, Revoke::One(device.id), at(6)).await.unwrap();
    assert!(!db.store.rotate_refresh(device.id, 1, at(7)).await.unwrap());
    assert!(db.store.device_state(DeviceId::new()).await.unwrap().is_none());
}

async fn one_login_too_many_ends_the_one_seen_longest_ago(db: Db) {
    const MOST: i64 = 3;
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let first = db.devices(ada).await[0].id;
    let account = db.store.account(ada).await.unwrap().unwrap();
    let login = async |second| {
        let device = NewDevice { created_at: at(second), ..new_device(ada) };
        let gone = db.store.create_device(&device, &account, MOST).await.unwrap();
        (device.id, gone.expect("the account is as it was"))
    };
    let (second, gone) = login(10).await;
    assert_eq!(gone, []);
    assert_eq!(login(20).await.1, []);
    db.store.touch_device(first, at(30)).await.unwrap();
    // Not the oldest login: the one that was seen longest ago.
    assert_eq!(login(40).await.1, [second]);
    assert_eq!(db.devices(ada).await.len(), 3);
    assert!(db.store.device_state(second).await.unwrap().unwrap().revoked);
    // Of those that have ended no more are kept either.
    for n in 5..10 {
        assert_eq!(login(n * 10).await.1.len(), 1);
    }
    assert!(db.store.device_state(second).await.unwrap().is_none(), "forgotten");
    assert_eq!((db.devices(ada).await.len(), db.devices(bob).await.len()), (3, 1));
}

async fn revoking_spares_whom_it_should(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let (one, _two) = (db.device(ada).await, db.device(ada).await);
    let ids = async |user| -> HashSet<DeviceId> {
        db.devices(user).await.into_iter().map(|device| device.id).collect()
    };
    assert_eq!(ids(ada).await.len(), 3);

    let foreign = Revoke::One(one.id);
    assert!(db.store.revoke_devices(bob, foreign, at(1)).await.unwrap().is_empty());
    let others = db.store.revoke_devices(ada, Revoke::AllBut(one.id), at(1)).await.unwrap();
    assert_eq!(others.len(), 2);
    assert_eq!(ids(ada).await, HashSet::from([one.id]));
    assert_eq!(db.store.account(ada).await.unwrap().unwrap().token_epoch, 0);

    let all = db.store.revoke_devices(ada, Revoke::All, at(2)).await.unwrap();
    assert_eq!(all, [one.id]);
    assert_eq!(db.store.account(ada).await.unwrap().unwrap().token_epoch, 1);
    assert_eq!(ids(bob).await.len(), 1);
}

async fn a_new_password_ends_the_other_sessions(db: Db) {
    let user = db.user("ada").await;
    let kept = db.device(user).await;
    let before = db.store.account(user).await.unwrap().unwrap();
    assert!(db.store.change_password(&before, "new", kept.id, at(1)).await.unwrap());
    let account = db.store.account(user).await.unwrap().unwrap();
    assert_eq!((account.password_hash.as_str(), account.token_epoch), ("new", 0));
    assert_eq!(db.devices(user).await.len(), 1);

    db.store.set_password(user, "newer", at(2)).await.unwrap();
    assert_eq!(db.store.account(user).await.unwrap().unwrap().token_epoch, 1);
    assert!(db.devices(user).await.is_empty());
    refuses!(db.store.set_password(UserId::new(), "x", at(3)).await, Refusal::NotFound);
}

async fn what_was_checked_before_a_change_counts_no_more(db: Db) {
    let user = db.user("ada").await;
    let current = async || db.store.account(user).await.unwrap().unwrap();
    let refused = async |checked: &Account| {
        let before = db.devices(user).await;
        let device = new_device(user);
        assert!(db.store.create_device(&device, checked, 9).await.unwrap().is_none());
        assert!(!db.store.change_password(checked, "stale", device.id, at(9)).await.unwrap());
        assert_eq!(db.devices(user).await, before);
        assert_ne!(current().await.password_hash, "stale");
    };
    let kept = db.device(user).await;
    let first = current().await;
    assert!(db.store.change_password(&first, "new", kept.id, at(1)).await.unwrap());
    refused(&first).await;
    let second = current().await;
    db.store.set_password(user, "newer", at(2)).await.unwrap();
    refused(&second).await;
    let third = current().await;
    db.store.revoke_devices(user, Revoke::All, at(3)).await.unwrap();
    refused(&third).await;
    let fourth = current().await;
    db.store.set_disabled(user, true, at(4)).await.unwrap();
    refused(&fourth).await;
    refused(&current().await).await;
    db.store.erase_user(user, at(5)).await.unwrap();
    refused(&fourth).await;
}

async fn disabling_ends_all_sessions(db: Db) {
    let user = db.user("ada").await;
    db.store.set_disabled(user, true, at(1)).await.unwrap();
    let state = &db.store.user_states(&[user]).await.unwrap()[0];
    assert!(state.disabled && state.live_devices.is_empty());
    assert_eq!(state.token_epoch, 1);
    db.store.set_disabled(user, false, at(2)).await.unwrap();
    assert!(!db.store.account(user).await.unwrap().unwrap().disabled);
    refuses!(db.store.set_disabled(UserId::new(), true, at(3)).await, Refusal::NotFound);
}

async fn erasing_frees_the_name_and_keeps_the_words(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let id = db.group(ada, &[bob]).await;
    db.send(id, ada, "remember me").await;
    db.store.erase_user(ada, at(3)).await.unwrap();

    let account = db.store.account(ada).await.unwrap().unwrap();
    assert!(account.disabled && account.password_hash.is_empty());
    assert_ne!(account.user.username, "ada");
    assert!(!account.user.display_name.contains("ada"));
    assert!(db.devices(ada).await.is_empty());
    assert_eq!(db.log(id).await[1].message.body.as_deref(), Some("remember me"));
    db.user("ada").await;
    // No name that somebody may have is in the way of the next one.
    assert!(text::username(&account.user.username).is_err());
    let name = |user: UserId| format!("deleted-{}", &user.0.simple().to_string()[12..]);
    db.user(&name(bob)).await;
    db.store.erase_user(bob, at(4)).await.unwrap();
    assert!(db.store.account(bob).await.unwrap().unwrap().disabled);
}

async fn a_ticket_is_spent_once(db: Db) {
    let jti = uuid::Uuid::now_v7();
    let rivals = (0..8).map(|_| {
        let store = db.store.clone();
        async move { store.spend_ticket(jti, at(30), at(0)).await.unwrap() }
    });
    let won = together(rivals).await.into_iter().filter(|spent| *spent).count();
    assert_eq!(won, 1);
    assert!(!db.store.spend_ticket(jti, at(30), at(30)).await.unwrap());
    // By the slowest clock it holds for another minute, and by the fastest it
    // has been void for two: then it is forgotten.
    assert!(!db.store.spend_ticket(jti, at(30), at(150)).await.unwrap());
    assert!(db.store.spend_ticket(jti, at(30), at(151)).await.unwrap());
}

async fn devices_are_touched_forwards(db: Db) {
    let [ada, bob] = db.users(["ada", "bob"]).await;
    let device = db.device(ada).await;
    db.store.touch_device(device.id, at(9)).await.unwrap();
    db.store.touch_device(device.id, at(4)).await.unwrap();
    let seen = db.devices(ada).await;
    assert_eq!((seen[0].id, seen[0].last_seen_at), (device.id, at(9)));
    let mut latest = db.store.last_seen(&[ada, bob, UserId::new()]).await.unwrap();
    latest.sort();
    assert_eq!(latest, [(ada, at(9)), (bob, at(0))]);
}
