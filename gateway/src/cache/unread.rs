//! Unread counts, each beside the evidence it was computed from. A count is
//! believed only while its evidence matches; nothing is ever incremented, so
//! nothing can drift.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::model::{ConversationId, EventId, Seq, UserId};

/// Users kept; beyond it the cache starts over, which costs one query each.
const USERS: usize = 10_000;

/// Everything an unread count depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub last_seq: Seq,
    pub last_event_id: EventId,
    pub last_read_seq: Seq,
}

type Counts = HashMap<ConversationId, (Evidence, i64)>;

#[derive(Default)]
pub(super) struct LocalUnread {
    users: Mutex<HashMap<UserId, Counts>>,
}

impl LocalUnread {
    pub(super) fn look_up(
        &self,
        user: UserId,
        of: &[(ConversationId, Evidence)],
    ) -> Vec<Option<i64>> {
        let users = self.users.lock();
        let counts = users.get(&user);
        let found = |(id, evidence): &(ConversationId, Evidence)| {
            let (held, count) = counts?.get(id)?;
            (held == evidence).then_some(*count)
        };
        of.iter().map(found).collect()
    }

    pub(super) fn put(&self, user: UserId, counts: &[(ConversationId, Evidence, i64)]) {
        let mut users = self.users.lock();
        if users.len() >= USERS && !users.contains_key(&user) {
            users.clear();
        }
        let held = users.entry(user).or_default();
        held.extend(counts.iter().map(|(id, evidence, count)| (*id, (*evidence, *count))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_believed_only_with_its_evidence() {
        let cache = LocalUnread::default();
        let (user, id) = (UserId::new(), ConversationId::new());
        let evidence = Evidence { last_seq: 9, last_event_id: EventId::new(), last_read_seq: 4 };
        cache.put(user, &[(id, evidence, 3)]);
        let other_log = Evidence { last_event_id: EventId::new(), ..evidence };
        let read_on = Evidence { last_read_seq: 5, ..evidence };
        let asked = [(id, evidence), (id, other_log), (id, read_on)];
        assert_eq!(cache.look_up(user, &asked), [Some(3), None, None]);
    }
}
