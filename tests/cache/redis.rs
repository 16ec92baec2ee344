//! What replicas share by a cache on Redis, and what each does without it.

use super::*;
use crate::support::redis::RedisCluster;

async fn two_replicas(url: &str) -> (Rig, Rig) {
    (on_redis(url).await, on_redis(url).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_replicas_see_what_one_remembers() {
    let redis = Server::start().await;
    let (one, two) = two_replicas(&redis.url()).await;
    let (user, id) = (UserId::new(), ConversationId::new());
    let evidence = Evidence { last_seq: 2, last_event_id: EventId::new(), last_read_seq: 1 };
    one.cache.put_unread(user, &[(id, evidence, 1)]).await;
    assert_eq!(two.cache.unread(user, &[(id, evidence)]).await, [Some(1)]);

    // The same number for a lease of either is two leases.
    one.lease(user, 1, SettablePresence::Online, LONG).await;
    two.lease(user, 1, SettablePresence::Online, LONG).await;
    one.release(user, 1).await;
    assert_eq!(two.status(user).await, Online);
    two.release(user, 1).await;
    one.finds(user, Offline).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_spent_once_whoever_asks() {
    let redis = Server::start().await;
    let (one, two) = two_replicas(&redis.url()).await;
    let ticket = Uuid::new_v4();
    assert_eq!(one.cache.spend_ticket(ticket, LONG).await, Some(true));
    assert_eq!(two.cache.spend_ticket(ticket, LONG).await, Some(false));
    assert_eq!(one.cache.spend_ticket(ticket, LONG).await, Some(false));
    // Without Redis the store must know, and within a process it always does.
    redis.kill();
    assert_eq!(one.cache.spend_ticket(Uuid::new_v4(), LONG).await, None);
    assert_eq!(in_process().cache.spend_ticket(Uuid::new_v4(), LONG).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_shared_and_survive_the_loss_of_redis() {
    let redis = Server::start().await;
    let (one, two) = two_replicas(&redis.url()).await;
    let now = one.clock.now();
    for n in 0..RULE.burst {
        let rig = if n % 2 == 0 { &one } else { &two };
        assert_eq!(rig.limits.take("shared", RULE, now).await, Ok(()));
    }
    assert!(one.limits.take("shared", RULE, now).await.is_err());
    assert!(two.limits.take("shared", RULE, now).await.is_err());

    // Each goes on from what it has counted itself: 3 of 5, and 2 of 5.
    redis.flush();
    for rig in [&one, &two] {
        let mut taken = 0;
        while rig.limits.take("shared", RULE, now).await.is_ok() {
            taken += 1;
            assert!(taken <= RULE.burst);
        }
        assert!((2..=3).contains(&taken), "{taken}");
    }
    redis.kill();
    assert!(one.limits.take("shared", RULE, now).await.is_err());
    assert_eq!(one.limits.take("other", RULE, now).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_wait_is_counted_without_a_frozen_redis() {
    let redis = Server::start().await;
    let (one, two) = two_replicas(&redis.url()).await;
    let now = one.clock.now();
    for _ in 0..RULE.burst {
        assert_eq!(two.limits.take_soon("shared", RULE, now).await, Ok(()));
    }
    assert!(one.limits.take_soon("shared", RULE, now).await.is_err(), "Redis was asked");
    redis.freeze();
    tokio::select! {
        biased;
        soon = one.limits.take_soon("other", RULE, now) => assert_eq!(soon, Ok(())),
        _ = one.limits.take("other", RULE, now) => panic!("who can wait was answered first"),
    }
    redis.thaw();
}

/// Every transition is told by somebody, by one at a time, and again if the one
/// who found it died before telling.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_but_not_told_is_found_again() {
    let redis = Server::start().await;
    let (one, two) = two_replicas(&redis.url()).await;
    let user = UserId::new();
    let news = one.cache.lease(user, 1, SettablePresence::Online, one.clock.now(), LONG).await;
    assert_eq!(news, Some(Transition { user, status: Online }));
    drop(one);
    two.finds(user, Online).await;
    // Told now. Once more, should an older word have overtaken it; never again.
    two.finds(user, Online).await;
    let swept = two.cache.sweep(two.clock.now()).await;
    assert!(swept.transitions.is_empty(), "{swept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_sweeps_a_shard_until_it_ends() {
    let redis = Server::start().await;
    let (one, two) = two_replicas(&redis.url()).await;
    one.cache.sweep(one.clock.now()).await;
    let user = UserId::new();
    one.lease(user, 1, SettablePresence::Online, GRACE).await;
    eventually("the lease has run out", SOON, async || {
        let swept = two.cache.sweep(two.clock.now()).await;
        assert!(swept.transitions.is_empty(), "the other holds all shards: {swept:?}");
        let swept = one.cache.sweep(one.clock.now()).await;
        swept.transitions.contains(&Transition { user, status: Offline }).then_some(())
    })
    .await;
    // The one who held them is gone: the other takes over.
    drop(one);
    two.finds(user, Offline).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_is_noticed_and_nobody_is_known_without_redis() {
    let redis = Server::start().await;
    let rig = on_redis(&redis.url()).await;
    let user = UserId::new();
    rig.lease(user, 1, SettablePresence::Online, LONG).await;
    assert!(!rig.cache.sweep(rig.clock.now()).await.lost);
    redis.flush();
    assert!(rig.cache.sweep(rig.clock.now()).await.lost);
    assert!(!rig.cache.sweep(rig.clock.now()).await.lost, "told once");
    rig.lease(user, 1, SettablePresence::Online, LONG).await;
    assert_eq!(rig.status(user).await, Online);

    redis.freeze();
    assert_eq!(rig.status(user).await, PresenceStatus::Unknown);
    let evidence = Evidence { last_seq: 2, last_event_id: EventId::new(), last_read_seq: 1 };
    let asked = [(ConversationId::new(), evidence)];
    assert_eq!(rig.cache.unread(user, &asked).await, [None]);
    redis.thaw();
    eventually("it is known again", SOON, async || {
        rig.cache.sweep(rig.clock.now()).await;
        (rig.status(user).await == Online).then_some(())
    })
    .await;
}

/// Keys of one script lie in one slot, and each command finds its node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_on_a_cluster_too() {
    let redis = RedisCluster::start().await;
    let url = redis.url();
    a_count_is_believed_only_with_its_evidence(on_redis(&url).await).await;
    a_user_is_online_while_any_lease_says_so(on_redis(&url).await).await;
    a_lease_that_is_not_renewed_runs_out(on_redis(&url).await).await;
    a_burst_then_a_wait(on_redis(&url).await).await;
    let rig = on_redis(&url).await;
    for _ in 0..20 {
        let ticket = Uuid::new_v4();
        assert_eq!(rig.cache.spend_ticket(ticket, LONG).await, Some(true));
        assert_eq!(rig.cache.spend_ticket(ticket, LONG).await, Some(false));
    }
}

/// A Redis that is full answers what it is asked, and takes nothing new: what it
/// says of people is as old as its last word about them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_takes_nothing_is_not_believed() {
    let redis = Server::start().await;
    let rig = on_redis(&redis.url()).await;
    let user = UserId::new();
    rig.lease(user, 1, SettablePresence::Online, LONG).await;
    assert_eq!(rig.status(user).await, Online);
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    eventually("nobody is known", SOON, async || {
        rig.cache.sweep(rig.clock.now()).await;
        (rig.status(user).await == PresenceStatus::Unknown).then_some(())
    })
    .await;
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    rig.cache.sweep(rig.clock.now()).await;
    assert_eq!(rig.status(user).await, Online);
}

/// While leases are being taken anew, who has none is not offline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_still_come_back_is_unknown() {
    let redis = Server::start().await;
    let rig = on_redis(&redis.url()).await;
    let [here, gone] = [UserId::new(), UserId::new()];
    rig.cache.settle(GRACE);
    rig.lease(here, 1, SettablePresence::Online, LONG).await;
    let statuses = rig.cache.statuses(&[here, gone]).await;
    assert_eq!(statuses, [Online, PresenceStatus::Unknown]);
    eventually("all had time to speak", SOON, async || {
        (rig.status(gone).await == Offline).then_some(())
    })
    .await;
}
