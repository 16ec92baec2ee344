//! Rate limits: the generic cell rate algorithm (GCRA), one number per key.
//! Whoever holds that number, the rule is [`gcra`].

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::RedisLimits;
use crate::model::Timestamp;

/// At most `burst` at once, given back evenly over `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rule {
    pub burst: u32,
    pub per: Duration,
}

impl Rule {
    pub const fn new(burst: u32, per: Duration) -> Self {
        Self { burst, per }
    }

    /// Microseconds until one is given back.
    pub(super) fn interval(self) -> i64 {
        self.window() / i64::from(self.burst.max(1))
    }

    pub(super) fn window(self) -> i64 {
        i64::try_from(self.per.as_micros()).unwrap_or(i64::MAX / 4).max(1)
    }
}

/// The rule itself. `stored` is the key's theoretical arrival time, when its
/// debt is paid off, in microseconds since 1970; null for a key without one.
/// Answers the time to store instead, or how long to wait.
pub fn gcra(stored: Option<i64>, now: i64, rule: Rule) -> Result<i64, Duration> {
    let paid_at = stored.unwrap_or(now).max(now).saturating_add(rule.interval());
    let wait = paid_at.saturating_sub(rule.window()).saturating_sub(now);
    match u64::try_from(wait) {
        Err(_) | Ok(0) => Ok(paid_at),
        Ok(wait) => Err(Duration::from_micros(wait)),
    }
}

/// Who counts. A closed set: another backend is another variant, running the
/// same rule.
#[derive(Clone)]
pub enum Limits {
    /// Nothing is limited: load tests.
    Off,
    Local(LocalLimits),
    Redis(RedisLimits),
}

impl Limits {
    /// Takes one from `key`; how long to wait when there is none.
    pub async fn take(&self, key: &str, rule: Rule, now: Timestamp) -> Result<(), Duration> {
        match self {
            Self::Off => Ok(()),
            Self::Local(local) => local.take(key, rule, micros(now)),
            Self::Redis(redis) => redis.take(key, rule, micros(now)).await,
        }
    }

    /// As [`take`](Self::take), for what must not stand still while Redis does:
    /// without a quick answer this replica's own count decides.
    pub async fn take_soon(&self, key: &str, rule: Rule, now: Timestamp) -> Result<(), Duration> {
        match self {
            Self::Redis(redis) => redis.take_soon(key, rule, micros(now)).await,
            Self::Off | Self::Local(_) => self.take(key, rule, now).await,
        }
    }

    /// Gives back one that turned out not to count: a login that succeeded.
    pub async fn give_back(&self, key: &str, rule: Rule, now: Timestamp) {
        match self {
            Self::Off => {}
            Self::Local(local) => local.give_back(key, rule, micros(now)),
            Self::Redis(redis) => redis.give_back(key, rule, micros(now)).await,
        }
    }
}

fn micros(at: Timestamp) -> i64 {
    at.millis().saturating_mul(1_000)
}

/// Counts in this process. Bounded: when full, the keys closest to being
/// forgotten anyway go first, so that a flood of new keys cannot wipe out the
/// count of one under attack.
#[derive(Clone)]
pub struct LocalLimits {
    paid_at: Arc<Mutex<HashMap<Box<str>, i64>>>,
    capacity: usize,
}

impl LocalLimits {
    pub fn new(capacity: usize) -> Self {
        Self { paid_at: Arc::default(), capacity: capacity.max(2) }
    }

    pub(super) fn take(&self, key: &str, rule: Rule, now: i64) -> Result<(), Duration> {
        let mut paid_at = self.paid_at.lock();
        let next = gcra(paid_at.get(key).copied(), now, rule)?;
        if paid_at.len() >= self.capacity && !paid_at.contains_key(key) {
            sweep(&mut paid_at, self.capacity, now);
        }
        paid_at.insert(key.into(), next);
        Ok(())
    }

    pub(super) fn give_back(&self, key: &str, rule: Rule, now: i64) {
        let mut paid_at = self.paid_at.lock();
        if let Some(at) = paid_at.get_mut(key) {
            *at -= rule.interval();
            if *at <= now {
                paid_at.remove(key);
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.paid_at.lock().len()
    }
}

/// Forgets who owes nothing any more and, while more than three quarters of
/// the places stay taken, those who owe least.
fn sweep(paid_at: &mut HashMap<Box<str>, i64>, capacity: usize, now: i64) {
    paid_at.retain(|_, at| *at > now);
    let keep = capacity * 3 / 4;
    if paid_at.len() > keep {
        let mut debts: Vec<i64> = paid_at.values().copied().collect();
        let excess = debts.len() - keep;
        let (_, threshold, _) = debts.select_nth_unstable(excess - 1);
        let threshold = *threshold;
        paid_at.retain(|_, at| *at > threshold);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule::new(10, Duration::from_secs(100));
    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_burst_then_one_per_interval() {
        let mut stored = None;
        for _ in 0..10 {
            stored = Some(gcra(stored, 0, RULE).expect("within the burst"));
        }
        assert_eq!(gcra(stored, 0, RULE), Err(Duration::from_secs(10)));
        assert_eq!(gcra(stored, 4 * SECOND, RULE), Err(Duration::from_secs(6)));
        stored = Some(gcra(stored, 10 * SECOND, RULE).expect("one was given back"));
        assert_eq!(gcra(stored, 10 * SECOND, RULE), Err(Duration::from_secs(10)));
    }

    #[test]
    fn a_refusal_costs_nothing() {
        let full = Some(100 * SECOND);
        for _ in 0..1_000 {
            assert!(gcra(full, 0, RULE).is_err());
        }
        assert!(gcra(full, 10 * SECOND, RULE).is_ok());
    }

    #[test]
    fn an_idle_key_has_its_whole_burst_and_no_more() {
        let mut stored = Some(-1_000 * SECOND);
        let taken = (0..100)
            .filter(|_| match gcra(stored, 0, RULE) {
                Ok(next) => {
                    stored = Some(next);
                    true
                }
                Err(_) => false,
            })
            .count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let huge = Rule::new(0, Duration::MAX);
        let _ = gcra(Some(i64::MAX), i64::MAX, huge);
        let _ = gcra(Some(i64::MIN), i64::MIN, huge);
        assert!(gcra(None, 0, Rule::new(u32::MAX, Duration::ZERO)).is_ok());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let limits = LocalLimits::new(8);
        for _ in 0..100 {
            limits.take("a", RULE, 0).expect("each was given back");
            limits.give_back("a", RULE, 0);
        }
        assert_eq!(limits.len(), 0, "who owes nothing is not remembered");
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_does_not_clear_the_one_under_attack() {
        let limits = LocalLimits::new(100);
        while limits.take("victim", RULE, 0).is_ok() {}
        for n in 0..10_000 {
            limits.take(&format!("flood {n}"), RULE, 0).expect("a new key");
            assert!(limits.len() <= 100);
        }
        assert!(limits.take("victim", RULE, 0).is_err());
    }

    #[tokio::test]
    async fn off_is_off() {
        let now = Timestamp::from_millis(0).expect("a time");
        for _ in 0..1_000 {
            assert!(Limits::Off.take("a", RULE, now).await.is_ok());
        }
    }
}
