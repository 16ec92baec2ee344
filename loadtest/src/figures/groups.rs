//! 9, 10, 11, 16: groups of ten, on one replica and on several.

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
    swarm::{Swarm, Wrong},
    table::{Grade, Line, Measured, Short},
};

/// A thousand groups; every fourth conversation is a pair, and stays silent.
const CAST: Cast = Cast { users: 1_000, conversations: 1_334, group_size: 10 };
/// One in so many deliveries is stamped.
const SAMPLE: u64 = 16;
/// Messages a second of the comparison of replicas: none of them is busy.
const LIGHT: f64 = 400.0;
const REPLICAS: [usize; 4] = [1, 2, 4, 8];

/// Everybody has one device, on the replicas in turn; those on the first send.
struct Groups {
    swarm: Swarm,
    load: Load,
    /// Devices that do not share a replica with the senders.
    elsewhere: Vec<usize>,
}

impl Groups {
    fn gather(stage: &Stage, senders_everywhere: bool) -> Outcome<Self> {
        let mut swarm = Swarm::new()?;
        let replicas = stage.gateways.len();
        let place = |index: usize| stage.gateways[index % replicas].address;
        let devices = stage.users.iter().enumerate().map(|(index, user)| (place(index), user));
        let sockets = swarm.connect(devices)?;
        let groups = groups(stage);
        let sends = |index: &usize| senders_everywhere || index.is_multiple_of(replicas);
        let conversations = |index: usize| -> Vec<Uuid> {
            let of_user = stage.users[index].conversations.iter().copied();
            of_user.filter(|id| groups.contains(id)).collect()
        };
        let (senders, elsewhere): (Vec<usize>, Vec<usize>) =
            (0..sockets.len()).partition(|index| sends(index));
        let load = senders.into_iter().map(|index| (sockets[index], conversations(index)));
        let load = Load::new(load.filter(|(_, conversations)| !conversations.is_empty()));
        swarm.tally.sample_every = SAMPLE;
        Ok(Self { swarm, load, elsewhere: elsewhere.into_iter().map(|i| sockets[i]).collect() })
    }

    /// Messages per second with one of each sender under way.
    fn saturate(&mut self, time: Duration) -> Outcome<f64> {
        let answered = self.load.saturate(&mut self.swarm, 1, time)?;
        self.swarm.listen(Duration::from_millis(500))?;
        self.swarm.tally.latency(1.0);
        Ok(answered as f64 / time.as_secs_f64())
    }

    /// Sends at this rate: messages per second that were answered, until the
    /// last one was, and the p99 of their deliveries.
    fn pace(&mut self, rate: f64, time: Duration) -> Outcome<(f64, f64)> {
        let (answered, begun) = (self.load.answered(), Instant::now());
        self.load.pace(&mut self.swarm, rate, time)?;
        self.load.finish(&mut self.swarm)?;
        let took = begun.elapsed().as_secs_f64();
        self.swarm.listen(Duration::from_millis(500))?;
        let answered = (self.load.answered() - answered) as f64;
        Ok((answered / took, self.swarm.tally.latency(0.99)))
    }
}

/// Conversations of more than two.
fn groups(stage: &Stage) -> std::collections::HashSet<Uuid> {
    let mut members = HashMap::<Uuid, usize>::new();
    for id in stage.users.iter().flat_map(|user| &user.conversations) {
        *members.entry(*id).or_default() += 1;
    }
    members.into_iter().filter(|(_, count)| *count > 2).map(|(id, _)| id).collect()
}

pub fn whole_system(plan: &Plan) -> Outcome<Vec<Line>> {
    /// What the floor and the record ask for: messages a second, and p99.
    const FLOOR: (f64, f64) = (5_000.0, 50.0);
    const RECORD: (f64, f64) = (8_000.0, 30.0);
    /// A little more than is asked for: the wait for the last answer counts.
    const OFFERED: f64 = 1.02;

    let stage = plan.rig.stage(Cores::Free, CAST, 1)?;
    let mut groups = Groups::gather(&stage, true)?;
    let (cpu, answered) = (stage.cpu()?, groups.load.answered());
    let most = groups.saturate(plan.window())?;
    let spent = stage.cpu()? - cpu;
    let shares = spent.shares((groups.load.answered() - answered) as f64);
    let mut at = |rate| -> Outcome<(Vec<f64>, Vec<f64>)> {
        let runs = (0..plan.repeats).map(|_| groups.pace(rate * OFFERED, plan.window()));
        Ok(runs.collect::<Outcome<Vec<_>>>()?.into_iter().unzip())
    };
    let grades = |(rates, p99): (Vec<f64>, Vec<f64>)| {
        vec![
            Grade::at_least(rates, "msg/s", FLOOR.0, RECORD.0),
            Grade::at_most(p99, "ms p99", FLOOR.1, RECORD.1),
        ]
    };
    let mut best =
        Measured { grades: grades(at(FLOOR.0)?), wrong: Wrong::default(), beside: String::new() };
    if best.reaches_floor() {
        let higher = Measured { grades: grades(at(RECORD.0)?), ..best };
        best = higher;
    }
    best.wrong = groups.swarm.settle()?;
    best.beside = format!("saturated {} msg/s, of {shares} µs each", Short(most));
    let quantity = "groups of ten, everything on two cores";
    Ok(vec![Line { number: 9, quantity, outcome: Ok(best) }])
}

pub fn two_replicas(plan: &Plan) -> Outcome<Vec<Line>> {
    let stage = plan.rig.stage(Cores::GatewayAlone, CAST, 2)?;
    let mut groups = Groups::gather(&stage, false)?;
    let here: Vec<usize> =
        (0..stage.users.len()).filter(|i| !groups.elsewhere.contains(i)).collect();
    groups.swarm.leave_out(&here);
    groups.swarm.tally.sample_every = 1;
    let (mut p99, mut redis, mut most, mut light) = (vec![], vec![], vec![], vec![]);
    for _ in 0..plan.repeats {
        let (answered, cpu) = (groups.load.answered(), stage.cpu()?.redis);
        most.push(groups.saturate(plan.window())?);
        let messages = (groups.load.answered() - answered) as f64;
        redis.push((stage.cpu()?.redis - cpu).total() * 1e6 / messages);
        let cpu = stage.cpu()?.redis;
        let rate = middle(&most).0 / 5.0;
        let (rate, slowest) = groups.pace(rate, plan.window())?;
        light.push((stage.cpu()?.redis - cpu).total() * 1e6 / rate / plan.window().as_secs_f64());
        p99.push(slowest);
    }
    let wrong = groups.swarm.settle()?;
    let line = |number, quantity, grade, beside| Line {
        number,
        quantity,
        outcome: Ok(Measured { grades: vec![grade], wrong, beside }),
    };
    Ok(vec![
        line(
            10,
            "from sending to a device on another replica, at 20 % load",
            Grade::at_most(p99, "ms p99", 10.0, 5.0),
            format!("groups of ten, {} msg/s", Short(middle(&most).0 / 5.0)),
        ),
        line(
            11,
            "CPU of Redis per message, two replicas saturated",
            Grade::at_most(redis, "µs", 2.0, 1.2),
            format!("{} msg/s; at 20 % load {} µs", middle(&most), middle(&light)),
        ),
    ])
}

pub fn more_replicas(plan: &Plan) -> Outcome<Vec<Line>> {
    let mut stage = plan.rig.stage(Cores::Free, CAST, 0)?;
    let (mut rise, mut wrong) = (Vec::new(), Wrong::default());
    let (mut costs, mut shares) = (REPLICAS.map(|_| Vec::new()), REPLICAS.map(|_| String::new()));
    for _ in 0..plan.repeats {
        for ((cost, last), replicas) in costs.iter_mut().zip(&mut shares).zip(REPLICAS) {
            stage.gateways.clear();
            for _ in 0..replicas {
                stage.add_replica()?;
            }
            let mut groups = Groups::gather(&stage, true)?;
            groups.pace(LIGHT, Duration::from_secs(1))?;
            let (answered, cpu) = (groups.load.answered(), stage.cpu()?);
            groups.pace(LIGHT, plan.window() * 2)?;
            let spent = stage.cpu()? - cpu;
            let messages = (groups.load.answered() - answered) as f64;
            cost.push(spent.total() * 1e6 / messages);
            *last = spent.shares(messages);
            wrong += groups.swarm.settle()?;
        }
        let last = costs.iter().filter_map(|cost| cost.last().copied());
        let most = last.fold(0.0, f64::max);
        rise.push((most / costs[0].last().copied().unwrap_or_default() - 1.0) * 100.0);
    }
    let told: Vec<String> = REPLICAS
        .iter()
        .zip(&costs)
        .zip(&shares)
        .map(|((n, cost), shares)| format!("{} µs at {n} ({shares})", middle(cost)))
        .collect();
    let beside = format!("all servers {}, {LIGHT} msg/s into groups of ten", told.join(", "));
    let grades = vec![Grade::at_most(rise, "% more", 15.0, 5.0)];
    Ok(vec![Line {
        number: 16,
        quantity: "cost per message at 1, 2, 4, 8 replicas",
        outcome: Ok(Measured { grades, wrong, beside }),
    }])
}
