//! Every send, against the log.

use std::collections::HashMap;

use parley::model::*;
use tokio::time::Instant;

use super::{
    super::history::{Changed, History, Outcome, Rule, Sent},
    log::Logs,
};

pub fn check(logs: &Logs, history: &History) {
    let sends = history.sends.lock().clone();
    let mut rows: HashMap<ClientMessageId, Vec<(ConversationId, Seq)>> = HashMap::new();
    for (id, log) in &logs.0 {
        for (n, entry) in log.entries.iter().enumerate() {
            let Some(message) = &entry.message else { continue };
            let seq = n as Seq + 1;
            if let Some(key) = message.key {
                rows.entry(key).or_default().push((*id, seq));
                if !log.was_in(message.sender, seq) {
                    let what = format!("{id}: {seq} is by {}, who was not in it", message.sender);
                    history.violation(Rule::Leaked, what);
                }
                if sends.get(&key).is_none_or(|sent| sent.sender != message.sender) {
                    let what = format!("{id}: {} has not sent {seq}", message.sender);
                    history.violation(Rule::Leaked, what);
                }
            }
        }
    }
    for (key, sent) in &sends {
        let found = rows.get(key).map_or(&[][..], |found| found);
        if found.len() > 1 {
            history.violation(Rule::Duplicated, format!("{key} stands at {found:?}"));
        }
        match sent.outcome {
            Outcome::Acked { seq, id, .. } => {
                let entry = logs.0.get(&sent.conversation).and_then(|log| log.entry(seq));
                if found.first() != Some(&(sent.conversation, seq))
                    || entry.is_none_or(|entry| entry.id != id)
                {
                    let what = format!("{key} was acknowledged as {seq}, and stands at {found:?}");
                    history.violation(Rule::Lost, what);
                }
            }
            Outcome::Refused if !found.is_empty() => {
                let what = format!("{key} was refused, and stands at {found:?}");
                history.violation(Rule::Refused, what);
            }
            Outcome::Refused => {}
            Outcome::Unknown => {
                history.violation(Rule::Incomplete, format!("{key} was never answered"));
            }
        }
    }
    real_time(&sends, history);
    changes(logs, history);
}

/// What was acknowledged before another was sent stands before it.
fn real_time(sends: &HashMap<ClientMessageId, Sent>, history: &History) {
    let mut by_place: HashMap<ConversationId, Vec<(Seq, Instant, Instant)>> = HashMap::new();
    for sent in sends.values() {
        if let Outcome::Acked { seq, at, .. } = sent.outcome {
            by_place.entry(sent.conversation).or_default().push((seq, sent.begun, at));
        }
    }
    for (id, mut placed) in by_place {
        placed.sort_unstable_by_key(|(seq, ..)| std::cmp::Reverse(*seq));
        // The earliest ack of all that stand behind.
        let mut earliest: Option<(Instant, Seq)> = None;
        for (seq, begun, acked) in placed {
            if let Some((before, behind)) = earliest
                && before < begun
            {
                let what = format!("{id}: {behind} was acknowledged before {seq} was sent");
                history.violation(Rule::Reordered, what);
            }
            if earliest.is_none_or(|(at, _)| acked < at) {
                earliest = Some((acked, seq));
            }
        }
    }
}

/// The last change to each message that was acknowledged is its state.
fn changes(logs: &Logs, history: &History) {
    for ((id, seq), changed) in &*history.changes.lock() {
        let entry = logs.0.get(id).and_then(|log| log.entry(*seq));
        let Some(message) = entry.and_then(|entry| entry.message.as_ref()) else { continue };
        let kept = match changed {
            Changed::Deleted => message.deleted && message.body.is_none(),
            Changed::Edited(body) => message.body.as_ref() == Some(body),
        };
        if !kept {
            let what = format!("{id}: {seq} should be {changed:?}, and is {message:?}");
            history.violation(Rule::Lost, what);
        }
    }
}
