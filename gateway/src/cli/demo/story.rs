//! Reading `story.txt`: its head says how it is written.

use std::time::Duration;

use crate::model::Timestamp;

const TEXT: &str = include_str!("story.txt");
const DAY_MS: i64 = 86_400_000;

/// The whole story, its times fixed to a moment.
#[derive(Debug)]
pub(super) struct Story {
    pub people: Vec<Person>,
    pub scenes: Vec<Scene>,
}

#[derive(Debug)]
pub(super) struct Person {
    pub username: &'static str,
    pub display_name: &'static str,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Scene {
    /// None: a direct conversation.
    pub title: Option<&'static str>,
    /// The first one begins it.
    pub members: Vec<&'static str>,
    pub lines: Vec<Line>,
    /// Who has how many messages still to read; the others have read all.
    pub unread: Vec<(&'static str, usize)>,
    pub pinned: Vec<&'static str>,
    pub muted: Vec<&'static str>,
}

#[derive(Debug)]
pub(super) struct Line {
    pub at: Timestamp,
    pub who: &'static str,
    pub act: Act,
}

#[derive(Debug)]
pub(super) enum Act {
    Say { label: Option<&'static str>, reply_to: Option<&'static str>, body: String },
    Edit { label: &'static str, body: String },
    Delete { label: &'static str },
    Title(String),
    Add(&'static str),
}

/// The line that could not be understood; a test reads the whole story, so
/// nobody but its author sees this.
#[derive(Debug, thiserror::Error)]
#[error("story.txt, line {0}: {1}")]
pub(super) struct BadLine(usize, &'static str);

impl Story {
    /// As it would have happened until `now`.
    pub(super) fn until(now: Timestamp) -> Result<Self, BadLine> {
        let mut story = Self { people: Vec::new(), scenes: Vec::new() };
        let mut day = None;
        for (number, line) in TEXT.lines().enumerate() {
            let bad = |why| BadLine(number + 1, why);
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let scene = story.scenes.last_mut();
            match (word, scene) {
                ("" | "//", _) => {}
                ("person", _) => {
                    let (username, display_name) =
                        rest.split_once(' ').ok_or(bad("a person has two names"))?;
                    story.people.push(Person { username, display_name });
                }
                ("group", _) => {
                    let (title, members) =
                        rest.split_once(" | ").ok_or(bad("a group has a title"))?;
                    story.scenes.push(Scene::new(Some(title), members));
                }
                ("direct", _) => story.scenes.push(Scene::new(None, rest)),
                ("day", _) => day = Some(rest.parse::<i64>().map_err(|_| bad("which day?"))?),
                ("ago", _) => day = None,
                ("pin", Some(scene)) => scene.pinned.push(rest),
                ("mute", Some(scene)) => scene.muted.push(rest),
                ("unread", Some(scene)) => {
                    let (who, count) = rest.split_once(' ').ok_or(bad("unread by whom?"))?;
                    let count = count.parse().map_err(|_| bad("how many unread?"))?;
                    scene.unread.push((who, count));
                }
                (time, Some(scene)) => {
                    let at = moment(now, day, time).ok_or(bad("not a time"))?;
                    scene.lines.push(spoken(at, rest).ok_or(bad("not a line"))?);
                }
                (_, None) => return Err(bad("outside of a conversation")),
            }
        }
        Ok(story)
    }

    /// Texts that are said, deleted ones included.
    #[cfg(test)]
    fn messages(&self) -> usize {
        let said = |line: &&Line| matches!(line.act, Act::Say { .. });
        self.scenes.iter().map(|scene| scene.lines.iter().filter(said).count()).sum()
    }
}

impl Scene {
    fn new(title: Option<&'static str>, members: &'static str) -> Self {
        Self {
            title,
            members: members.split(' ').collect(),
            lines: Vec::new(),
            unread: Vec::new(),
            pinned: Vec::new(),
            muted: Vec::new(),
        }
    }
}

/// `09:02` of a day, or minutes back from now.
fn moment(now: Timestamp, day: Option<i64>, time: &str) -> Option<Timestamp> {
    let Some(day) = day else {
        let minutes: u64 = time.parse().ok()?;
        return Some(now - Duration::from_secs(minutes * 60));
    };
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    let midnight = now.millis() - now.millis().rem_euclid(DAY_MS) - day * DAY_MS;
    Timestamp::from_millis(midnight + (hour * 60 + minute) * 60_000)
}

/// `maya >plan [more]: Yes`, `jonas edits rota: …`, `leila deletes wrong`.
fn spoken(at: Timestamp, line: &'static str) -> Option<Line> {
    let (head, text) = match line.split_once(": ") {
        Some((head, text)) => (head, text.replace("\\n", "\n")),
        None => (line, String::new()),
    };
    let mut words = head.split(' ');
    let who = words.next()?;
    let words: Vec<_> = words.collect();
    let act = match words.as_slice() {
        ["edits", label] => Act::Edit { label, body: text },
        ["deletes", label] => Act::Delete { label },
        ["titles"] => Act::Title(text),
        ["adds", whom] => Act::Add(whom),
        marks => {
            let (mut label, mut reply_to) = (None, None);
            for mark in marks {
                if let Some(name) = mark.strip_prefix('>') {
                    reply_to = Some(name);
                } else {
                    label = Some(mark.strip_prefix('[')?.strip_suffix(']')?);
                }
            }
            (!text.is_empty()).then_some(Act::Say { label, reply_to, body: text })?
        }
    };
    Some(Line { at, who, act })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{clock::Clock, model::text};

    fn story() -> Story {
        Story::until(Clock::default().now()).unwrap()
    }

    #[test]
    fn it_is_a_story_of_a_team() {
        let story = story();
        assert_eq!(story.people.len(), 7);
        assert!(story.messages() >= 150, "{} messages", story.messages());
        for demo_user in ["maya", "ben"] {
            let waiting = |scene: &Scene| scene.unread.iter().any(|(who, _)| *who == demo_user);
            assert!(story.scenes.iter().filter(|scene| waiting(scene)).count() >= 3);
        }
    }

    #[test]
    fn every_line_may_be_said() {
        for scene in story().scenes {
            let mut labels = HashSet::new();
            let mut members: HashSet<_> = scene.members.iter().copied().collect();
            let mut before = None;
            for line in scene.lines {
                assert!(members.contains(line.who), "{} is not there", line.who);
                assert!(before <= Some(line.at), "time runs backwards at {line:?}");
                before = Some(line.at);
                match line.act {
                    Act::Say { label, reply_to, body } => {
                        text::body(&body).unwrap();
                        assert!(reply_to.is_none_or(|label| labels.contains(label)), "{body}");
                        labels.extend(label);
                    }
                    Act::Edit { label, body } => {
                        text::body(&body).unwrap();
                        assert!(labels.contains(label));
                    }
                    Act::Delete { label } => assert!(labels.contains(label)),
                    Act::Title(title) => assert_eq!(text::title(&title).unwrap(), title),
                    Act::Add(whom) => assert!(members.insert(whom)),
                }
            }
        }
    }
}
