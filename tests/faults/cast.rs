//! Who takes part: people with several devices each, and the conversations they
//! are in.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;
use parley::model::*;
use serde_json::json;
use tokio::time::Instant;

use super::{
    device::{self, Handle},
    dice::Dice,
    world::World,
};
use crate::support::client::Person;

pub struct Room {
    pub id: ConversationId,
    /// Places in the cast; the first never leaves.
    pub people: Vec<usize>,
    pub kind: ConversationKind,
    /// Who is in it, as far as the script was answered.
    pub inside: Mutex<HashSet<usize>>,
    /// Membership changes come one at a time.
    pub changing: tokio::sync::Mutex<()>,
}

pub struct Cast {
    /// Each person's own session, for REST.
    pub people: Vec<Person>,
    /// Those of one person lie together.
    pub devices: Vec<Handle>,
    pub devices_each: usize,
    pub rooms: Vec<Room>,
    pub begun: Instant,
}

impl Cast {
    /// Registers everybody and puts their devices to work.
    pub async fn assemble(world: &Arc<World>, dice: &mut Dice) -> Self {
        let begun = Instant::now();
        let settings = &world.settings;
        let door = |n: usize| format!("http://127.0.0.1:{}", world.gateways[n % 3].listen());
        let mut people = Vec::new();
        for n in 0..settings.users {
            people.push(Person::register(&door(n), &format!("person{n}")).await);
        }
        let mut rooms = Vec::new();
        for n in 0..settings.conversations {
            rooms.push(Room::open(&people, n, dice).await);
        }
        let everybody: Vec<_> = people.iter().map(Person::id).collect();
        let mut devices = Vec::new();
        for (n, person) in people.iter().enumerate() {
            for k in 0..settings.devices_each {
                let login = Person::login(&door(n + k), &person.user.username).await;
                devices.push(device::start(
                    login,
                    everybody.clone(),
                    world.doors.clone(),
                    world.history.clone(),
                    world.figures.clone(),
                    begun,
                    n + k,
                ));
            }
        }
        Self { people, devices, devices_each: settings.devices_each, rooms, begun }
    }

    pub fn devices_of(&self, person: usize) -> &[Handle] {
        &self.devices[person * self.devices_each..][..self.devices_each]
    }

    /// The devices that should be connected, and are not, or have not all up to
    /// these.
    pub fn behind(&self, heads: &HashMap<ConversationId, Seq>) -> Vec<usize> {
        let behind =
            |device: &Handle| device.is_wanted() && !(device.is_live() && device.reached(heads));
        (0..self.devices.len()).filter(|n| behind(&self.devices[*n])).collect()
    }
}

impl Room {
    /// The first is for everybody, and busy; a third are for two; the others
    /// are groups of any size.
    async fn open(people: &[Person], n: usize, dice: &mut Dice) -> Self {
        let mut places: Vec<_> = (0..people.len()).collect();
        dice.shuffle(&mut places);
        let kind = match n % 3 {
            1 => ConversationKind::Direct,
            _ => ConversationKind::Group,
        };
        let size = match (n, kind) {
            (0, _) => people.len(),
            (_, ConversationKind::Direct) => 2,
            _ => 2 + dice.below(people.len() - 1),
        };
        places.truncate(size);
        let owner = &people[places[0]];
        let others: Vec<_> = places[1..].iter().map(|place| &people[*place]).collect();
        let conversation = match kind {
            ConversationKind::Direct => owner.direct(others[0]).await,
            ConversationKind::Group => {
                let ids: Vec<_> = others.iter().map(|other| other.id()).collect();
                let body = json!({
                    "kind": "group", "title": format!("Room {n}"), "participant_ids": ids,
                    "share_history": n.is_multiple_of(2),
                });
                owner.post("/conversations", body).await.ok()
            }
        };
        Self {
            id: conversation.id,
            inside: Mutex::new(places.iter().copied().collect()),
            people: places,
            kind,
            changing: tokio::sync::Mutex::default(),
        }
    }
}
