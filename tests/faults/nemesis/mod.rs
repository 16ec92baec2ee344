//! What goes wrong, in an order that the seed decides; and how long it takes
//! until all is well again.

mod fault;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    cast::Cast,
    dice::Dice,
    figures::{Injected, Weather},
    history::Rule,
    settings::RedisKind,
    world::World,
};
pub use fault::Fault;

/// A time that is a target may take this many times as long before the run
/// fails: machines are slow and busy in many ways.
const PATIENCE: u32 = 3;
/// Between two faults, for what is measured without any.
const FAIR: Duration = Duration::from_millis(1_500);
/// One step in so many is two faults at the same time.
const PAIRS: usize = 6;

pub struct Nemesis {
    world: Arc<World>,
    cast: Arc<Cast>,
    dice: Dice,
    deck: Vec<Fault>,
}

impl Nemesis {
    pub fn new(world: Arc<World>, cast: Arc<Cast>, dice: Dice) -> Self {
        Self { world, cast, dice, deck: vec![] }
    }

    /// One fault after the other until the time is over; each kind comes once
    /// before any comes again.
    pub async fn run(&mut self, length: Duration) {
        let end = Instant::now() + length;
        for step in 1.. {
            if Instant::now() >= end {
                return;
            }
            let mut faults = vec![self.draw()];
            if step % PAIRS == 0 {
                let second = self.draw();
                match second.goes_with(&faults[0]) {
                    true => faults.push(second),
                    false => self.deck.push(second),
                }
            }
            self.step(&faults).await;
            self.world.history.latencies.weather(Weather::Fair);
            super::pause(FAIR).await;
        }
    }

    fn draw(&mut self) -> Fault {
        if self.deck.is_empty() {
            self.deck = Fault::all(self.world.settings.redis == RedisKind::Cluster);
            let world = self.world.clone();
            self.deck.retain(|fault| fault.is_possible(&world));
            self.dice.shuffle(&mut self.deck);
        }
        let fault = self.deck.pop().expect("there are faults");
        fault.somewhere(&mut self.dice)
    }

    /// Injects, waits, heals, and measures.
    pub async fn step(&mut self, faults: &[Fault]) {
        let (world, cast) = (self.world.clone(), self.cast.clone());
        let name = faults.iter().map(Fault::name).collect::<Vec<_>>().join(" + ");
        let weather = match faults {
            [one] => one.weather(),
            _ => Weather::Foul,
        };
        world.history.latencies.weather(weather);
        for fault in faults {
            if let Err(why) = fault.inject(&world, &cast).await {
                world.history.violation(Rule::NotInjected, format!("{}: {why}", fault.name()));
            }
        }
        let begun = Instant::now();
        let hold = self.dice.seconds(1.0, 4.0).max(faults.iter().map(Fault::lasts).max().unwrap());
        let mut during = None;
        if let [one] = faults
            && let Some(target) = one.works_within()
        {
            during = self.well(&format!("{name}, while it lasts"), target).await;
        }
        super::pause(hold.saturating_sub(begun.elapsed())).await;
        let mut to_heal: Vec<_> = faults.iter().collect();
        to_heal.sort_by_key(|fault| fault.heals_last());
        for fault in to_heal {
            fault.heal(&world, &cast).await;
        }
        world.history.latencies.weather(Weather::Foul);
        let target = faults.iter().map(Fault::heals_within).max().unwrap();
        let after = self.well(&name, target).await;
        let show = |time: Option<Duration>| time.map_or(-1.0, |time| time.as_secs_f64());
        eprintln!(
            "  {name}: well while it lasts {:.2} s, after it {:.2} s",
            show(during),
            show(after)
        );
        world.figures.faults.lock().push(Injected { name, during, after });
    }

    /// How long from now until something sent from now on is acknowledged, and
    /// everybody was seen connected, with all that was acknowledged by then. Some
    /// are always just coming back from a pause of their own: not all are seen so
    /// at the same time.
    async fn well(&self, what: &str, target: Duration) -> Option<Duration> {
        let (begun, limit) = (Instant::now(), target * PATIENCE);
        let history = &self.world.history;
        let acked = || history.acked_since(begun).then_some(());
        let acked = super::within(limit, acked).await.is_some();
        let heads = history.acked.lock().clone();
        let mut waiting: Vec<_> = (0..self.cast.devices.len()).collect();
        let complete = || {
            let behind = self.cast.behind(&heads);
            waiting.retain(|device| behind.contains(device));
            waiting.is_empty().then_some(())
        };
        let complete = super::within(limit.saturating_sub(begun.elapsed()), complete).await;
        if !acked || complete.is_none() {
            let acked = if acked { "acknowledged" } else { "nothing is acknowledged" };
            let what = format!("{what}: not within {limit:?}: {acked}; devices {waiting:?} wait");
            history.violation(Rule::Heal, what);
            return None;
        }
        Some(begun.elapsed())
    }
}
