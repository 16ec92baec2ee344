//! The cache's contract: each rule on the cache within a process and on Redis.
//! What several replicas share follows in a file of its own.

#![deny(dead_code)]

mod redis;

use std::{sync::Arc, time::Duration};

use parley::{
    cache::{
        Cache, Evidence, RedisCache, Transition,
        limits::{Limits, LocalLimits, Rule},
    },
    clock::Clock,
    model::*,
    shutdown::Shutdown,
};
use uuid::Uuid;

use crate::support::{eventually, limits::SOON, redis::Server};

/// Makes one test per rule and cache.
macro_rules! cache_contract {
    ($($rule:ident),* $(,)?) => {
        mod on_redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(super::on_redis_of_its_own().await).await
                }
            )*
        }
        mod in_process {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(super::in_process()).await
                }
            )*
        }
    };
}

cache_contract![
    a_count_is_believed_only_with_its_evidence,
    a_user_is_online_while_any_lease_says_so,
    a_reload_within_the_grace_does_not_flicker,
    a_lease_that_is_not_renewed_runs_out,
    a_burst_then_a_wait,
];

const GRACE: Duration = Duration::from_millis(600);
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);
const RULE: Rule = Rule::new(5, LONG);

/// One replica's cache.
pub struct Rig {
    cache: Cache,
    limits: Limits,
    clock: Clock,
    shutdown: Shutdown,
    _redis: Option<Server>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shutdown.begin_kill();
    }
}

fn in_process() -> Rig {
    Rig {
        cache: Cache::local(true, GRACE),
        limits: Limits::Local(LocalLimits::new(1_000)),
        clock: Clock::default(),
        shutdown: Shutdown::new(),
        _redis: None,
    }
}

/// Sweeps are of everybody: two tests on one Redis would find each other's.
async fn on_redis_of_its_own() -> Rig {
    let redis = Server::start().await;
    let mut rig = on_redis(&redis.url()).await;
    rig._redis = Some(redis);
    rig
}

async fn on_redis(url: &str) -> Rig {
    let redis = RedisCache::new(url, Uuid::now_v7().as_u64_pair().1).unwrap();
    let redis = Arc::new(redis);
    let limits = parley::cache::RedisLimits::new(LocalLimits::new(1_000), &redis);
    let rig = Rig {
        cache: Cache::redis(redis.clone(), GRACE),
        limits: Limits::Redis(limits),
        clock: Clock::default(),
        shutdown: Shutdown::new(),
        _redis: None,
    };
    rig.cache.start(&rig.shutdown);
    eventually("Redis is reached", SOON, async || redis.link().is_up().then_some(())).await;
    // What was not written lately is not believed.
    rig.cache.sweep(rig.clock.now()).await;
    rig
}

impl Rig {
    async fn lease(&self, user: UserId, lease: u64, status: SettablePresence, valid_for: Duration) {
        let now = self.clock.now();
        let news = self.cache.lease(user, lease, status, now, valid_for).await;
        self.cache.told(&news.into_iter().collect::<Vec<_>>()).await;
    }

    async fn release(&self, user: UserId, lease: u64) {
        self.cache.release(user, lease, self.clock.now()).await;
    }

    async fn status(&self, user: UserId) -> PresenceStatus {
        self.cache.statuses(&[user]).await[0]
    }

    /// Sweeps, and tells what it finds, until it finds this.
    async fn finds(&self, user: UserId, status: PresenceStatus) {
        eventually("news of the user", SOON, async || {
            let swept = self.cache.sweep(self.clock.now()).await;
            self.cache.told(&swept.transitions).await;
            swept.transitions.contains(&Transition { user, status }).then_some(())
        })
        .await;
    }
}

use PresenceStatus::{Away, Offline, Online};

async fn a_count_is_believed_only_with_its_evidence(rig: Rig) {
    let (user, id, other) = (UserId::new(), ConversationId::new(), ConversationId::new());
    let evidence = Evidence { last_seq: 9, last_event_id: EventId::new(), last_read_seq: 4 };
    assert_eq!(rig.cache.unread(user, &[(id, evidence)]).await, [None]);
    rig.cache.put_unread(user, &[(id, evidence, 3), (other, evidence, 0)]).await;
    let asked = [
        (id, evidence),
        (other, evidence),
        (id, Evidence { last_seq: 10, ..evidence }),
        (id, Evidence { last_event_id: EventId::new(), ..evidence }),
        (id, Evidence { last_read_seq: 5, ..evidence }),
        (ConversationId::new(), evidence),
    ];
    let believed = [Some(3), Some(0), None, None, None, None];
    assert_eq!(rig.cache.unread(user, &asked).await, believed);
    assert_eq!(rig.cache.unread(UserId::new(), &[(id, evidence)]).await, [None]);
    // A newer one takes the place of the older.
    let newer = Evidence { last_seq: 10, ..evidence };
    rig.cache.put_unread(user, &[(id, newer, 4)]).await;
    let both = rig.cache.unread(user, &[(id, evidence), (id, newer)]).await;
    assert_eq!(both, [None, Some(4)]);
    assert_eq!(rig.cache.unread(user, &[]).await, []);
}

async fn a_user_is_online_while_any_lease_says_so(rig: Rig) {
    let user = UserId::new();
    assert_eq!(rig.status(user).await, Offline);
    let now = rig.clock.now();
    let first = rig.cache.lease(user, 1, SettablePresence::Away, now, LONG).await;
    assert_eq!(first, Some(Transition { user, status: Away }));
    rig.cache.told(&[first.unwrap()]).await;
    let second = rig.cache.lease(user, 2, SettablePresence::Online, now, LONG).await;
    assert_eq!(second, Some(Transition { user, status: Online }));
    rig.cache.told(&[second.unwrap()]).await;
    // Renewals are no news.
    assert_eq!(rig.cache.lease(user, 2, SettablePresence::Online, now, LONG).await, None);
    assert_eq!(rig.status(user).await, Online);
    // The one that says away still speaks when the other has left.
    rig.release(user, 2).await;
    rig.finds(user, Away).await;
    rig.release(user, 1).await;
    rig.finds(user, Offline).await;
    assert_eq!(rig.cache.statuses(&[user, UserId::new()]).await, [Offline, Offline]);
}

async fn a_reload_within_the_grace_does_not_flicker(rig: Rig) {
    let user = UserId::new();
    rig.lease(user, 1, SettablePresence::Online, LONG).await;
    rig.release(user, 1).await;
    let swept = rig.cache.sweep(rig.clock.now()).await;
    assert!(swept.transitions.iter().all(|t| t.user != user), "{swept:?}");
    assert_eq!(rig.status(user).await, Online);
    let back = rig.cache.lease(user, 2, SettablePresence::Online, rig.clock.now(), LONG).await;
    assert_eq!(back, None, "nobody need know");
    rig.release(user, 2).await;
    rig.finds(user, Offline).await;
}

async fn a_lease_that_is_not_renewed_runs_out(rig: Rig) {
    let user = UserId::new();
    rig.lease(user, 1, SettablePresence::Online, GRACE).await;
    assert_eq!(rig.status(user).await, Online);
    rig.finds(user, Offline).await;
}

/// Where nothing is told again later, whoever told is told at once what it missed.
#[tokio::test]
async fn who_came_back_while_their_end_was_told_is_told_of_again() {
    let rig = in_process();
    let user = UserId::new();
    rig.lease(user, 1, SettablePresence::Online, LONG).await;
    let told = [Transition { user, status: Offline }];
    assert_eq!(rig.cache.told(&told).await, [Transition { user, status: Online }]);
    assert_eq!(rig.cache.told(&[Transition { user, status: Online }]).await, []);
}

async fn a_burst_then_a_wait(rig: Rig) {
    let (now, key) = (rig.clock.now(), format!("test:{}", Uuid::new_v4()));
    for _ in 0..RULE.burst {
        assert_eq!(rig.limits.take(&key, RULE, now).await, Ok(()));
    }
    let wait = rig.limits.take(&key, RULE, now).await.unwrap_err();
    assert!(wait > Duration::ZERO && wait <= RULE.per, "{wait:?}");
    rig.limits.give_back(&key, RULE, now).await;
    assert_eq!(rig.limits.take(&key, RULE, now).await, Ok(()));
    assert!(rig.limits.take(&key, RULE, now).await.is_err(), "a refusal gives nothing back");
    assert_eq!(rig.limits.take(&format!("{key}:other"), RULE, now).await, Ok(()));
}
