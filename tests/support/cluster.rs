//! Several real replicas in this process, over one real database.

use std::sync::atomic::{AtomicUsize, Ordering};

use parley::{
    app::App,
    chat::Admission,
    clock::Clock,
    config::{Config, SecretUrl},
    metrics::Metrics,
    model::*,
    server::{Acceptor, Settings},
    shutdown::Shutdown,
    store::Store,
};
use sqlx::Connection;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

use super::{client::Person, eventually, limits::SOON, postgres, redis};

/// What replicas stand on: one of the two databases everything is tested on,
/// or all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
    /// Postgres and a Redis of its own, and two replicas at the least, where
    /// people register in turn.
    PostgresAndRedis,
}

pub struct Cluster {
    pub replicas: Vec<Replica>,
    pub config: Config,
    redis: Option<redis::Server>,
    registered: AtomicUsize,
    _folder: TempDir,
}

pub struct Replica {
    pub url: String,
    pub clock: Clock,
    pub metrics: Metrics,
    pub store: Store,
    pub shutdown: Shutdown,
    /// Whoever holds its places keeps devices waiting.
    pub admission: Admission,
    served: JoinHandle<()>,
}

impl Cluster {
    pub async fn start(database: Database, replicas: usize) -> Self {
        Self::configured(database, replicas, |_| {}).await
    }

    /// On Postgres and a Redis, single or a cluster, which all of them reach.
    pub async fn on_redis(replicas: usize, redis: &str, configure: impl Fn(&mut Config)) -> Self {
        let cluster = Self::configured(Database::Postgres, replicas, |config| {
            config.redis_url = SecretUrl::new(redis.to_owned());
            configure(config);
        })
        .await;
        cluster.reaches_redis().await;
        cluster
    }

    /// Every replica hears what it publishes.
    pub async fn reaches_redis(&self) {
        for replica in &self.replicas {
            replica.reaches_redis(true).await;
        }
    }

    pub async fn configured(
        database: Database,
        replicas: usize,
        configure: impl Fn(&mut Config),
    ) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut config = Config::embedded(folder.path()).expect("a configuration");
        config.rate_limits = false;
        config.drain_window = std::time::Duration::ZERO;
        let (mut redis, mut replicas) = (None, replicas);
        if database == Database::PostgresAndRedis {
            let server = redis::Server::start().await;
            config.redis_url = SecretUrl::new(server.url());
            redis = Some(server);
            replicas = replicas.max(2);
        }
        if database != Database::Sqlite {
            config.database_url = SecretUrl::new(postgres::fresh_database().await);
            config.database_max_connections = 8;
        }
        configure(&mut config);
        parley::auth::key_file::generate(&config.keys_file, Clock::default().now())
            .expect("a key file");
        let registered = AtomicUsize::new(0);
        let mut cluster = Self { replicas: vec![], config, redis, registered, _folder: folder };
        for _ in 0..replicas {
            cluster.add().await;
        }
        if cluster.redis.is_some() {
            cluster.reaches_redis().await;
        }
        cluster
    }

    /// Starts one more replica.
    pub async fn add(&mut self) {
        self.add_configured(|_| {}).await;
    }

    /// Starts one more replica that differs from the others, such as one
    /// behind a [`Proxy`](super::proxy::Proxy) of its own.
    pub async fn add_configured(&mut self, configure: impl FnOnce(&mut Config)) {
        let (clock, shutdown) = (Clock::default(), Shutdown::new());
        let mut config = self.config.clone();
        configure(&mut config);
        let acceptor = Acceptor::new(Settings::from(&config), Metrics::new());
        let app = App::build(config, clock.clone(), shutdown.clone()).expect("an app");
        app.store.migrate().await.expect("a schema");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (metrics, store) = (app.metrics.clone(), app.store.clone());
        let admission = app.chat.admission().clone();
        let served = tokio::spawn(app.serve(listener, acceptor));
        let replica = Replica { url, clock, metrics, store, shutdown, admission, served };
        self.replicas.push(replica);
    }

    /// Ends a replica without a drain; returns once it no longer listens. The
    /// others keep their places in the list.
    pub async fn kill(&mut self, index: usize) {
        let replica = &mut self.replicas[index];
        replica.shutdown.begin_kill();
        timeout(SOON, &mut replica.served).await.expect("it ends").expect("no panic");
    }

    pub fn url(&self) -> &str {
        &self.replicas[0].url
    }

    pub fn store(&self) -> &Store {
        &self.replicas[0].store
    }

    /// On the first replica, or on each in turn where they share a Redis.
    pub async fn register(&self, username: &str) -> Person {
        let turn = match self.redis {
            Some(_) => self.registered.fetch_add(1, Ordering::Relaxed) % self.replicas.len(),
            None => 0,
        };
        Person::register(&self.replicas[turn].url, username).await
    }

    /// The seqs of a conversation's whole log, read without a reader.
    pub async fn log(&self, id: ConversationId) -> Vec<LogEntry> {
        let mut log: Vec<LogEntry> = Vec::new();
        loop {
            let at = log.last().map(|entry| (entry.seq, Some(entry.event_id)));
            let (seq, event_id) = at.unwrap_or((0, None));
            let after = Cursor { seq, event_id };
            match self.store().log_range(id, after, None, 500).await.expect("a range") {
                parley::store::LogRange::Entries { entries, .. } if entries.is_empty() => {
                    return log;
                }
                parley::store::LogRange::Entries { entries, .. } => log.extend(entries),
                other => panic!("{other:?}"),
            }
        }
    }

    /// What an asynchronous failover or an old backup does: the entries above
    /// `last` are gone, and nobody was told.
    pub async fn forget_entries_above(&self, id: ConversationId, last: &LogEntry) {
        const STATEMENTS: [&str; 3] = [
            "delete from messages where conversation_id = $1 and seq > $2",
            "delete from message_changes where conversation_id = $1 and seq > $2",
            "update conversations set last_seq = $2, last_event_id = $3 where id = $1",
        ];
        let url = self.config.database_url.expose();
        for statement in STATEMENTS {
            macro_rules! run {
                ($connection:ty) => {{
                    let mut connection = <$connection>::connect(url).await.expect("a connection");
                    let query = sqlx::query(statement).bind(id.0).bind(last.seq);
                    let query = match statement.contains("$3") {
                        true => query.bind(last.event_id.0),
                        false => query,
                    };
                    query.execute(&mut connection).await.expect("it is gone");
                }};
            }
            match self.config.is_embedded() {
                true => run!(sqlx::SqliteConnection),
                false => run!(sqlx::PgConnection),
            }
        }
    }
}

impl Replica {
    /// The sum of the metrics whose name and labels begin like this.
    pub fn counted(&self, name: &str) -> f64 {
        let text = self.metrics.render();
        let values = text.lines().filter(|line| line.starts_with(name));
        values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// It has noticed that Redis is there, or is not.
    pub async fn reaches_redis(&self, reached: bool) {
        // Its description begins in the same way.
        let line = format!("\nparley_bus_subscription_up {}\n", u8::from(reached));
        let noticed = async || self.metrics.render().contains(&line).then_some(());
        eventually("what became of Redis is noticed", SOON, noticed).await;
    }
}

impl Cluster {
    /// Lets time pass for the rotations of refresh tokens, which the
    /// database's clock dates.
    pub async fn age_rotations(&self, by: std::time::Duration) {
        let url = self.config.database_url.expose();
        let age = by.as_millis() as i64;
        macro_rules! run {
            ($connection:ty, $by:literal) => {{
                const AGE: &str =
                    concat!("update devices set refresh_rotated_at = refresh_rotated_at - ", $by);
                let mut connection = <$connection>::connect(url).await.expect("a connection");
                sqlx::query(AGE).bind(age).execute(&mut connection).await.expect("it is older");
            }};
        }
        match self.config.is_embedded() {
            true => run!(sqlx::SqliteConnection, "$1"),
            false => run!(sqlx::PgConnection, "$1 * interval '1 millisecond'"),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for replica in &self.replicas {
            replica.shutdown.begin_kill();
        }
    }
}

/// Makes one test of each function for several replicas that share a Redis.
#[macro_export]
macro_rules! on_replicas {
    ($($name:ident),* $(,)?) => {
        mod on_replicas {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::cluster::Database::PostgresAndRedis).await;
            })*
        }
    };
}

/// Makes one test of each function for each database, and for several replicas.
#[macro_export]
macro_rules! on_every_deployment {
    ($($name:ident),* $(,)?) => {
        $crate::on_both_databases![$($name),*];
        $crate::on_replicas![$($name),*];
    };
}

/// Makes one test of each function for each database.
#[macro_export]
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::cluster::Database::Sqlite).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::cluster::Database::Postgres).await;
            })*
        }
    };
}
