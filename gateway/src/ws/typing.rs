//! Typing is best effort, and the first thing that is dropped: of one
//! connection, each conversation hears of a few starts per second, and of the
//! stop after each. Who has sent a message and goes on typing at once is seen.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::model::ConversationId;

const WITHIN: Duration = Duration::from_secs(1);
const STARTS: u8 = 2;

/// What was told within the last second. *As many places as conversations can
/// be named in a second, at most.*
#[derive(Default)]
pub(super) struct Throttle(HashMap<ConversationId, Told>);

struct Told {
    at: Instant,
    typing: bool,
    starts: u8,
}

impl Throttle {
    /// Whether to tell the others of it.
    pub(super) fn admits(&mut self, id: ConversationId, typing: bool, at: Instant) -> bool {
        self.0.retain(|_, told| at - told.at < WITHIN);
        let Some(told) = self.0.get_mut(&id) else {
            self.0.insert(id, Told { at, typing, starts: u8::from(typing) });
            return true;
        };
        let new = told.typing != typing && (!typing || told.starts < STARTS);
        if new {
            told.typing = typing;
            told.starts += u8::from(typing);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_starts_a_second_and_their_stops() {
        let mut throttle = Throttle::default();
        let [here, there] = [ConversationId::new(), ConversationId::new()];
        let now = Instant::now();
        let mut admits = |id, typing, seconds| throttle.admits(id, typing, now + WITHIN * seconds);
        assert!(admits(here, true, 0));
        assert!(!admits(here, true, 0));
        assert!(admits(there, true, 0), "each conversation by itself");
        assert!(admits(here, false, 0), "whoever was told of the start hears of the stop");
        assert!(!admits(here, false, 0));
        assert!(admits(here, true, 0), "sent, and typing again");
        assert!(admits(here, false, 0));
        assert!(!admits(here, true, 0));
        assert!(!admits(here, false, 0), "of what was not told there is no stop");
        assert!(admits(here, false, 1));
        assert!(!admits(here, false, 1));
        assert!(admits(here, true, 2));
        assert_eq!(throttle.0.len(), 1, "what is over is forgotten");
    }
}
