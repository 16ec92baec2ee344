//! 12: a replica dies, messages go on, and all of its devices come to another
//! one at once, each from the position it had.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{Plan, middle};
use crate::{
    Outcome,
    load::Load,
    rig::{Cast, Cores, Stage},
    statistics::percentile,
    swarm::{End, Swarm, Wrong},
    table::{Grade, Line, Measured, Short},
};

/// Into each conversation; a user is in four.
const MISSED: usize = 5;
/// How long who was refused without a word waits, at most.
const BACKOFF: Duration = Duration::from_secs(2);
const GIVE_UP: Duration = Duration::from_secs(120);
/// Connects begun before looking at what came back.
const BURST: usize = 64;

/// The return of all devices, in seconds.
struct Storm {
    p99: f64,
    last: f64,
    entries: u64,
    refused: usize,
    /// The longest that a device was told to wait.
    wait: f64,
}

pub fn run(plan: &Plan) -> Outcome<Vec<Line>> {
    let devices = plan.size(5_000);
    let cast = Cast { users: devices, conversations: devices / 2, group_size: 10 };
    let mut stage = plan.rig.stage(Cores::GatewayAlone, cast, 1)?;
    let (mut storms, mut wrong) = (Vec::new(), Wrong::default());
    for _ in 0..plan.repeats {
        stage.add_replica()?;
        let mut swarm = Swarm::new()?;
        let dying = stage.gateways[1].address;
        let sockets = swarm.connect(stage.users.iter().map(|user| (dying, user)))?;
        sockets.into_iter().for_each(|index| swarm.close(index));
        stage.gateways.truncate(1);
        write_meanwhile(&stage, &mut swarm)?;
        storms.push(come_back(&stage, &mut swarm)?);
        wrong += swarm.settle()?;
    }
    let of = |part: fn(&Storm) -> f64| storms.iter().map(part).collect::<Vec<_>>();
    let beside = format!(
        "{devices} devices, {} missed each; p99 {} s, told to come later {}, by at most {} s",
        Short(middle(&of(|storm| storm.entries as f64)).0 / devices as f64),
        middle(&of(|storm| storm.p99)),
        middle(&of(|storm| storm.refused as f64)),
        middle(&of(|storm| storm.wait)),
    );
    let grades = vec![Grade::at_most(of(|storm| storm.last), "s", 3.0, 1.5)];
    Ok(vec![Line {
        number: 12,
        quantity: "devices of a dead replica are back with all they missed",
        outcome: Ok(Measured { grades, wrong, beside }),
    }])
}

/// What the devices miss: one member of each conversation writes, from another
/// device.
fn write_meanwhile(stage: &Stage, missing: &mut Swarm) -> Outcome {
    let mut taken = HashMap::<Uuid, usize>::new();
    for (index, user) in stage.users.iter().enumerate() {
        user.conversations.iter().for_each(|id| _ = taken.entry(*id).or_insert(index));
    }
    let mut conversations = HashMap::<usize, Vec<Uuid>>::new();
    for (id, index) in taken {
        conversations.entry(index).or_default().push(id);
    }
    let (writers, conversations): (Vec<usize>, Vec<Vec<Uuid>>) = conversations.into_iter().unzip();
    let mut swarm = Swarm::new()?;
    let address = stage.gateways[0].address;
    let sockets = swarm.connect(writers.iter().map(|index| (address, &stage.users[*index])))?;
    Load::new(sockets.into_iter().zip(conversations)).write(&mut swarm, MISSED)?;
    let wrong = swarm.settle()?;
    if !wrong.is_nothing() {
        return Err(format!("the writers of what is missed: {wrong}").into());
    }
    missing.tally.expect(&mut swarm.tally);
    Ok(())
}

/// All at once; a refusal is waited out as it asks.
fn come_back(stage: &Stage, swarm: &mut Swarm) -> Outcome<Storm> {
    let (address, users) = (stage.gateways[0].address, &stage.users);
    let begun = Instant::now();
    let mut waiting: Vec<(Instant, usize)> = (0..users.len()).rev().map(|i| (begun, i)).collect();
    let (mut took, mut refused, mut wait) = (Vec::with_capacity(users.len()), 0, 0.0_f64);
    swarm.tally.changed.clear();
    while took.len() < users.len() {
        let now = Instant::now();
        let (mut due, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(at, _)| *at <= now);
        waiting = later;
        let burst = due.split_off(due.len().saturating_sub(BURST));
        waiting.extend(due);
        for (_, index) in burst {
            swarm.reopen(index, address, &users[index])?;
        }
        swarm.turn(if waiting.is_empty() { Duration::from_millis(10) } else { Duration::ZERO })?;
        for index in std::mem::take(&mut swarm.tally.changed) {
            match swarm.socket(index).ended() {
                None => took.push(begun.elapsed().as_secs_f64()),
                Some(End::Later(after)) => {
                    refused += 1;
                    let spread = BACKOFF.mul_f64(index as f64 / users.len() as f64);
                    let after = after.unwrap_or(spread);
                    wait = wait.max(after.as_secs_f64());
                    waiting.push((Instant::now() + after, index));
                }
                Some(end) => return Err(format!("a device could not come back: {end}").into()),
            }
        }
        if begun.elapsed() > GIVE_UP {
            return Err(format!("{} of {} devices are back", took.len(), users.len()).into());
        }
    }
    let entries = (0..users.len()).map(|index| swarm.socket(index).resumed).sum();
    let last = begun.elapsed().as_secs_f64();
    Ok(Storm { p99: percentile(&mut took, 0.99), last, entries, refused, wait })
}
