//! After the quiet: what everybody saw, against what the database holds. A dense
//! `seq` makes it linear.

mod devices;
mod log;
pub mod resources;
mod sends;
mod unread;

use std::io::Write;

use super::{
    cast::Cast,
    figures::Weather,
    history::{History, Rule},
    presence,
    world::World,
};
use log::Logs;

/// Milliseconds below which a ratio of latencies says nothing.
const SLOW_ACK: f64 = 250.0;

/// Writes a violation for each rule that does not hold.
pub async fn check(world: &World, cast: &Cast, baseline: &resources::Baseline) {
    let mut connection = world.sql().await.expect("Postgres is there again");
    let logs = Logs::read(&mut connection).await;
    logs.check(&world.history);
    sends::check(&logs, &world.history);
    devices::check(&logs, cast, &world.history);
    unread::check(&mut connection, world, cast).await;
    presence::check(world, cast).await;
    baseline.check(world).await;
    without_redis(&world.history);
    for alarm in ["deadlock detected", "corrupt"] {
        if let Some(line) = world.postgres.log().lines().find(|line| line.contains(alarm)) {
            world.history.violation(Rule::Broken, format!("Postgres logged: {line}"));
        }
    }
}

/// Acks take at most twice as long as ever, and deliveries three seconds; three
/// times that on a machine that is busy.
fn without_redis(history: &History) {
    let p99 = |weather| history.latencies.p99(weather);
    let Some(((fair, _), (acks, deliveries))) = p99(Weather::Fair).zip(p99(Weather::NoRedis))
    else {
        return;
    };
    if acks > (fair * 2.0 * 3.0).max(SLOW_ACK) || deliveries > 3_000.0 * 3.0 {
        let what =
            format!("p99 of acks {acks:.1} ms, {fair:.1} ms else; deliveries {deliveries:.1} ms");
        history.violation(Rule::Slow, what);
    }
}

/// For whoever looks into a run that failed.
pub fn keep_histories(world: &World, cast: &Cast) {
    let Some(folder) = world.kept.lock().take() else { return };
    let folder = folder.keep();
    let mut file = std::fs::File::create(folder.join("history.txt")).expect("a file");
    for (rule, what) in &*world.history.violations.lock() {
        let _ = writeln!(file, "violation {rule:?} {what}");
    }
    for (key, sent) in &*world.history.sends.lock() {
        let _ = writeln!(file, "send {key} {sent:?}");
    }
    for (n, device) in cast.devices.iter().enumerate() {
        for segment in device.view.lock().segments() {
            let _ = writeln!(
                file,
                "device {n} of {} in {} above {}: {:?}",
                device.person.user.username, segment.conversation, segment.start, segment.applied
            );
        }
    }
    let _ = std::fs::write(folder.join("postgres.log"), world.postgres.log());
    println!("The histories are kept in {}", folder.display());
}
