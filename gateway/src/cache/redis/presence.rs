//! Presence across replicas: leases in Redis, by its clock, in shards of
//! users. Each shard is swept by one replica at a time, and any can take over.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use parking_lot::Mutex;
use serde::Deserialize;
use uuid::Uuid;

use super::RedisCache;
use crate::{
    cache::{LeaseId, Swept, Transition},
    model::*,
    redis::{
        Script, Unavailable,
        fred::{clients::Pipeline, interfaces::HashesInterface, prelude::*},
    },
};

const SHARDS: usize = 16;
/// A replica that swept a shard keeps it for this long.
const HOLD: Duration = Duration::from_secs(3);
/// Users of one shard looked at in one sweep.
const SWEPT_AT_ONCE: i64 = 256;

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("presence.lua")));

/// A shard that could not be written for this long is not believed: a Redis
/// that is full, or only reads, shows everybody as they were.
const FRESH: Duration = Duration::from_secs(5);

/// What this replica knows of each shard.
#[derive(Default)]
pub struct Shards {
    /// What its leases were taken in. Another epoch means that Redis has lost
    /// them.
    epochs: Mutex<[Option<String>; SHARDS]>,
    /// When it was last written.
    written: Mutex<[Option<Instant>; SHARDS]>,
    /// Until then who has no lease may still take one anew.
    settling: Mutex<Option<Instant>>,
}

/// What is read of a user's value in Redis.
#[derive(Deserialize)]
struct Seen {
    shown: PresenceStatus,
}

impl RedisCache {
    pub(in crate::cache) async fn lease(
        &self,
        user: UserId,
        lease: LeaseId,
        status: SettablePresence,
        valid_for: Duration,
    ) -> Option<Transition> {
        let status = match status {
            SettablePresence::Online => "online",
            SettablePresence::Away => "away",
        };
        let arguments = [
            "lease".into(),
            user.to_string().into(),
            self.name(lease).into(),
            status.into(),
            millis(valid_for),
        ];
        let news: Option<String> = self.run(shard(user), arguments).await.ok()?;
        Some(Transition { user, status: parse(&news?)? })
    }

    pub(in crate::cache) async fn release(&self, user: UserId, lease: LeaseId, grace: Duration) {
        let arguments =
            ["release".into(), user.to_string().into(), self.name(lease).into(), millis(grace)];
        // Unheard, the lease runs out by itself.
        let _: Result<Option<String>, _> = self.run(shard(user), arguments).await;
    }

    /// These were told to the watchers.
    pub(in crate::cache) async fn told(&self, transitions: &[Transition]) {
        let mut shards: [Vec<Value>; SHARDS] = Default::default();
        for Transition { user, status } in transitions {
            let arguments = &mut shards[shard(*user)];
            arguments.extend([user.to_string().into(), word(*status).into()]);
        }
        let told = shards.into_iter().enumerate().filter(|(_, arguments)| !arguments.is_empty());
        join_all(told.map(|(shard, arguments)| async move {
            let arguments = std::iter::once("told".into()).chain(arguments);
            // Unheard, they are told once more.
            let _: Result<Option<String>, _> = self.run(shard, arguments).await;
        }))
        .await;
    }

    /// In the order asked; everybody is unknown while Redis is away.
    pub(in crate::cache) async fn statuses(&self, users: &[UserId]) -> Vec<PresenceStatus> {
        let unknown = || vec![PresenceStatus::Unknown; users.len()];
        if users.is_empty() {
            return vec![];
        }
        let wanted = users.to_vec();
        let asked = self.link.ask(|redis| async move {
            let pipeline = Pipeline::from(redis);
            for user in wanted {
                let [key, ..] = keys(shard(user));
                let () = pipeline.hget(key, user.to_string()).await?;
            }
            pipeline.all::<Vec<Option<String>>>().await
        });
        let Ok(found) = asked.await else { return unknown() };
        if found.len() != users.len() {
            return unknown();
        }
        let now = Instant::now();
        let written = *self.presence.written.lock();
        let settling = self.presence.settling.lock().is_some_and(|until| now < until);
        let status = |(found, user): (Option<String>, &UserId)| match found {
            _ if written[shard(*user)].is_none_or(|at| now - at > FRESH) => PresenceStatus::Unknown,
            None if settling => PresenceStatus::Unknown,
            None => PresenceStatus::Offline,
            Some(json) => serde_json::from_str::<Seen>(&json)
                .map_or(PresenceStatus::Unknown, |seen| seen.shown),
        };
        found.into_iter().zip(users).map(status).collect()
    }

    pub(in crate::cache) fn settle(&self, within: Duration) {
        *self.presence.settling.lock() = Some(Instant::now() + within);
    }

    pub(in crate::cache) async fn sweep(&self) -> Swept {
        let swept = join_all((0..SHARDS).map(|shard| self.sweep_shard(shard))).await;
        let mut all = Swept::default();
        for (shard, swept) in swept.into_iter().enumerate() {
            let Ok((epoch, transitions)) = swept else { continue };
            all.transitions.extend(transitions);
            let known = self.presence.epochs.lock()[shard].replace(epoch.clone());
            all.lost |= known.is_some_and(|known| known != epoch);
        }
        all
    }

    async fn sweep_shard(&self, shard: usize) -> Result<(String, Vec<Transition>), Unavailable> {
        let arguments = [
            "sweep".into(),
            format!("{:x}", self.replica).into(),
            Uuid::new_v4().to_string().into(),
            millis(HOLD),
            SWEPT_AT_ONCE.into(),
        ];
        let answer: Vec<String> = self.run(shard, arguments).await?;
        let mut answer = answer.into_iter();
        let epoch = answer.next().ok_or(Unavailable)?;
        let mut transitions = Vec::new();
        while let (Some(user), Some(status)) = (answer.next(), answer.next()) {
            let known = user.parse().ok().zip(parse(&status));
            transitions.extend(known.map(|(user, status)| Transition { user, status }));
        }
        Ok((epoch, transitions))
    }

    async fn run<T: FromValue>(
        &self,
        shard: usize,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<T, Unavailable> {
        let ran = self
            .link
            .ask(|redis| async move { SCRIPT.run(&redis, &keys(shard), arguments).await })
            .await;
        if ran.is_ok() {
            self.presence.written.lock()[shard] = Some(Instant::now());
        }
        ran
    }

    fn name(&self, lease: LeaseId) -> String {
        format!("{:x}.{lease:x}", self.replica)
    }
}

/// On a cluster, the braces keep a shard on one node.
fn keys(shard: usize) -> [String; 4] {
    ["users", "due", "sweeper", "epoch"].map(|part| format!("presence:{{{shard}}}:{part}"))
}

/// By the random end of the id: its start is the time.
fn shard(user: UserId) -> usize {
    usize::from(user.0.as_bytes()[15]) % SHARDS
}

fn millis(time: Duration) -> Value {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).into()
}

fn word(status: PresenceStatus) -> &'static str {
    match status {
        PresenceStatus::Online => "online",
        PresenceStatus::Away => "away",
        PresenceStatus::Offline => "offline",
        PresenceStatus::Unknown => "unknown",
    }
}

fn parse(word: &str) -> Option<PresenceStatus> {
    match word {
        "online" => Some(PresenceStatus::Online),
        "away" => Some(PresenceStatus::Away),
        "offline" => Some(PresenceStatus::Offline),
        _ => None,
    }
}
