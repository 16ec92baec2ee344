//! 7, 8, 15: durable sends, next to the same database with a commit for each.

use std::time::Duration;

use super::{Plan, middle, ratios};
use crate::{
    Outcome,
    baseline::commits_per_second,
    load::Load,
    rig::{Cast, Cores, Postgres, Spent, Stage},
    swarm::{Swarm, Wrong},
    table::{Grade, Line, Measured},
};

/// Connections of pgbench: where Postgres commits most often.
const CLIENTS: usize = 32;

/// The table of messages once more, without anybody in its conversations.
const TABLES: &str = "create table baseline (like messages including all);
    create sequence baseline_seq;
    create table baseline_log (id int primary key, last_seq bigint) with (fillfactor = 50);
    insert into baseline_log values (1, 0)";

const COLUMNS: &str = "conversation_id, seq, id, sender_id, client_msg_id, request_hash, kind,
    body, created_at, updated_seq";

const VALUES: &str = "gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
    '\\x0000000000000000000000000000000000000000000000000000000000000000'::bytea, 'text',
    'a message of usual size, and it says what people say to each other', now(), 1";

/// Messages of one run.
struct Sent {
    per_second: f64,
    per_commit: f64,
    messages: f64,
    spent: Spent,
}

impl Sent {
    fn line(
        number: u8,
        quantity: &'static str,
        sent: &[Self],
        baseline: &[f64],
        (floor, record): (f64, f64),
        wrong: Wrong,
    ) -> Line {
        let of = |part: fn(&Self) -> f64| sent.iter().map(part).collect::<Vec<_>>();
        let rates = of(|sent| sent.per_second);
        let messages = sent.iter().map(|sent| sent.messages).sum();
        let spent = sent.iter().fold(Spent::default(), |all, sent| all + sent.spent);
        let beside = format!(
            "{} against {} per second, {} a commit, {} µs a message",
            middle(&rates),
            middle(baseline),
            middle(&of(|sent| sent.per_commit)),
            spent.shares(messages),
        );
        let grades = vec![Grade::at_least(ratios(&rates, baseline), "×", floor, record)];
        Line { number, quantity, outcome: Ok(Measured { grades, wrong, beside }) }
    }
}

/// Pairs of people, so that sending is what is measured, not fan-out.
const PAIRS: Cast = Cast { users: 500, conversations: 1_000, group_size: 2 };

pub fn many_conversations(plan: &Plan) -> Outcome<Vec<Line>> {
    let stage = plan.rig.stage(Cores::Servers, PAIRS, 1)?;
    let postgres = prepare(&stage)?;
    let script = format!(
        "\\set n random(1, 1000)\ninsert into baseline ({COLUMNS})
         values (md5(:n::text)::uuid, nextval('baseline_seq'), {VALUES})"
    );
    let baseline = || postgres.pgbench(&script, CLIENTS, plan.window());
    let (sent, baseline, wrong) = pairs(plan, &stage, 2, baseline)?;
    let quantity = "durable sends over 1,000 conversations, against single inserts of pgbench";
    Ok(vec![Sent::line(7, quantity, &sent, &baseline, (2.0, 4.0), wrong)])
}

pub fn one_conversation(plan: &Plan) -> Outcome<Vec<Line>> {
    let cast = Cast { users: 8, conversations: 1, group_size: 8 };
    let stage = plan.rig.stage(Cores::Servers, cast, 1)?;
    let postgres = prepare(&stage)?;
    let script = format!(
        "with next as (update baseline_log set last_seq = last_seq + 1 where id = 1
             returning last_seq)
         insert into baseline ({COLUMNS})
         select '00000000-0000-0000-0000-000000000000'::uuid, last_seq, {VALUES} from next"
    );
    let baseline = || postgres.pgbench(&script, CLIENTS, plan.window());
    let (sent, baseline, wrong) = pairs(plan, &stage, 48, baseline)?;
    let quantity = "one hot conversation, against one commit per message";
    Ok(vec![Sent::line(8, quantity, &sent, &baseline, (15.0, 40.0), wrong)])
}

pub fn embedded(plan: &Plan) -> Outcome<Vec<Line>> {
    let stage = plan.rig.embedded(Cores::Servers, PAIRS)?;
    let file = stage.sqlite()?;
    let baseline = || commits_per_second(&file, plan.window());
    let (sent, baseline, wrong) = pairs(plan, &stage, 2, baseline)?;
    let quantity = "embedded SQLite, durable sends, against one commit per row";
    Ok(vec![Sent::line(15, quantity, &sent, &baseline, (5.0, 10.0), wrong)])
}

fn prepare(stage: &Stage) -> Outcome<&Postgres> {
    let postgres = stage.postgres.as_ref().ok_or("no Postgres")?;
    postgres.query(TABLES)?;
    Ok(postgres)
}

/// All users send, with so many messages of each under way; then the baseline;
/// and so on.
fn pairs(
    plan: &Plan,
    stage: &Stage,
    depth: usize,
    baseline: impl Fn() -> Outcome<f64>,
) -> Outcome<(Vec<Sent>, Vec<f64>, Wrong)> {
    let gateway = &stage.gateways[0];
    let mut swarm = Swarm::new()?;
    let users = stage.users.iter().filter(|user| !user.conversations.is_empty());
    let users: Vec<_> = users.collect();
    let sockets = swarm.connect(users.iter().map(|user| (gateway.address, *user)))?;
    let conversations = users.iter().map(|user| user.conversations.clone());
    let mut load = Load::new(sockets.into_iter().zip(conversations));
    load.saturate(&mut swarm, depth, Duration::from_secs(1))?;
    let (mut sent, mut others) = (Vec::new(), Vec::new());
    for _ in 0..plan.repeats {
        let counted = || -> Outcome<(f64, f64)> {
            let commits = gateway.figure("parley_commit_batch_messages_count")?;
            Ok((gateway.figure("parley_commit_batch_messages_sum")?, commits))
        };
        let (before, cpu) = (counted()?, stage.cpu()?);
        let answered = load.saturate(&mut swarm, depth, plan.window())?;
        let (after, spent) = (counted()?, stage.cpu()? - cpu);
        let messages = after.0 - before.0;
        sent.push(Sent {
            per_second: answered as f64 / plan.window().as_secs_f64(),
            per_commit: messages / (after.1 - before.1),
            messages,
            spent,
        });
        others.push(baseline()?);
    }
    Ok((sent, others, swarm.settle()?))
}
