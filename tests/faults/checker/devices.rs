//! Every device: what it applied, and what it believes in the end.

use parley::model::*;

use super::{
    super::{
        cast::Cast,
        history::{History, Rule},
        view::View,
    },
    log::Logs,
};

pub fn check(logs: &Logs, cast: &Cast, history: &History) {
    for (n, device) in cast.devices.iter().enumerate() {
        let (view, me) = (device.view.lock(), device.person.id());
        applied(n, &view, me, logs, history);
        marks(n, &view, me, logs, history);
        if device.is_wanted() && !device.is_live() {
            history.violation(Rule::Incomplete, format!("device {n} has not come back"));
        }
        if device.is_live() {
            complete(n, &view, me, logs, history);
            state(n, &view, logs, history);
        }
    }
}

/// Each stretch is the log itself, from one stay in the conversation only.
fn applied(n: usize, view: &View, me: UserId, logs: &Logs, history: &History) {
    for segment in view.segments() {
        let id = segment.conversation;
        let Some(log) = logs.0.get(&id) else { continue };
        for (seq, applied) in (segment.start + 1..).zip(&segment.applied) {
            if log.entry(seq).is_none_or(|entry| entry.id != *applied) {
                let what = format!("device {n}: {id} has another {seq} than was applied");
                history.violation(Rule::Lost, what);
                break;
            }
        }
        let end = segment.start + segment.applied.len() as Seq;
        let stays = log.stays.get(&me).into_iter().flatten();
        // Its own removal comes as another frame; a snapshot shows the joining.
        let mut fits = stays.filter(|(from, to)| {
            from - 1 <= segment.start && to.is_none_or(|to| end < to || end == segment.start)
        });
        if fits.next().is_none() && !segment.applied.is_empty() {
            let what = format!("device {n}: {id} {} to {end} is no stay of theirs", segment.start);
            history.violation(Rule::Leaked, what);
        }
    }
}

/// What was seen of a mark had been committed.
fn marks(n: usize, view: &View, me: UserId, logs: &Logs, history: &History) {
    for (id, seen) in &view.marks {
        let kept = logs.0.get(id).and_then(|log| log.marks.get(&me));
        if kept.is_none_or(|kept| kept < seen) {
            let what = format!("device {n}: {id} was read to {seen}, and now to {kept:?}");
            history.violation(Rule::Marks, what);
        }
    }
}

/// It is in what its user is in, and has all of it.
fn complete(n: usize, view: &View, me: UserId, logs: &Logs, history: &History) {
    for (id, log) in &logs.0 {
        let at = view.held.get(id).map(|held| (held.cursor.seq, held.cursor.event_id));
        match (log.is_in(me), at) {
            (true, Some(at)) if at == log.last => {}
            (false, None) => {}
            (true, at) => {
                let what = format!("device {n}: {id} is at {:?}, the device at {at:?}", log.last);
                history.violation(Rule::Incomplete, what);
            }
            (false, Some(_)) => {
                let what = format!("device {n} is in {id}, its user is not");
                history.violation(Rule::Incomplete, what);
            }
        }
    }
}

/// The messages it holds are as they are.
fn state(n: usize, view: &View, logs: &Logs, history: &History) {
    for (id, held) in &view.held {
        let Some(log) = logs.0.get(id) else { continue };
        if held.title != log.title {
            let what = format!("device {n}: {id} is called {:?}, not {:?}", log.title, held.title);
            history.violation(Rule::Diverged, what);
        }
        for (seq, message) in &held.messages {
            let kept = log.entry(*seq).and_then(|entry| entry.message.as_ref());
            let same = kept.is_some_and(|kept| {
                kept.updated_seq == message.updated_seq
                    && kept.body == message.body
                    && kept.deleted == message.deleted_at.is_some()
            });
            if !same {
                let what = format!("device {n}: {id} {seq} is {kept:?}, not {message:?}");
                history.violation(Rule::Diverged, what);
            }
        }
    }
}
