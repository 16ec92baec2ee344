//! The fault test: three gateways as processes on a real Postgres and Redis, a
//! proxy on every edge, scripted devices, and a nemesis. Then quiet, and then
//! the checker compares what everybody saw with what the database holds.
//!
//! `make faults SEED=… MINUTES=…` runs it for as long as asked; `make test` for
//! about two minutes. The seed decides what happens and in which order.

mod cast;
mod checker;
mod device;
mod dice;
mod figures;
mod history;
mod lost_end;
mod nemesis;
mod presence;
mod rest;
mod settings;
mod storm;
mod view;
mod workload;
mod world;

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use self::{
    cast::Cast, dice::Dice, figures::Figures, history::History, nemesis::Nemesis,
    settings::Settings, workload::Workload, world::World,
};
use crate::support::limits::FAULTS_SETTLED;

/// The load runs, and nothing else, until the first fault.
const WARM_UP: Duration = Duration::from_secs(5);
const OBSERVED_EVERY: Duration = Duration::from_secs(1);

/// A run is a script, and scripts have times: this one passes without anything
/// being expected of it.
async fn pause(time: Duration) {
    let _ = timeout(time, pending::<()>()).await;
}

/// Looks until there is something, or the limit has passed.
async fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        match look() {
            Some(found) => return Some(found),
            None if Instant::now() >= end => return None,
            None => pause(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs the machine for itself: `make faults`, or the stage of `make test`"]
async fn nothing_acknowledged_is_lost_doubled_or_reordered() {
    let settings = Settings::of_environment();
    println!("FAULTS_SEED={} {:?} {:?}", settings.seed, settings.length, settings.redis);
    let broken = run(settings.clone()).await;
    match settings.planted {
        None => assert!(broken.is_empty(), "FAULTS_SEED={} broke {broken:?}", settings.seed),
        Some(bug) => {
            let by = history::Rule::that_find(&bug);
            let noticed = by.iter().any(|rule| broken.contains(rule));
            assert!(noticed, "the checker has not noticed {bug}: {broken:?}, none of {by:?}");
            println!("planted {bug}: caught by {broken:?}");
        }
    }
}

/// A whole run; the rules that were broken.
async fn run(settings: Settings) -> Vec<history::Rule> {
    let mut dice = Dice::new(settings.seed);
    let (history, figures) = (Arc::new(History::default()), Arc::new(Figures::default()));
    let world = Arc::new(World::start(settings.clone(), history.clone(), figures.clone()).await);
    let cast = Arc::new(Cast::assemble(&world, &mut dice).await);
    let connected = || cast.behind(&Default::default()).is_empty().then_some(());
    within(FAULTS_SETTLED, connected).await.expect("everybody is connected at first");

    let (workload, stop) =
        (Workload::new(world.clone(), cast.clone(), dice.fork()), CancellationToken::new());
    let load = tokio::spawn(workload.clone().run(stop.clone()));
    let observers = [
        tokio::spawn(world.clone().observe(OBSERVED_EVERY)),
        tokio::spawn(presence::observe(world.clone(), cast.clone())),
    ];
    pause(WARM_UP).await;
    let baseline = checker::resources::Baseline::take(&world).await;

    let mut nemesis = Nemesis::new(world.clone(), cast.clone(), dice.fork());
    nemesis.run(settings.length).await;

    stop.cancel();
    load.await.expect("the load ended well");
    workload.settled().await;
    // The last of it happens while everybody comes back, and nothing follows
    // that could make good what was missed.
    let storm = nemesis::Fault::AllFrontsCut;
    storm.inject(&world, &cast).await.expect("the fronts are cut");
    storm.heal(&world, &cast).await;
    workload.last_words().await;
    presence::let_some_go(&cast);
    println!("quiet for {:?}", settings.quiet);
    pause(settings.quiet).await;

    observers.iter().for_each(|observer| observer.abort());
    checker::check(&world, &cast, &baseline).await;
    report(&world);
    let mut broken: Vec<_> = history.violations.lock().iter().map(|(rule, _)| *rule).collect();
    broken.sort_unstable();
    broken.dedup();
    if !broken.is_empty() {
        checker::keep_histories(&world, &cast);
    }
    broken
}

fn report(world: &World) {
    use history::{Outcome, Rule};
    let history = &world.history;
    let sends = history.sends.lock();
    let count = |is: fn(&Outcome) -> bool| sends.values().filter(|sent| is(&sent.outcome)).count();
    let silent = history.longest_without_ack.load(Relaxed);
    let rows = [
        ("acknowledged", count(|it| matches!(it, Outcome::Acked { .. })).to_string()),
        ("refused", count(|it| *it == Outcome::Refused).to_string()),
        ("unknown", count(|it| *it == Outcome::Unknown).to_string()),
        ("lost", history.broke(Rule::Lost).to_string()),
        ("duplicated", history.broke(Rule::Duplicated).to_string()),
        ("reordered", history.broke(Rule::Reordered).to_string()),
        ("leaked", history.broke(Rule::Leaked).to_string()),
        ("all violations", history.violations.lock().len().to_string()),
        ("longest without an ack", format!("{:.1} s", silent as f64 / 1e3)),
    ];
    println!("{}", world.figures.table(&history.latencies, &rows));
}
