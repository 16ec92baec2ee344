//! Requests that go on until there is a definite answer, from one gateway or
//! another: what a careful client of the REST API does.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::{
    history::{History, Rule},
    world::Doors,
};
use crate::support::client::{Answer, Person};

const ATTEMPT: Duration = Duration::from_secs(5);
/// Between two attempts, doubled up to a second.
const AGAIN: Duration = Duration::from_millis(100);

/// An answer, and whether an earlier attempt may have been the one that did it.
pub struct Settled {
    pub answer: Answer,
    pub repeated: bool,
}

pub struct Request<'a> {
    pub person: &'a Person,
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
}

impl Request<'_> {
    /// Asks one door after the other, beginning at `at`.
    pub async fn settle(&self, doors: &Doors, mut at: usize, history: &History) -> Settled {
        let (mut repeated, mut wait) = (false, AGAIN);
        loop {
            let api = self.person.at(&doors.door(at));
            let mut request = api.request(self.method.clone(), &self.path).timeout(ATTEMPT);
            if let Some(body) = &self.body {
                request = request.json(body);
            }
            match api.try_run(request).await {
                Ok(answer) if answer.status.as_u16() == 500 => {
                    let what = format!("{} {}: {}", self.method, self.path, answer.body);
                    history.violation(Rule::Broken, what);
                }
                Ok(answer) if answer.status.as_u16() < 500 && answer.status.as_u16() != 429 => {
                    return Settled { answer, repeated };
                }
                Ok(answer) if answer.body["retryable"] != true => {
                    let what = format!("{} without `retryable`: {}", answer.status, answer.body);
                    history.violation(Rule::Broken, what);
                }
                Ok(_) | Err(_) => {}
            }
            repeated = true;
            at += 1;
            super::pause(wait).await;
            wait = (wait * 2).min(AGAIN * 10);
        }
    }
}
