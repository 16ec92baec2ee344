//! Writing the story into the store.

use std::{collections::HashMap, time::Duration};

use super::story::{Act, Line, Scene, Story};
use crate::{
    cli::{Failure, accounts},
    model::*,
    store::{ConversationChange, NewConversation, NewMessage, Store},
};

type People = HashMap<&'static str, UserId>;

/// Makes the accounts, a week before the first word.
pub(super) async fn introduce(store: &Store, story: &Story, hash: &str) -> Result<People, Failure> {
    let first = story.scenes.iter().filter_map(|scene| scene.lines.first()).map(|line| line.at);
    let mut people = People::new();
    let Some(first) = first.min() else { return Ok(people) };
    let joined = first - Duration::from_secs(7 * 86_400);
    for person in &story.people {
        let new = accounts::NewAccount {
            username: person.username.to_owned(),
            display_name: person.display_name.to_owned(),
            password_hash: hash.to_owned(),
            created_at: joined,
        };
        people.insert(person.username, accounts::create(store, new).await?);
    }
    Ok(people)
}

/// One conversation from its beginning to what is still unread.
pub(super) async fn tell(store: &Store, scene: &Scene, people: &People) -> Result<(), Failure> {
    let id_of = |name: &str| match people.get(name) {
        Some(id) => Ok(*id),
        None => Err(Failure::runtime(format!("The story knows nobody named {name}."))),
    };
    let members: Vec<UserId> =
        scene.members.iter().map(|name| id_of(name)).collect::<Result<_, _>>()?;
    let (Some((creator, others)), Some(first)) = (members.split_first(), scene.lines.first())
    else {
        return Ok(());
    };
    let new = NewConversation {
        id: ConversationId::new(),
        event_id: EventId::new(),
        kind: match scene.title {
            Some(_) => ConversationKind::Group,
            None => ConversationKind::Direct,
        },
        creator: *creator,
        client_id: scene.title.map(|_| ClientId::new()),
        title: scene.title.map(str::to_owned),
        share_history: true,
        others: others.to_vec(),
        created_at: first.at - Duration::from_secs(60),
    };
    let id = store.create_conversation(&new).await?.id;

    let mut telling = Telling { store, id, said: HashMap::new(), texts: Vec::new(), top: 1 };
    for line in &scene.lines {
        telling.line(line, id_of(line.who)?, people).await?;
    }
    telling.leave_unread(scene, people).await?;

    for name in &scene.pinned {
        store.set_settings(id, id_of(name)?, None, Some(true)).await?;
    }
    for name in &scene.muted {
        store.set_settings(id, id_of(name)?, Some(true), None).await?;
    }
    Ok(())
}

struct Telling<'a> {
    store: &'a Store,
    id: ConversationId,
    /// Where each labelled message stands.
    said: HashMap<&'static str, Seq>,
    /// Every text: who said it, where it stands, when.
    texts: Vec<(UserId, Seq, Timestamp)>,
    top: Seq,
}

impl Telling<'_> {
    async fn line(&mut self, line: &Line, who: UserId, people: &People) -> Result<(), Failure> {
        match &line.act {
            Act::Say { label, reply_to, body } => {
                let reply_to_seq = reply_to.and_then(|label| self.said.get(label).copied());
                let seq = self.say(who, body, reply_to_seq, line.at).await?;
                if let Some(label) = label {
                    self.said.insert(label, seq);
                }
            }
            Act::Edit { label, body } => {
                let seq = self.said.get(label).copied().unwrap_or_default();
                self.store.edit_message(self.id, who, seq, body, EventId::new(), line.at).await?;
            }
            Act::Delete { label } => {
                let seq = self.said.get(label).copied().unwrap_or_default();
                self.store.delete_message(self.id, who, seq, EventId::new(), line.at).await?;
            }
            Act::Title(title) => {
                let change = ConversationChange::SetTitle { title: title.clone() };
                self.store.change_conversation(self.id, who, &change, line.at).await?;
            }
            Act::Add(whom) => {
                let users = people.get(whom).copied().into_iter().collect();
                let change = ConversationChange::Add { users };
                self.store.change_conversation(self.id, who, &change, line.at).await?;
            }
        }
        Ok(())
    }

    async fn say(
        &mut self,
        who: UserId,
        body: &str,
        reply_to_seq: Option<Seq>,
        at: Timestamp,
    ) -> Result<Seq, Failure> {
        let message = NewMessage {
            event_id: EventId::new(),
            conversation_id: self.id,
            sender_id: who,
            client_msg_id: ClientMessageId::new(),
            // Never compared: nobody knows this client_msg_id to repeat it.
            request_hash: vec![0; 32],
            body: body.to_owned(),
            reply_to_seq,
            created_at: at,
        };
        let seq = accounts::append(self.store, &[message]).await?;
        self.texts.push((who, seq, at));
        self.top = seq;
        Ok(seq)
    }

    /// Moves everybody's mark to the last text but those left for them.
    async fn leave_unread(&self, scene: &Scene, people: &People) -> Result<(), Failure> {
        for (name, user) in people {
            let left = scene.unread.iter().find(|(who, _)| who == name);
            let left = left.map_or(0, |(_, count)| *count);
            let others: Vec<_> = self.texts.iter().filter(|(who, ..)| who != user).collect();
            // Up to right before the first one left, or all there is.
            let mark = match others.len().checked_sub(left).and_then(|first| others.get(first)) {
                Some((_, seq, at)) => (seq - 1, *at),
                None => (self.top, self.texts.last().map_or(scene.lines[0].at, |text| text.2)),
            };
            let is_member = self.store.membership(self.id, *user).await?.is_some();
            if is_member {
                self.store.advance_read(self.id, *user, mark.0, mark.1).await?;
            }
        }
        Ok(())
    }
}
