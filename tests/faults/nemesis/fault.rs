//! The faults: what each breaks, how it ends, and what may be expected.

use std::time::Duration;

use tokio::task::spawn_blocking;

use super::super::{
    cast::Cast,
    device::Order,
    dice::Dice,
    figures::Weather,
    history::Rule,
    world::{GATEWAYS, Gateway, Manner, Redis, World, faketime},
};
use crate::support::proxy::Proxy;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    GatewayKilled(usize),
    AllGatewaysKilled,
    GatewayPaused(usize),
    /// A gateway whose clock shows another time than everybody's.
    ClockWrong(usize, &'static str),
    /// All gateways, one after the other; of mixed versions where there is
    /// another.
    RollingRestart,
    RedisKilled,
    RedisFrozen,
    RedisFlushed,
    SubscribersDropped,
    /// Of a cluster.
    MasterKilled,
    SlotMoved(usize),
    PostgresRestarted,
    PostgresKilled,
    SessionsTerminated,
    SessionsExhausted,
    DiskFull,
    Link(Edge, usize, Breakage),
    /// As if the load balancer had been restarted.
    AllFrontsCut,
    ReadersStalled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Front,
    Postgres,
    Redis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakage {
    Cut,
    Blackhole,
    HalfOpen,
    Slow,
}

/// What a fault concerns: two that concern the same do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Gateways,
    Redis,
    Postgres,
    Links,
}

use Breakage::*;
use Edge::*;
use Fault::*;

impl Fault {
    /// One of each kind.
    pub fn all(cluster: bool) -> Vec<Fault> {
        let mut all = vec![
            GatewayKilled(0),
            AllGatewaysKilled,
            GatewayPaused(0),
            ClockWrong(0, "+60s"),
            ClockWrong(0, "-60s"),
            RollingRestart,
            RedisFrozen,
            RedisFlushed,
            SubscribersDropped,
            PostgresRestarted,
            PostgresKilled,
            SessionsTerminated,
            SessionsExhausted,
            DiskFull,
            AllFrontsCut,
            ReadersStalled,
        ];
        let edges = if cluster { &[Front, Postgres][..] } else { &[Front, Postgres, Redis] };
        for edge in edges {
            all.extend([Cut, Blackhole, HalfOpen, Slow].map(|how| Link(*edge, 0, how)));
        }
        match cluster {
            true => all.extend([MasterKilled, SlotMoved(0), SlotMoved(0), SlotMoved(0)]),
            false => all.push(RedisKilled),
        }
        all
    }

    /// Whether there is something left to break: a cluster has one replica to
    /// promote.
    pub fn is_possible(&self, world: &World) -> bool {
        match (self, &world.redis) {
            (MasterKilled, Redis::Cluster(cluster)) => cluster.servers().count() > 3,
            _ => true,
        }
    }

    /// The same, at a place that the dice choose.
    pub fn somewhere(self, dice: &mut Dice) -> Self {
        let gateway = dice.below(GATEWAYS);
        match self {
            GatewayKilled(_) => GatewayKilled(gateway),
            GatewayPaused(_) => GatewayPaused(gateway),
            ClockWrong(_, clock) => ClockWrong(gateway, clock),
            Link(edge, _, how) => Link(edge, gateway, how),
            SlotMoved(_) => SlotMoved(dice.below(1_000)),
            other => other,
        }
    }

    pub fn name(&self) -> String {
        match self {
            GatewayKilled(_) => "a gateway killed".into(),
            AllGatewaysKilled => "all gateways killed".into(),
            GatewayPaused(_) => "a gateway paused".into(),
            ClockWrong(_, clock) => format!("a clock {clock}"),
            RollingRestart => "a rolling restart".into(),
            RedisKilled => "Redis killed".into(),
            RedisFrozen => "Redis frozen".into(),
            RedisFlushed => "Redis flushed".into(),
            SubscribersDropped => "subscribers dropped".into(),
            MasterKilled => "a Redis master killed".into(),
            SlotMoved(_) => "a slot moved".into(),
            PostgresRestarted => "Postgres restarted".into(),
            PostgresKilled => "Postgres killed".into(),
            SessionsTerminated => "sessions terminated".into(),
            SessionsExhausted => "sessions exhausted".into(),
            DiskFull => "disk full".into(),
            Link(edge, _, how) => format!("{} {}", edge.name(), how.name()),
            AllFrontsCut => "every device cut off".into(),
            ReadersStalled => "readers stalled".into(),
        }
    }

    fn part(&self) -> Part {
        match self {
            GatewayKilled(_) | AllGatewaysKilled | GatewayPaused(_) | ClockWrong(..)
            | RollingRestart => Part::Gateways,
            RedisKilled | RedisFrozen | RedisFlushed | SubscribersDropped | MasterKilled
            | SlotMoved(_) => Part::Redis,
            PostgresRestarted | PostgresKilled | SessionsTerminated | SessionsExhausted
            | DiskFull => Part::Postgres,
            Link(..) | AllFrontsCut | ReadersStalled => Part::Links,
        }
    }

    pub fn goes_with(&self, other: &Fault) -> bool {
        // A gateway that begins waits for its database, and would wait for ever
        // for one that comes back after it.
        let starts = |fault: &Fault| matches!(fault, ClockWrong(..) | RollingRestart);
        let database =
            |fault: &Fault| fault.part() == Part::Postgres || matches!(fault, Link(Postgres, ..));
        self.part() != other.part()
            && !(starts(self) && database(other))
            && !(starts(other) && database(self))
    }

    /// Gateways are started when what they need is there again.
    pub fn heals_last(&self) -> bool {
        self.part() == Part::Gateways
    }

    pub fn weather(&self) -> Weather {
        match self {
            RedisKilled | RedisFrozen => Weather::NoRedis,
            _ => Weather::Foul,
        }
    }

    /// At the least; what is noticed by silence must last longer than that.
    pub fn lasts(&self) -> Duration {
        Duration::from_secs(match self {
            GatewayPaused(_) | ReadersStalled => 6,
            RedisKilled | RedisFrozen => 4,
            _ => 1,
        })
    }

    /// While it lasts, where it may be noticed for that long only.
    pub fn works_within(&self) -> Option<Duration> {
        let seconds = match self {
            GatewayKilled(_) => 5,
            RedisKilled | RedisFrozen | Link(Redis, ..) | RedisFlushed | SubscribersDropped => 3,
            // A replica takes over after the node timeout.
            MasterKilled | SlotMoved(_) => 3,
            Link(Front | Postgres, _, Slow) => 5,
            ClockWrong(..) => 5,
            _ => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// After it has ended.
    pub fn heals_within(&self) -> Duration {
        Duration::from_secs(match self {
            GatewayKilled(_) | RollingRestart | ClockWrong(..) => 5,
            _ => 10,
        })
    }

    pub async fn inject(&self, world: &World, cast: &Cast) -> Result<(), String> {
        match *self {
            GatewayKilled(n) => world.gateways[n].kill(),
            AllGatewaysKilled => world.gateways.iter().for_each(Gateway::kill),
            GatewayPaused(n) => world.gateways[n].signal("STOP"),
            ClockWrong(n, clock) => {
                faketime()?;
                world.gateways[n].kill();
                world.gateways[n].start(world, Manner { clock: Some(clock), binary: None }).await;
            }
            RollingRestart => roll(world, world.settings.previous.clone()).await,
            RedisKilled => redis(world).iter().for_each(|server| server.kill()),
            RedisFrozen => redis(world).iter().for_each(|server| server.freeze()),
            RedisFlushed => command(world, &["FLUSHALL"])?,
            SubscribersDropped => command(world, &["CLIENT", "KILL", "TYPE", "pubsub"])?,
            MasterKilled => {
                if let Redis::Cluster(cluster) = &world.redis {
                    cluster.kill_master_with_replica();
                    cluster.await_failover().await;
                }
            }
            SlotMoved(n) => {
                if let Redis::Cluster(cluster) = &world.redis {
                    let room = &cast.rooms[n % cast.rooms.len()];
                    cluster.move_slot_of(&format!("conv:{{{}}}", room.id)).await;
                }
            }
            PostgresRestarted => blocking(world, |postgres| postgres.stop()).await,
            PostgresKilled => blocking(world, |postgres| postgres.kill()).await,
            SessionsTerminated => {
                let mut connection = world.sql().await.map_err(|why| why.to_string())?;
                let terminate = "select pg_terminate_backend(pid) from pg_stat_activity
                    where backend_type = 'client backend' and pid <> pg_backend_pid()";
                for _ in 0..5 {
                    let done = sqlx::query(terminate).execute(&mut connection).await;
                    done.map_err(|why| why.to_string())?;
                    super::super::pause(Duration::from_millis(200)).await;
                }
            }
            SessionsExhausted => {
                let mut taken = Vec::new();
                while let Ok(connection) = world.sql().await {
                    taken.push(connection);
                }
                // The gateways keep theirs; what they lose they do not get back.
                let own = taken.pop().ok_or("not one session was to be had")?;
                drop(own);
                if let Ok(mut connection) = world.sql().await {
                    let terminate = "select pg_terminate_backend(pid) from pg_stat_activity
                        where application_name like 'parley%' and random() < 0.5";
                    let _ = sqlx::query(terminate).execute(&mut connection).await;
                }
                super::super::pause(Duration::from_secs(3)).await;
            }
            DiskFull => world.disk.as_ref().map_err(Clone::clone)?.fill(),
            Link(edge, n, how) => how.apply(edge.of(&world.gateways[n])?),
            AllFrontsCut => world.gateways.iter().for_each(|gateway| gateway.front.cut()),
            ReadersStalled => {
                for device in cast.devices.iter().step_by(7).filter(|it| it.is_wanted()) {
                    device.order.send_replace(Order::Stalled);
                }
            }
        }
        Ok(())
    }

    pub async fn heal(&self, world: &World, cast: &Cast) {
        match *self {
            GatewayKilled(_) | AllGatewaysKilled => {
                for gateway in world.gateways.iter().filter(|gateway| !gateway.is_running()) {
                    gateway.start(world, Manner::default()).await;
                }
            }
            GatewayPaused(n) => world.gateways[n].signal("CONT"),
            ClockWrong(n, _) => {
                world.gateways[n].kill();
                world.gateways[n].start(world, Manner::default()).await;
            }
            RollingRestart if world.settings.previous.is_some() => roll(world, None).await,
            RedisKilled => {
                if let Redis::Single(server) = &world.redis {
                    server.restart().await;
                }
            }
            RedisFrozen => redis(world).iter().for_each(|server| server.thaw()),
            PostgresRestarted | PostgresKilled => blocking(world, |it| it.resume()).await,
            DiskFull => {
                if let Ok(disk) = &world.disk {
                    disk.free();
                }
                // One that could not write its log of writes has ended itself.
                while world.sql().await.is_err() {
                    blocking(world, |postgres| {
                        if !postgres.is_running() {
                            postgres.resume();
                        }
                    })
                    .await;
                }
            }
            Link(edge, n, _) => {
                if let Ok(link) = edge.of(&world.gateways[n]) {
                    link.heal();
                }
            }
            AllFrontsCut => world.gateways.iter().for_each(|gateway| gateway.front.heal()),
            ReadersStalled => {
                for device in &cast.devices {
                    device.order.send_if_modified(|order| {
                        let stalled = *order == Order::Stalled;
                        if stalled {
                            *order = Order::Online;
                        }
                        stalled
                    });
                }
            }
            RollingRestart | RedisFlushed | SubscribersDropped | MasterKilled | SlotMoved(_)
            | SessionsTerminated | SessionsExhausted => {}
        }
    }
}

impl Edge {
    fn of(self, gateway: &Gateway) -> Result<&Proxy, String> {
        match self {
            Front => Ok(&gateway.front),
            Postgres => Ok(&gateway.to_postgres),
            Redis => gateway.to_redis.as_ref().ok_or_else(|| "a cluster has no proxy".into()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Front => "devices to a gateway",
            Postgres => "a gateway to Postgres",
            Redis => "a gateway to Redis",
        }
    }
}

impl Breakage {
    fn apply(self, link: &Proxy) {
        match self {
            Cut => link.cut(),
            Blackhole => link.blackhole(),
            HalfOpen => link.half_open(),
            Slow => link.slow(Duration::from_millis(100)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Cut => "cut",
            Blackhole => "blackholed",
            HalfOpen => "half open",
            Slow => "slow",
        }
    }
}

fn redis(world: &World) -> Vec<&crate::support::redis::Server> {
    world.redis.servers()
}

/// To every server; a replica refuses what is for masters.
/// Of a cluster some may be down already, but not all.
fn command(world: &World, words: &[&str]) -> Result<(), String> {
    let mut said = redis(world).into_iter().map(|server| server.try_command(words));
    let first = said.next().ok_or("there is no Redis")?;
    said.fold(first, |one, other| one.or(other)).map(drop)
}

async fn blocking(
    world: &World,
    work: impl FnOnce(&crate::support::postgres::Server) + Send + 'static,
) {
    let postgres = world.postgres.clone();
    spawn_blocking(move || work(&postgres)).await.expect("Postgres obeys");
}

/// Drains and starts one gateway after the other; the first with the other
/// binary, if there is one.
async fn roll(world: &World, other: Option<std::path::PathBuf>) {
    for gateway in &world.gateways {
        match gateway.drain().await {
            Some(0) => {}
            code => {
                let what = format!("gateway {} drained with {code:?}", gateway.number);
                world.history.violation(Rule::Broken, what);
            }
        }
        let binary = other.clone().filter(|_| gateway.number == 0);
        gateway.start(world, Manner { clock: None, binary }).await;
    }
}
