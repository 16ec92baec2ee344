//! 1, 2, 3: one message to a thousand devices, next to a bare loop of writes.

use std::time::{Duration, Instant};

use super::{Plan, middle, ratios};
use crate::{
    Outcome,
    baseline::Receivers,
    load::Load,
    proc::Cpu,
    rig::{Cast, Cores, Stage},
    swarm::Swarm,
    table::{Grade, Line, Measured, Short},
};

/// The most that `gateway seed` puts into one conversation.
const RECEIVERS: usize = 1_000;
/// Senders of the saturated run, and messages under way of each.
const SENDERS: usize = 8;
const DEPTH: usize = 32;
/// Messages that the bare loop may be ahead of its slowest receiver.
const WINDOW: u64 = 8;

/// Deliveries, and what they cost.
struct Cost {
    deliveries: u64,
    cpu: Cpu,
}

impl Cost {
    fn per_second(&self) -> f64 {
        self.deliveries as f64 / self.cpu.total()
    }

    fn user_micros(&self) -> f64 {
        self.cpu.user * 1e6 / self.deliveries as f64
    }
}

pub fn run(plan: &Plan) -> Outcome<Vec<Line>> {
    let cast = Cast { users: RECEIVERS, conversations: 1, group_size: RECEIVERS };
    let stage = plan.rig.stage(Cores::GatewayAlone, cast, 1)?;
    let group = stage.users[0].conversations.clone();
    let address = stage.gateways[0].address;
    let mut swarm = Swarm::new()?;
    let receivers = swarm.connect(stage.users.iter().map(|user| (address, user)))?;
    let mut one = Load::new([(receivers[0], group.clone())]);
    let mut many = Load::new(receivers[..SENDERS].iter().map(|socket| (*socket, group.clone())));

    let frame = first_frame(&mut swarm, &mut one)?;
    let mut bare = Receivers::start(RECEIVERS, frame)?;
    let (mut paced, mut loops, mut saturated, mut ahead) = (vec![], vec![], vec![], vec![]);
    let mut databases = Cpu::default();
    for _ in 0..plan.repeats {
        let before = stage.cpu()?;
        paced.push(one_at_a_time(&stage, &mut swarm, &mut one, plan.window())?);
        let spent = stage.cpu()? - before;
        databases = databases + spent.postgres + spent.redis;
        loops.push(bare_loop(&mut bare, 1, plan.window())?);
        saturated.push(saturate(&stage, &mut swarm, &mut many, plan.window())?);
        ahead.push(bare_loop(&mut bare, WINDOW, plan.window())?);
    }
    let mut wrong = swarm.settle()?;
    wrong += bare.swarm.settle()?;

    let rates = |costs: &[Cost]| costs.iter().map(Cost::per_second).collect::<Vec<_>>();
    let against = |ours: &[Cost], theirs: &[Cost]| ratios(&rates(ours), &rates(theirs));
    let beside = |ours: &[Cost], theirs: &[Cost]| {
        let (ours, theirs) = (middle(&rates(ours)).0 / 1e3, middle(&rates(theirs)).0 / 1e3);
        format!("{} k against {} k frames of {frame} B per CPU-s", Short(ours), Short(theirs))
    };
    let messages = paced.iter().map(|cost| cost.deliveries).sum::<u64>() / RECEIVERS as u64;
    let user = |costs: &[Cost]| costs.iter().map(Cost::user_micros).collect::<Vec<_>>();
    let percent = against(&paced, &loops).iter().map(|ratio| ratio * 100.0).collect();
    Ok(vec![
        Line {
            number: 1,
            quantity: "deliveries per gateway CPU-second, one message at a time to 1,000, \
                       against bare writes",
            outcome: Ok(Measured {
                grades: vec![Grade::at_least(percent, "%", 85.0, 95.0)],
                wrong,
                beside: format!(
                    "{}, Postgres and Redis {} µs a message",
                    beside(&paced, &loops),
                    Short(databases.total() * 1e6 / messages as f64)
                ),
            }),
        },
        Line {
            number: 2,
            quantity: "user CPU per delivery",
            outcome: Ok(Measured {
                grades: vec![Grade::at_most(user(&paced), "µs", 0.8, 0.4)],
                wrong,
                beside: format!(
                    "the bare loop {} µs, saturated {} µs",
                    middle(&user(&loops)),
                    middle(&user(&saturated))
                ),
            }),
        },
        Line {
            number: 3,
            quantity: "the same saturated, against one frame per write",
            outcome: Ok(Measured {
                grades: vec![Grade::at_least(against(&saturated, &ahead), "×", 5.0, 7.0)],
                wrong,
                beside: beside(&saturated, &ahead),
            }),
        },
    ])
}

/// The length of a frame as the gateway writes it, with its head.
fn first_frame(swarm: &mut Swarm, load: &mut Load) -> Outcome<usize> {
    deliver(swarm, load)?;
    Ok(usize::try_from(swarm.tally.bytes / swarm.tally.delivered)?)
}

/// One message, until it is with everybody.
fn deliver(swarm: &mut Swarm, load: &mut Load) -> Outcome {
    let wanted = swarm.tally.delivered + RECEIVERS as u64;
    let end = Instant::now() + Duration::from_secs(10);
    load.send_one(swarm);
    while swarm.tally.delivered < wanted {
        swarm.turn(Duration::from_millis(10))?;
        if Instant::now() > end {
            let lacking = wanted - swarm.tally.delivered;
            return Err(format!("a message did not reach {lacking} of {RECEIVERS}").into());
        }
    }
    load.finish(swarm)
}

fn one_at_a_time(
    stage: &Stage,
    swarm: &mut Swarm,
    load: &mut Load,
    time: Duration,
) -> Outcome<Cost> {
    let (cpu, delivered) = (stage.cpu()?.gateways, swarm.tally.delivered);
    let end = Instant::now() + time;
    while Instant::now() < end {
        deliver(swarm, load)?;
    }
    let deliveries = swarm.tally.delivered - delivered;
    Ok(Cost { deliveries, cpu: stage.cpu()?.gateways - cpu })
}

fn bare_loop(bare: &mut Receivers, window: u64, time: Duration) -> Outcome<Cost> {
    let cpu = bare.cpu()?;
    let deliveries = bare.receive(window, time)?;
    Ok(Cost { deliveries, cpu: bare.cpu()? - cpu })
}

fn saturate(stage: &Stage, swarm: &mut Swarm, load: &mut Load, time: Duration) -> Outcome<Cost> {
    let (cpu, delivered) = (stage.cpu()?.gateways, swarm.tally.delivered);
    let answered = load.answered();
    load.saturate(swarm, DEPTH, time)?;
    let wanted = delivered + (load.answered() - answered) * RECEIVERS as u64;
    let end = Instant::now() + Duration::from_secs(30);
    while swarm.tally.delivered < wanted && Instant::now() < end {
        swarm.turn(Duration::from_millis(10))?;
    }
    let deliveries = swarm.tally.delivered - delivered;
    Ok(Cost { deliveries, cpu: stage.cpu()?.gateways - cpu })
}
