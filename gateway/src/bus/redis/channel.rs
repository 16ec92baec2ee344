//! Names of channels. On a cluster the id is a hash tag, braces and all:
//! `conv:{0192…}`, so that the channel lies where the id's slot lies.

use crate::model::{ConversationId, Topic, UserId};

pub(super) fn name(topic: Topic, clustered: bool) -> String {
    match (topic, clustered) {
        (topic, false) => topic.to_string(),
        (Topic::Conversation(id), true) => format!("conv:{{{id}}}"),
        (Topic::User(id), true) => format!("user:{{{id}}}"),
    }
}

/// The topic of a channel; none for a channel of somebody else's.
pub(super) fn topic(name: &str) -> Option<Topic> {
    let (kind, id) = name.split_once(':')?;
    let id = id.strip_prefix('{').and_then(|id| id.strip_suffix('}')).unwrap_or(id);
    match kind {
        "conv" => id.parse().ok().map(|id: ConversationId| Topic::Conversation(id)),
        "user" => id.parse().ok().map(|id: UserId| Topic::User(id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_topic() {
        for one in [Topic::Conversation(ConversationId::new()), Topic::User(UserId::new())] {
            assert_eq!(topic(&name(one, false)), Some(one));
            assert_eq!(topic(&name(one, true)), Some(one));
            assert!(name(one, true).ends_with('}'));
        }
        for other in ["", "conv", "conv:", "conv:{}", "news:1", "conv:1"] {
            assert_eq!(topic(other), None, "{other}");
        }
    }
}
