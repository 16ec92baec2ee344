//! Typing is best effort, and the first thing that is dropped: of one
//! connection, each conversation hears of one start and one stop per second.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::model::ConversationId;

const TYPING_EVERY: Duration = Duration::from_secs(1);

/// What was told within the last second. *As many places as conversations can
/// be named in a second, at most.*
#[derive(Default)]
pub(super) struct Throttle(HashMap<ConversationId, Told>);

struct Told {
    at: Instant,
    typing: bool,
}

impl Throttle {
    /// Whether to tell the others of it.
    pub(super) fn admits(&mut self, id: ConversationId, typing: bool, at: Instant) -> bool {
        self.0.retain(|_, told| at - told.at < TYPING_EVERY);
        match self.0.get_mut(&id) {
            Some(told) => {
                let stops = told.typing && !typing;
                told.typing &= typing;
                stops
            }
            None => {
                self.0.insert(id, Told { at, typing });
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_start_and_one_stop_a_second() {
        let mut throttle = Throttle::default();
        let [here, there] = [ConversationId::new(), ConversationId::new()];
        let now = Instant::now();
        let mut admits =
            |id, typing, seconds| throttle.admits(id, typing, now + TYPING_EVERY * seconds);
        assert!(admits(here, true, 0));
        assert!(!admits(here, true, 0));
        assert!(admits(there, true, 0), "each conversation by itself");
        assert!(admits(here, false, 0), "whoever was told of the start hears of the stop");
        assert!(!admits(here, false, 0));
        assert!(!admits(here, true, 0));
        assert!(!admits(here, false, 0), "of what was not told there is no stop");
        assert!(admits(here, false, 1));
        assert!(!admits(here, false, 1));
        assert!(admits(here, true, 2));
        assert_eq!(throttle.0.len(), 1, "what is over is forgotten");
    }
}
