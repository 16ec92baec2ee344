//! 4, 5, 6: what a connection costs, held and made.

use std::time::Duration;

use super::{Plan, middle};
use crate::{
    Outcome, frame,
    proc::{self, Cpu},
    rig::{Cast, Cores, Stage},
    swarm::{Swarm, Wrong},
    table::{Grade, Line, Measured},
};

/// All are connected once before anything is measured: what connections share
/// (pools, caches, threads) is not what one of them costs.
const WARM_UP: usize = 50;
/// How long the gateway is watched without connections.
const EMPTY: Duration = Duration::from_secs(4);
/// From the last frame to the beginning of what counts as idle.
const SETTLE: Duration = Duration::from_secs(10);
/// Two pings of each connection; with [`SETTLE`] the minute of figure 4.
const IDLE: Duration = Duration::from_secs(50);

pub fn run(plan: &Plan) -> Outcome<Vec<Line>> {
    let users = plan.size(5_000);
    // Of eight members on average, so that a user is in ten.
    let cast = Cast { users, conversations: users * 10 / 8, group_size: 10 };
    let mut stage = plan.rig.stage(Cores::GatewayAlone, cast, 0)?;
    let idle = if plan.short { IDLE / 2 } else { IDLE };
    let (mut memory, mut cpu, mut rates) = (vec![], vec![], vec![]);
    let (mut alone, mut wrong) = (vec![], Wrong::default());
    for _ in 0..plan.repeats {
        stage.gateways.clear();
        stage.add_replica()?;
        let gateway = &stage.gateways[0];
        let address = gateway.address;
        let (mut swarm, mut first) = (Swarm::new()?, Swarm::new()?);
        let warm = first.connect(stage.users[..WARM_UP].iter().map(|user| (address, user)))?;
        warm.into_iter().for_each(|index| first.close(index));
        let before = stage.cpu()?.gateways;
        swarm.listen(EMPTY)?;
        alone.push((stage.cpu()?.gateways - before).total() * 1e3 / EMPTY.as_secs_f64());

        let empty = proc::resident(gateway.process())?;
        let all = swarm.connect(stage.users.iter().map(|user| (address, user)))?;
        let ping = frame::text(r#"{"type":"ping","id":1,"payload":{}}"#);
        all.iter().for_each(|index| swarm.send(*index, &ping));
        if plan.wants(4) || plan.wants(5) {
            swarm.listen(SETTLE)?;
            let before = stage.cpu()?.gateways;
            swarm.listen(idle)?;
            let spent = stage.cpu()?.gateways - before;
            cpu.push(spent.total() * 1e6 / idle.as_secs_f64() / users as f64);
            memory.push((proc::resident(gateway.process())? - empty) / users as f64);
        }
        all.into_iter().for_each(|index| swarm.close(index));
        swarm.listen(Duration::from_secs(2))?;
        if plan.wants(6) {
            let spent = resume_all(&stage, &mut swarm)?;
            rates.push(users as f64 / spent.total());
        }
        wrong += swarm.settle()?;
    }
    let micros: Vec<f64> = rates.iter().map(|rate| 1e6 / rate).collect();
    let line = |number, quantity, grade, beside| Line {
        number,
        quantity,
        outcome: Ok(Measured { grades: vec![grade], wrong, beside }),
    };
    Ok(vec![
        line(
            4,
            "resident memory of an idle connection in ten conversations",
            Grade::at_most(memory, "KiB", 8.0, 4.0),
            format!("{users} connections"),
        ),
        line(
            5,
            "idle CPU per connection, a ping each 25 s",
            Grade::at_most(cpu, "µs/s", 1.5, 0.9),
            format!("{users} connections; without any the gateway takes {} ms/s", middle(&alone)),
        ),
        line(
            6,
            "connect, JWT, subscribe and resume in ten conversations, per gateway CPU-second",
            Grade::at_least(rates, "", 4_000.0, 7_000.0),
            format!("{} µs each", middle(&micros)),
        ),
    ])
}

fn resume_all(stage: &Stage, swarm: &mut Swarm) -> Outcome<Cpu> {
    let before = stage.cpu()?.gateways;
    swarm.reconnect(stage.gateways[0].address, &stage.users)?;
    Ok(stage.cpu()?.gateways - before)
}
