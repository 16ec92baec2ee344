//! The store's contract: each rule on both databases. A rule that no
//! `store_contract!` lists is dead code, and that is an error here.

#![deny(dead_code)]
// In a test an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

use std::{future::Future, sync::Arc};

use parley::{
    model::*,
    store::{
        Appended, ConversationChange, NewConversation, NewDevice, NewMessage, NewUser, Store,
        StoreError, StoreOptions, Written,
    },
};

use crate::support::{limits::SOON, postgres};

/// Makes one test per rule and database.
macro_rules! store_contract {
    ($($rule:ident),* $(,)?) => {
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(crate::store::Db::postgres().await).await
                }
            )*
        }
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(crate::store::Db::sqlite().await).await
                }
            )*
        }
    };
}

mod accounts;
mod appends;
mod conversations;
mod feed;
mod history;
mod log;
mod marks;
mod members;
mod messages;
mod schema;
mod summaries;

/// A fresh, migrated database and a store on it.
#[derive(Clone)]
pub struct Db {
    pub store: Store,
    pub url: String,
    _folder: Option<Arc<tempfile::TempDir>>,
}

impl Db {
    async fn postgres() -> Self {
        let url = postgres::fresh_database().await;
        Self { store: open(&url), url, _folder: None }
    }

    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}/parley.db", folder.path().display());
        let store = open(&url);
        store.migrate().await.expect("migrations");
        Self { store, url, _folder: Some(Arc::new(folder)) }
    }

    /// Another process on the same database, as far as the database can tell.
    fn other(&self) -> Store {
        open(&self.url)
    }

    async fn user(&self, name: &str) -> UserId {
        let user = new_user(name);
        self.store.create_user(&user, &new_device(user.id)).await.expect("a user");
        user.id
    }

    /// One more login of a user.
    async fn device(&self, user: UserId) -> NewDevice {
        let device = new_device(user);
        let account = self.store.account(user).await.expect("an account").expect("an account");
        let made = self.store.create_device(&device, &account, 100).await.expect("a device");
        assert_eq!(made, Some(vec![]));
        device
    }

    async fn devices(&self, user: UserId) -> Vec<Device> {
        self.store.devices(user, None, 100).await.expect("devices")
    }

    async fn users<const N: usize>(&self, names: [&str; N]) -> [UserId; N] {
        let mut ids = Vec::new();
        for name in names {
            ids.push(self.user(name).await);
        }
        ids.try_into().expect("as many as names")
    }

    async fn group(&self, creator: UserId, others: &[UserId]) -> ConversationId {
        self.create(&new_group(creator, others)).await
    }

    async fn direct(&self, creator: UserId, other: UserId) -> ConversationId {
        self.create(&new_direct(creator, other)).await
    }

    async fn create(&self, new: &NewConversation) -> ConversationId {
        self.store.create_conversation(new).await.expect("a conversation").id
    }

    async fn send(&self, id: ConversationId, sender: UserId, body: &str) -> Seq {
        match append_one(&self.store, &text(id, sender, body)).await {
            Ok(Appended::New { seq, .. }) => seq,
            other => panic!("sent {body:?}: {other:?}"),
        }
    }

    async fn change(
        &self,
        id: ConversationId,
        actor: UserId,
        change: ConversationChange,
    ) -> Result<Written, StoreError> {
        self.store.change_conversation(id, actor, &change, at(500)).await
    }

    async fn add(&self, id: ConversationId, actor: UserId, user: UserId) -> Written {
        let add = ConversationChange::Add { users: vec![user] };
        self.change(id, actor, add).await.expect("added")
    }

    async fn remove(&self, id: ConversationId, actor: UserId, user: UserId) -> Written {
        let remove = ConversationChange::Remove { user };
        self.change(id, actor, remove).await.expect("removed")
    }

    async fn head(&self, id: ConversationId) -> parley::store::Head {
        self.store.heads(&[id]).await.expect("heads")[0]
    }

    /// The whole log, read in one range: dense, or the store says no.
    async fn log(&self, id: ConversationId) -> Vec<LogEntry> {
        let start = Cursor { seq: 0, event_id: None };
        match self.store.log_range(id, start, None, 100_000).await.expect("a range") {
            parley::store::LogRange::Entries { entries, .. } => entries,
            other => panic!("{other:?}"),
        }
    }
}

fn open(url: &str) -> Store {
    let options = StoreOptions { url: url.to_owned(), max_connections: 10, connect_timeout: SOON };
    Store::open(&options).expect("a store")
}

/// A time this many seconds after a fixed one.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1_000).expect("a time")
}

fn new_user(name: &str) -> NewUser {
    NewUser {
        id: UserId::new(),
        username: name.into(),
        display_name: format!("{name} the Tested"),
        password_hash: "$argon2id$".into(),
        created_at: at(0),
    }
}

fn new_device(user: UserId) -> NewDevice {
    NewDevice {
        id: DeviceId::new(),
        user_id: user,
        label: "a browser".into(),
        secret_hash: vec![7; 32],
        created_at: at(0),
    }
}

fn new_group(creator: UserId, others: &[UserId]) -> NewConversation {
    NewConversation {
        id: ConversationId::new(),
        event_id: EventId::new(),
        kind: ConversationKind::Group,
        creator,
        client_id: None,
        title: Some("A group".into()),
        share_history: false,
        others: others.to_vec(),
        created_at: at(1),
    }
}

fn new_direct(creator: UserId, other: UserId) -> NewConversation {
    NewConversation { kind: ConversationKind::Direct, title: None, ..new_group(creator, &[other]) }
}

fn text(id: ConversationId, sender: UserId, body: &str) -> NewMessage {
    NewMessage {
        event_id: EventId::new(),
        conversation_id: id,
        sender_id: sender,
        client_msg_id: ClientMessageId::new(),
        request_hash: body.as_bytes().to_vec(),
        body: body.into(),
        reply_to_seq: None,
        created_at: at(100),
    }
}

/// The same request again: another event id and time, as another replica or a
/// later attempt would give it.
fn again(message: &NewMessage) -> NewMessage {
    NewMessage { event_id: EventId::new(), created_at: at(900), ..message.clone() }
}

async fn append_one(store: &Store, message: &NewMessage) -> Result<Appended, StoreError> {
    store.append(std::slice::from_ref(message)).await?.pop().expect("one outcome")
}

/// Runs all at the same time; their results in order.
async fn together<T: Send + 'static>(
    work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = work.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.expect("no panic"));
    }
    done
}

/// Asserts which refusal an operation answers with.
macro_rules! refuses {
    ($answer:expr, $refusal:pat $(if $guard:expr)?) => {
        match $answer {
            Err(parley::store::StoreError::Refused($refusal)) $(if $guard)? => {}
            other => panic!("expected {}, got {other:?}", stringify!($refusal)),
        }
    };
}
use refuses;

/// Lets others go first, some `turns` of them, to vary who meets whom.
async fn linger(turns: u64) {
    for _ in 0..turns * 20 {
        tokio::task::yield_now().await;
    }
}
