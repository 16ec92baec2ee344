//! Sending connections away: first `reconnect`, and the end some moments later,
//! so that a client has its next socket before it loses this one. *However
//! many leave, and for whatever reason, no more are told in a second than
//! `rate` says*: each is a client that another replica has to take in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{Instant, interval, sleep, sleep_until},
};
use tracing::{info, warn};

use super::{
    Cause, Hub,
    mailbox::{Leave, Mailbox},
};

/// Between `reconnect` and the end: to wait as asked, to get a ticket, to
/// connect and to catch up. A shorter window allows for less.
const GRACE: Duration = Duration::from_secs(5);
/// A herd that gets no grace is asked to come back over this long.
const SPREAD: Duration = Duration::from_secs(1);
/// How often it is looked who has left by himself, and how often it is logged.
const LOOK: Duration = Duration::from_millis(50);
const REPORT: Duration = Duration::from_secs(5);
/// So much longer than the window may anything take.
const NOT_WORTH_A_WORD: Duration = Duration::from_secs(1);

/// From the configuration.
#[derive(Clone, Copy, Debug)]
pub struct DepartureSettings {
    /// Over how long a drain or a rebalance is spread.
    pub window: Duration,
    /// Connections told to leave in a second, at most; 0: no cap.
    pub rate: u32,
    /// After which a connection is sent away, give or take a fifth; zero: never.
    pub max_age: Duration,
}

impl Default for DepartureSettings {
    fn default() -> Self {
        let (window, max_age) = (Duration::from_secs(30), Duration::from_secs(60 * 60));
        Self { window, rate: 1000, max_age }
    }
}

/// Why a connection is sent away: the reason in `reconnect`, and the label of
/// the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    Drain,
    Rebalance,
    Age,
}

impl Away {
    pub fn label(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Rebalance => "rebalance",
            Self::Age => "age",
        }
    }

    fn cause(self) -> Cause {
        match self {
            Self::Drain => Cause::Restart,
            Self::Rebalance | Self::Age => Cause::Moved,
        }
    }
}

/// A rebalance cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    #[error("this replica is draining: everybody leaves it already")]
    Draining,
    #[error("a rebalance is under way")]
    Rebalancing,
}

pub(super) struct Departures {
    settings: DepartureSettings,
    /// When the next one may be told.
    next: Mutex<Instant>,
    /// Whom the rebalance under way has chosen; none while there is none.
    rebalanced: Mutex<Option<Vec<Arc<Mailbox>>>>,
    /// Nobody is let in any more.
    closed: AtomicBool,
}

/// How some connections are sent away.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plan {
    /// Between two of them.
    pause: Duration,
    /// Between the word and the end of one.
    grace: Duration,
}

impl Departures {
    pub(super) fn new(settings: DepartureSettings) -> Self {
        let next = Mutex::new(Instant::now());
        Self { settings, next, rebalanced: Mutex::default(), closed: AtomicBool::new(false) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Evenly over the window, the last one's grace included; slower where the
    /// cap asks for it.
    fn plan(&self, connections: usize) -> Plan {
        let grace = GRACE.min(self.settings.window / 2);
        let connections = u32::try_from(connections).unwrap_or(u32::MAX).max(1);
        let even = (self.settings.window - grace) / connections;
        Plan { pause: even.max(self.least_pause()), grace }
    }

    fn least_pause(&self) -> Duration {
        Duration::from_secs(1).checked_div(self.settings.rate).unwrap_or_default()
    }

    /// Returns when it is the caller's turn, whoever else waits for one.
    async fn turn(&self) {
        let at = {
            let mut next = self.next.lock();
            let at = Instant::now().max(*next);
            *next = at + self.least_pause();
            at
        };
        sleep_until(at).await;
    }
}

impl Hub {
    /// Connections that a rebalance has chosen and that are still here; none
    /// once it has ended.
    pub fn rebalancing(&self) -> usize {
        let chosen = self.inner.departures.rebalanced.lock();
        let wheel = &self.inner.registry.wheel;
        chosen.iter().flatten().filter(|mailbox| wheel.holds(mailbox)).count()
    }

    /// Sends everybody away; returns once nobody is left who was not told.
    pub async fn drain(&self) {
        let wheel = &self.inner.registry.wheel;
        // Turns that were taken by those who now need none.
        *self.inner.departures.next.lock() = Instant::now();
        let everybody = async {
            // Also those whom a rebalance told, and had no time to end.
            let mut going = wheel.all();
            while !going.is_empty() {
                let plan = self.announce_plan(going.len());
                self.see_off(going, plan, Away::Drain).await;
                // Those that were just opening when it began.
                going = wheel.staying();
            }
        };
        let report = async {
            let mut ticks = interval(REPORT);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                info!(left = self.connections(), "draining");
            }
        };
        tokio::select! {
            () = everybody => {}
            () = report => {}
        }
        self.inner.departures.closed.store(true, Ordering::Release);
        wheel.staying().iter().for_each(|mailbox| mailbox.end(Cause::Restart));
    }

    /// Sends a share of the connections to other replicas.
    pub fn rebalance(&self, share: f64) -> Result<(), Busy> {
        if self.inner.shutdown.is_draining() {
            return Err(Busy::Draining);
        }
        let mut rebalanced = self.inner.departures.rebalanced.lock();
        if rebalanced.is_some() {
            return Err(Busy::Rebalancing);
        }
        let mut going = self.inner.registry.wheel.staying();
        going.truncate((going.len() as f64 * share).round() as usize);
        going.iter().for_each(|mailbox| mailbox.choose());
        *rebalanced = Some(going.clone());
        drop(rebalanced);
        let plan = self.announce_plan(going.len());
        let hub = self.clone();
        self.inner.shutdown.spawn(async move {
            hub.unless_draining(hub.see_off(going, plan, Away::Rebalance)).await;
            *hub.inner.departures.rebalanced.lock() = None;
        });
        Ok(())
    }

    /// Sends those away that have been here for long, so that load moves to
    /// younger replicas by itself.
    pub(super) fn send_away_aged(&self, slot: usize) {
        let DepartureSettings { max_age, .. } = self.inner.departures.settings;
        if max_age.is_zero() || self.inner.shutdown.is_draining() {
            return;
        }
        let aged = self.inner.registry.wheel.aged(slot, max_age);
        if aged.is_empty() {
            return;
        }
        let hub = self.clone();
        self.inner.shutdown.spawn(async move {
            let plan = Plan { pause: Duration::ZERO, grace: GRACE };
            hub.unless_draining(hub.see_off(aged, plan, Away::Age)).await;
        });
    }

    /// A drain sends everybody away, and closes whom it finds told already.
    async fn unless_draining(&self, work: impl Future<Output = ()>) {
        tokio::select! {
            () = self.inner.shutdown.draining() => {}
            () = work => {}
        }
    }

    fn announce_plan(&self, connections: usize) -> Plan {
        let plan = self.inner.departures.plan(connections);
        let pauses = u32::try_from(connections.saturating_sub(1)).unwrap_or(u32::MAX);
        let takes = plan.pause * pauses + plan.grace;
        let DepartureSettings { window, rate, .. } = self.inner.departures.settings;
        info!(connections, ?takes, "sending connections away");
        // A cap is there to protect the others, so it holds.
        if takes > window + NOT_WORTH_A_WORD {
            warn!(?takes, ?window, rate, "drain_window gives way: drain_rate allows no faster end");
        }
        plan
    }

    /// Tells each in turn, and ends it a grace later, unless it left before. Who
    /// has left by himself is not waited for.
    async fn see_off(&self, going: Vec<Arc<Mailbox>>, plan: Plan, why: Away) {
        let (told, mut leaving) = mpsc::unbounded_channel::<(Instant, Arc<Mailbox>)>();
        let tell = async move {
            let mut due = Instant::now();
            for mailbox in going {
                if !self.stays_until(due, &mailbox).await {
                    continue;
                }
                due += plan.pause;
                self.inner.departures.turn().await;
                let spread = if plan.grace.is_zero() { SPREAD } else { plan.grace / 2 };
                mailbox.leave(Leave { after: after(mailbox.unit(), spread), why: why.label() });
                self.inner.metrics.sent_away(why.label());
                // The receiver is polled beside this.
                let _ = told.send((Instant::now() + plan.grace, mailbox));
            }
        };
        let close = async {
            while let Some((at, mailbox)) = leaving.recv().await {
                if self.stays_until(at, &mailbox).await {
                    mailbox.end(why.cause());
                }
            }
        };
        tokio::join!(tell, close);
    }

    /// False as soon as it has left by itself.
    async fn stays_until(&self, at: Instant, mailbox: &Mailbox) -> bool {
        while self.inner.registry.wheel.holds(mailbox) {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            sleep(LOOK.min(left)).await;
        }
        false
    }
}

/// When to come back: not before a load balancer can have noticed, and not all
/// at once.
fn after(unit: f64, spread: Duration) -> Duration {
    spread.mul_f64(0.4 + 0.6 * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn departures(window: Duration, rate: u32) -> Departures {
        Departures::new(DepartureSettings { window, rate, ..DepartureSettings::default() })
    }

    #[tokio::test]
    async fn the_window_is_used_and_the_cap_holds() {
        let plan = departures(SECOND * 30, 1000).plan(100);
        assert_eq!(plan, Plan { pause: SECOND / 4, grace: GRACE });
        // 20,000 at the defaults: the cap and the window agree.
        assert!(departures(SECOND * 30, 1000).plan(20_000).pause * 20_000 <= SECOND * 25);
        let capped = departures(SECOND * 4, 10).plan(1000);
        assert_eq!(capped, Plan { pause: SECOND / 10, grace: SECOND * 2 });
        let at_once = departures(Duration::ZERO, 0).plan(1000);
        assert_eq!(at_once, Plan { pause: Duration::ZERO, grace: Duration::ZERO });
    }

    #[tokio::test]
    async fn all_who_send_away_share_the_cap() {
        let departures = departures(Duration::ZERO, 200);
        let begun = Instant::now();
        let some = async || {
            for _ in 0..20 {
                departures.turn().await;
            }
        };
        tokio::join!(some(), some());
        assert!(begun.elapsed() >= SECOND * 39 / 200, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_herd_is_asked_back_over_a_while() {
        let asked: Vec<_> = (0..5).map(|n| after(f64::from(n) / 5.0, SECOND * 10)).collect();
        assert!(asked.is_sorted());
        assert!(asked[0] >= SECOND * 4 && asked[4] <= SECOND * 10);
    }
}
