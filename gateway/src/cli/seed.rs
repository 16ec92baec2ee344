//! `gateway seed`: many users who are signed in already, for load tests. One
//! password hash serves all of them.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::{Failure, accounts, clock, database, say};
use crate::{
    auth::{Keys, admin},
    config::{Config, values::duration},
    model::*,
    startup,
    store::{ConversationChange, NewConversation, Store},
};

/// Sign-ups in flight at the same time.
const AT_ONCE: usize = 16;

#[derive(Debug, Args)]
pub struct Seed {
    /// How many users; named load-00000, load-00001 …
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    users: u32,
    /// How many conversations; every fourth is a direct one
    #[arg(long, value_name = "N", default_value_t = 0)]
    conversations: u32,
    /// Members of each group
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1_000))]
    group_size: u32,
    /// Where to write the users with their tokens (JSON, for its owner only)
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,
    /// How long the access tokens are good for
    #[arg(long, value_name = "DURATION", default_value = "12h")]
    token_ttl: String,
    /// The password of all
    #[arg(long, default_value = "parley-load")]
    password: String,
    /// Add to a database that holds users already
    #[arg(long)]
    force: bool,
}

/// One element of the file.
#[derive(Debug, Serialize)]
struct Seeded {
    username: String,
    user_id: UserId,
    device_id: DeviceId,
    access_token: String,
    refresh_token: String,
    conversations: Vec<ConversationId>,
}

impl Seed {
    pub async fn run(self, config: Config) -> Result<(), Failure> {
        let ttl = duration::parse(&self.token_ttl).ok_or_else(|| {
            Failure::usage(format!(
                "--token-ttl: `{}` is not a duration such as 12h.",
                self.token_ttl
            ))
        })?;
        let password = text::password(&self.password)
            .map_err(|why| Failure::usage(format!("--password: {why}.")))?;
        let store = database(&config).await?;
        if !self.force {
            accounts::require_empty(&store).await?;
        }
        let keys = startup::open_keys(&config, &clock())?;
        let hash = accounts::hash(&config, &password).await?;

        let mut users: Vec<Seeded> = stream::iter(0..self.users)
            .map(|number| sign_up(&store, &keys, number, &hash, ttl))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut dice = Dice(1);
        for number in 0..self.conversations {
            let size = if number % 4 == 3 { 2 } else { self.group_size.min(self.users) };
            let members = dice.draw(size as usize, users.len());
            let direct = number % 4 == 3;
            let id = converse(&store, number, direct, &members, &users).await?;
            for member in members {
                // A pair that was drawn before has its conversation already.
                if !users[member].conversations.contains(&id) {
                    users[member].conversations.push(id);
                }
            }
        }
        write_private(&self.tokens, &users).map_err(|why| {
            Failure::runtime(format!("Cannot write {}: {why}.", self.tokens.display()))
        })?;
        say(&format!(
            "{} users and {} conversations are there; their tokens are in {}, good for {}.",
            self.users,
            self.conversations,
            self.tokens.display(),
            duration::show(ttl)
        ));
        store.close().await;
        Ok(())
    }
}

async fn sign_up(
    store: &Store,
    keys: &Keys,
    number: u32,
    hash: &str,
    ttl: Duration,
) -> Result<Seeded, Failure> {
    let (id, now) = (UserId::new(), clock().now());
    let username = format!("load-{number:05}");
    let new = accounts::NewAccount {
        username: username.clone(),
        display_name: format!("Load {number:05}"),
        password_hash: hash.to_owned(),
        created_at: now,
    };
    let device = accounts::device(id, "Load test", now)?;
    store.create_user(&accounts::new_user(id, new), &device).await?;
    let who = Principal { user: id, device: device.id };
    let tokens = admin::tokens(keys, who, now, ttl)?;
    Ok(Seeded {
        username,
        user_id: id,
        device_id: device.id,
        access_token: tokens.access.expose().to_owned(),
        refresh_token: tokens.refresh.expose().to_owned(),
        conversations: Vec::new(),
    })
}

async fn converse(
    store: &Store,
    number: u32,
    direct: bool,
    members: &[usize],
    users: &[Seeded],
) -> Result<ConversationId, Failure> {
    let now = clock().now();
    let members: Vec<UserId> = members.iter().map(|member| users[*member].user_id).collect();
    let (creator, others) = (members[0], &members[1..]);
    let (at_first, later) = others.split_at(others.len().min(limits::ADDED_AT_ONCE));
    let new = NewConversation {
        id: ConversationId::new(),
        event_id: EventId::new(),
        kind: if direct { ConversationKind::Direct } else { ConversationKind::Group },
        creator,
        client_id: (!direct).then(ClientId::new),
        title: (!direct).then(|| format!("Load group {number:05}")),
        share_history: false,
        others: at_first.to_vec(),
        created_at: now,
    };
    let id = store.create_conversation(&new).await?.id;
    for users in later.chunks(limits::ADDED_AT_ONCE) {
        let change = ConversationChange::Add { users: users.to_vec() };
        store.change_conversation(id, creator, &change, now).await?;
    }
    Ok(id)
}

/// Repeatable choices: the same numbers give the same conversations.
struct Dice(u64);

impl Dice {
    /// splitmix64
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// `count` different numbers below `of`.
    fn draw(&mut self, count: usize, of: usize) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count.min(of) {
            let number = (self.roll() % of as u64) as usize;
            if !drawn.contains(&number) {
                drawn.push(number);
            }
        }
        drawn
    }
}

/// Tokens are as good as passwords: nobody else may read the file, not even
/// while it is written.
fn write_private(path: &Path, users: &[Seeded]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut out = io::BufWriter::new(file);
    // An array with a line for each: whole for k6, line by line for others.
    for (number, user) in users.iter().enumerate() {
        out.write_all(if number == 0 { b"[\n" } else { b",\n" })?;
        serde_json::to_writer(&mut out, user)?;
    }
    out.write_all(b"\n]\n")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_repeat_and_draw_nobody_twice() {
        let (mut one, mut other) = (Dice(1), Dice(1));
        for _ in 0..100 {
            let drawn = one.draw(10, 12);
            assert_eq!(drawn, other.draw(10, 12));
            let mut sorted = drawn.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), 10);
        }
    }

    #[test]
    fn the_file_is_an_array_that_only_its_owner_reads() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        fs::write(&path, "older").unwrap();
        let user = || Seeded {
            username: "load-00000".into(),
            user_id: UserId::new(),
            device_id: DeviceId::new(),
            access_token: "a".into(),
            refresh_token: "r".into(),
            conversations: vec![ConversationId::new()],
        };
        write_private(&path, &[user(), user()]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        let read: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(text.lines().count(), 4);
    }
}
