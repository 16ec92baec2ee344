//! 13, 14: what becomes of everybody else's latency while some do not read, or
//! many sign in.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{Plan, middle, ratios};
use crate::{
    Outcome,
    load::Load,
    rig::{Cast, Cores, Stage, User},
    swarm::{Swarm, Wrong},
    table::{Grade, Line, Measured},
};

const GROUP: usize = 1_000;
/// One in twenty does not read.
const STALLED: usize = GROUP / 20;
/// Users outside of the group, who sign in.
const STRANGERS: usize = 100;
/// Logins under way at the same time.
const LOGINS: usize = 16;
/// What `gateway seed` gives everybody.
const PASSWORD: &str = "parley-load";
/// Messages a second to the whole group.
const RATE: f64 = 10.0;
/// What fills the buffers of who does not read: so many messages of nearly
/// 16 KiB, more than the 4 MiB that the kernel keeps for one socket.
const FILL: usize = 300;
const LONG: usize = 3_900;
/// The gateway ends a connection that takes nothing for 15 s.
const ENDED: Duration = Duration::from_secs(30);

/// Connections that the gateway ended because they took nothing.
const STALLS: &str = "parley_slow_consumer_closes_total";

struct Group {
    swarm: Swarm,
    load: Load,
}

impl Group {
    fn gather(stage: &Stage) -> Outcome<Self> {
        let address = stage.gateways[0].address;
        let mut swarm = Swarm::new()?;
        let members = members(stage);
        let sockets = swarm.connect(members.iter().map(|user| (address, *user)))?;
        let group = members[0].conversations.clone();
        swarm.tally.sample_every = 1;
        Ok(Self { swarm, load: Load::new([(sockets[0], group)]) })
    }

    /// More than a socket's buffers hold.
    fn fill_buffers(&mut self) -> Outcome {
        let usual = std::mem::replace(&mut self.load.padding, "𝄞".repeat(LONG));
        self.load.write(&mut self.swarm, FILL)?;
        self.load.padding = usual;
        self.swarm.listen(Duration::from_secs(1))
    }

    /// p99 of the deliveries of this time, in milliseconds.
    fn p99(&mut self, time: Duration) -> Outcome<f64> {
        self.swarm.tally.latency(1.0);
        self.load.pace(&mut self.swarm, RATE, time)?;
        self.load.finish(&mut self.swarm)?;
        self.swarm.listen(Duration::from_millis(500))?;
        Ok(self.swarm.tally.latency(0.99))
    }
}

fn members(stage: &Stage) -> Vec<&User> {
    stage.users.iter().filter(|user| !user.conversations.is_empty()).collect()
}

fn line(
    number: u8,
    quantity: &'static str,
    (disturbed, calm): (&[f64], &[f64]),
    (floor, record): (f64, f64),
    wrong: Wrong,
    beside: &str,
) -> Line {
    let beside = format!("{} against {} ms{beside}", middle(disturbed), middle(calm));
    let grades = vec![Grade::at_most(ratios(disturbed, calm), "×", floor, record)];
    Line { number, quantity, outcome: Ok(Measured { grades, wrong, beside }) }
}

pub fn stalled_readers(plan: &Plan) -> Outcome<Vec<Line>> {
    let cast = Cast { users: GROUP, conversations: 1, group_size: GROUP };
    let stage = plan.rig.stage(Cores::GatewayAlone, cast, 1)?;
    let mut group = Group::gather(&stage)?;
    let gateway = &stage.gateways[0];
    let (mut calm, mut disturbed) = (Vec::new(), Vec::new());
    for _ in 0..plan.repeats {
        calm.push(group.p99(plan.window())?);
        let before = gateway.figure(STALLS)?;
        let lazy = stage.users[GROUP - STALLED..].iter().map(|user| (gateway.address, user));
        let mut others = Swarm::new()?;
        for index in others.connect(lazy)? {
            others.stall(index)?;
        }
        group.fill_buffers()?;
        disturbed.push(group.p99(plan.window())?);
        let begun = Instant::now();
        while gateway.figure(STALLS)? < before + STALLED as f64 {
            group.swarm.listen(Duration::from_millis(500))?;
            if begun.elapsed() > ENDED {
                let stalled = gateway.figure(STALLS)? - before;
                return Err(format!("{stalled} of {STALLED} stalled readers stalled").into());
            }
        }
    }
    let wrong = group.swarm.settle()?;
    let quantity = "p99 of healthy receivers with 5 % stalled readers, against none";
    Ok(vec![line(13, quantity, (&disturbed, &calm), (1.3, 1.1), wrong, "")])
}

pub fn login_storm(plan: &Plan) -> Outcome<Vec<Line>> {
    let cast = Cast { users: GROUP + STRANGERS, conversations: 1, group_size: GROUP };
    let stage = plan.rig.stage(Cores::GatewayAlone, cast, 1)?;
    let mut group = Group::gather(&stage)?;
    let strangers = stage.users.iter().filter(|user| user.conversations.is_empty());
    let strangers: Vec<String> = strangers.map(|user| user.username.clone()).collect();
    let (mut calm, mut disturbed, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.repeats {
        calm.push(group.p99(plan.window())?);
        let storm = Storm::begin(stage.gateways[0].address, &strangers);
        disturbed.push(group.p99(plan.window())?);
        rates.push(storm.end()? / plan.window().as_secs_f64());
    }
    let wrong = group.swarm.settle()?;
    let beside = format!(", {} logins a second", middle(&rates));
    let quantity = "delivery p99 during a login storm, against none";
    Ok(vec![line(14, quantity, (&disturbed, &calm), (2.0, 1.3), wrong, &beside)])
}

/// People who sign in, one after the other on each of several connections.
struct Storm {
    over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Outcome>>,
}

impl Storm {
    fn begin(address: SocketAddr, names: &[String]) -> Self {
        let (over, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let thread = |number: usize| {
            let names: Vec<_> = names.iter().skip(number).step_by(LOGINS).cloned().collect();
            let (over, done) = (over.clone(), done.clone());
            std::thread::spawn(move || {
                for name in names.iter().cycle() {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    sign_in(address, name)?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        };
        let threads = (0..LOGINS).map(thread).collect();
        Self { over, done, threads }
    }

    /// How many signed in.
    fn end(self) -> Outcome<f64> {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| "a thread that signs in has panicked")??;
        }
        Ok(self.done.load(Ordering::Relaxed) as f64)
    }
}

fn sign_in(address: SocketAddr, name: &str) -> Outcome {
    let body = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /auth/login HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.starts_with("HTTP/1.1 200") {
        true => Ok(()),
        false => Err(format!("a login failed: {answer}").into()),
    }
}
