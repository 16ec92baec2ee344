//! Who may resume now, who waits in line, and who is told to come again. After
//! a replica died thousands of devices come within a second; the database takes
//! as many resumes at once as it has connections, and more at once would only
//! make all of them late.
//!
//! *Nobody waits longer than the patience allows*: whose turn would come later
//! is told so at once, with a time of their own to come back at.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::{
    metrics::Metrics,
    problem::{Code, Problem},
};

/// How many, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionSettings {
    /// Resumes under way at once.
    pub at_once: usize,
    /// Those that wait for their turn.
    pub waiting: usize,
    /// The longest that anybody waits.
    pub patience: Duration,
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self { at_once: 16, waiting: 2_000, patience: Duration::from_secs(10) }
    }
}

/// What a resume is taken to need before one was seen.
const FIRST_GUESS: Duration = Duration::from_millis(20);
/// The share of the newest resume in the mean.
const NEWEST: f64 = 1.0 / 16.0;
/// The longest that anybody is told to stay away.
const LONGEST: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub struct Admission {
    inner: Arc<Inner>,
}

struct Inner {
    settings: AdmissionSettings,
    places: Arc<Semaphore>,
    line: Mutex<Line>,
    metrics: Metrics,
}

struct Line {
    waiting: usize,
    /// Mean time of a resume, in seconds.
    each: f64,
    /// By when everybody who was told to come again will have had a turn.
    promised: Instant,
}

/// A resume under way; dropped, the next in line has its turn.
pub struct Admitted {
    inner: Arc<Inner>,
    begun: Instant,
    _place: OwnedSemaphorePermit,
}

impl Admission {
    pub fn new(settings: AdmissionSettings, metrics: Metrics) -> Self {
        let line = Line { waiting: 0, each: FIRST_GUESS.as_secs_f64(), promised: Instant::now() };
        let places = Arc::new(Semaphore::new(settings.at_once));
        Self { inner: Arc::new(Inner { settings, places, line: Mutex::new(line), metrics }) }
    }

    /// Refuses who would not get a turn in time; takes no place.
    pub fn check(&self) -> Result<(), Problem> {
        if self.inner.places.available_permits() > 0 {
            return Ok(());
        }
        self.inner.room_in(&mut self.inner.line.lock())
    }

    /// Waits in line for a turn. A future that is dropped gives its place in
    /// the line back.
    pub async fn admit(&self) -> Result<Admitted, Problem> {
        let inner = self.inner.clone();
        let place = match inner.places.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                let waiting = Waiting::begin(&inner)?;
                let turn = timeout(inner.settings.patience, inner.places.clone().acquire_owned());
                let place = turn.await;
                drop(waiting);
                match place {
                    Ok(Ok(place)) => place,
                    // Closing the semaphore is nobody's business.
                    Ok(Err(_)) | Err(_) => return Err(inner.refuse(&mut inner.line.lock(), "late")),
                }
            }
        };
        inner.metrics.resume_began();
        Ok(Admitted { inner, begun: Instant::now(), _place: place })
    }
}

impl Inner {
    fn room_in(&self, line: &mut Line) -> Result<(), Problem> {
        let full = line.waiting >= self.settings.waiting;
        let late = self.pace(line).mul_f64(line.waiting as f64) > self.settings.patience;
        match (full, late) {
            (true, _) => Err(self.refuse(line, "full")),
            (_, true) => Err(self.refuse(line, "late")),
            _ => Ok(()),
        }
    }

    /// From one turn to the next.
    fn pace(&self, line: &Line) -> Duration {
        Duration::from_secs_f64(line.each / self.settings.at_once as f64)
    }

    /// Each who is refused is given a turn after those who wait and those who
    /// were refused before; a little apart, should many have been told the same
    /// by several replicas.
    fn refuse(&self, line: &mut Line, reason: &'static str) -> Problem {
        self.metrics.resume_refused(reason);
        let (now, pace) = (Instant::now(), self.pace(line));
        let served = now + pace.mul_f64(line.waiting as f64);
        line.promised = line.promised.max(served).min(now + LONGEST) + pace;
        let random = f64::from(uuid::Uuid::new_v4().as_u128() as u32) / f64::from(u32::MAX);
        let wait = (line.promised - now).mul_f64(0.8 + 0.4 * random);
        let detail = "Too many devices are connecting just now; come again a little later.";
        Problem::new(Code::Overloaded, detail).after(wait)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let took = self.begun.elapsed().as_secs_f64();
        let mut line = self.inner.line.lock();
        line.each += (took - line.each) * NEWEST;
        self.inner.metrics.resume_ended();
    }
}

/// A place in the line.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn begin(inner: &'a Inner) -> Result<Self, Problem> {
        let mut line = inner.line.lock();
        inner.room_in(&mut line)?;
        line.waiting += 1;
        inner.metrics.resumes_waiting(line.waiting);
        Ok(Self(inner))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut line = self.0.line.lock();
        line.waiting -= 1;
        self.0.metrics.resumes_waiting(line.waiting);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, poll};

    use super::*;

    fn admission(at_once: usize, waiting: usize) -> Admission {
        patient(at_once, waiting, Duration::from_secs(10))
    }

    fn patient(at_once: usize, waiting: usize, patience: Duration) -> Admission {
        Admission::new(AdmissionSettings { at_once, waiting, patience }, Metrics::new())
    }

    fn wait_of(refused: Result<impl Sized, Problem>) -> Duration {
        let problem = refused.err().expect("no room");
        assert_eq!(problem.code, Code::Overloaded);
        problem.retry_after.expect("when to come again")
    }

    #[tokio::test]
    async fn turns_come_in_the_order_of_the_line() {
        let admission = admission(1, 2);
        let first = admission.admit().await.expect("a place");
        let (mut second, mut third) = (Box::pin(admission.admit()), Box::pin(admission.admit()));
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        wait_of(admission.check());
        wait_of(admission.admit().now_or_never().expect("told at once"));
        drop(first);
        assert!(poll!(&mut third).is_pending(), "not before the second");
        let second = second.await.expect("a turn");
        assert!(admission.check().is_ok(), "one place in line is free");
        drop(second);
        third.await.expect("a turn");
    }

    #[tokio::test]
    async fn where_nobody_may_wait_a_free_place_is_taken() {
        let admission = admission(1, 0);
        admission.check().expect("it is free");
        let _held = admission.admit().await.expect("a place");
        wait_of(admission.check());
        wait_of(admission.admit().await);
    }

    #[tokio::test]
    async fn who_goes_gives_their_place_back() {
        let admission = admission(1, 1);
        let first = admission.admit().await.expect("a place");
        let mut gone = Box::pin(admission.admit());
        assert!(poll!(&mut gone).is_pending());
        wait_of(admission.check());
        drop(gone);
        let mut next = Box::pin(admission.admit());
        assert!(poll!(&mut next).is_pending(), "there was room in the line");
        drop(first);
        next.await.expect("nobody stands before it");
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let patience = Duration::from_millis(50);
        let admission = patient(1, 5, patience);
        let _held = admission.admit().await.expect("a place");
        let begun = Instant::now();
        wait_of(admission.admit().await);
        assert!(begun.elapsed() >= patience);
        assert!(admission.inner.line.lock().waiting == 0);
    }

    #[tokio::test]
    async fn who_is_refused_is_told_a_time_of_their_own() {
        let admission = admission(2, 0);
        let _held = [admission.admit().await.ok(), admission.admit().await.ok()];
        let waits: Vec<_> = (0..1_000).map(|_| wait_of(admission.check())).collect();
        // At 10 ms a turn: the first at once, the last after ten seconds.
        assert!(waits[0] < Duration::from_millis(20), "{:?}", waits[0]);
        let last = waits[999].as_secs_f64();
        assert!((7.5..12.1).contains(&last), "{last}");
        // However many more come, nobody is told to stay away for ever.
        assert!((0..10_000).all(|_| admission.check().is_err()));
        assert!(wait_of(admission.check()) <= LONGEST.mul_f64(1.3));
    }

    #[tokio::test]
    async fn a_slow_database_shortens_the_line() {
        let admission = admission(1, 1_000);
        admission.inner.line.lock().each = 2.0;
        let _held = admission.admit().await.expect("a place");
        let mut line: Vec<_> = (0..1_000).map(|_| Box::pin(admission.admit())).collect();
        let mut waiting = 0;
        for turn in &mut line {
            waiting += usize::from(poll!(turn).is_pending());
        }
        // Two seconds each: the seventh would have waited for twelve.
        assert_eq!(waiting, 6);
    }
}
