//! What a run stands on: a real Postgres and Redis, three gateways as processes,
//! and a proxy on each edge between them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{
    figures::Figures,
    history::{History, Rule},
    settings::{RedisKind, Settings},
};
use crate::support::{
    disk::SmallDisk,
    limits::ANSWER,
    ports, postgres,
    process::{self, Serving},
    proxy::Proxy,
    redis::{RedisCluster, Server},
};

pub const GATEWAYS: usize = 3;

/// Enough for a run of an hour; small enough to be filled in a second.
const DISK: &str = "1200m";
const POSTGRES: &str = "-c max_connections=60 -c max_wal_size=128MB -c min_wal_size=64MB \
    -c wal_init_zero=on -c log_lock_waits=on";

pub enum Redis {
    Single(Server),
    Cluster(RedisCluster),
}

impl Redis {
    fn url(&self) -> String {
        match self {
            Self::Single(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }

    /// All servers that run.
    pub fn servers(&self) -> Vec<&Server> {
        match self {
            Self::Single(server) => vec![server],
            Self::Cluster(cluster) => cluster.servers().collect(),
        }
    }
}

/// How a gateway is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// What its clock shows beside the real time, such as `+60s`.
    pub clock: Option<&'static str>,
    /// The binary of another version.
    pub binary: Option<PathBuf>,
}

/// One replica and its edges; the process comes and goes.
pub struct Gateway {
    pub number: usize,
    pub front: Proxy,
    pub to_postgres: Proxy,
    /// None with a cluster: its nodes tell their own addresses.
    pub to_redis: Option<Proxy>,
    listen: u16,
    admin: u16,
    arguments: Vec<String>,
    process: Mutex<Option<Serving>>,
}

/// Where devices knock: one address for each gateway, whoever stands behind.
#[derive(Clone)]
pub struct Doors(Arc<Vec<String>>);

impl Doors {
    pub fn door(&self, n: usize) -> String {
        self.0[n % self.0.len()].clone()
    }
}

pub struct World {
    pub settings: Settings,
    pub postgres: Arc<postgres::Server>,
    pub disk: Result<SmallDisk, String>,
    pub database: String,
    pub redis: Redis,
    pub gateways: Vec<Gateway>,
    pub doors: Doors,
    pub history: Arc<History>,
    pub figures: Arc<Figures>,
    pub folder: PathBuf,
    /// Gone at the end, unless the run failed.
    pub kept: Mutex<Option<TempDir>>,
}

impl World {
    pub async fn start(settings: Settings, history: Arc<History>, figures: Arc<Figures>) -> Self {
        let folder = tempfile::Builder::new().prefix("parley-faults-").tempdir().unwrap();
        let disk = SmallDisk::mount(DISK);
        let place = disk.as_ref().map_or_else(|_| std::env::temp_dir(), |it| it.path().to_owned());
        let postgres = spawn_blocking(move || postgres::Server::start_in(&place, POSTGRES));
        let postgres = Arc::new(postgres.await.unwrap());
        let database = postgres.fresh_database().await;
        let redis = match settings.redis {
            RedisKind::Single => Redis::Single(Server::start().await),
            RedisKind::Cluster => Redis::Cluster(RedisCluster::start().await),
        };
        let keys = folder.path().join("keys.json");
        parley::auth::key_file::generate(&keys, parley::clock::Clock::default().now()).unwrap();
        let mut gateways = Vec::new();
        for number in 0..GATEWAYS {
            gateways.push(Gateway::new(number, &database, &redis, &keys).await);
        }
        let doors = gateways.iter().map(|it| format!("http://{}", it.front.address())).collect();
        let world = Self {
            settings,
            postgres,
            disk,
            database,
            redis,
            gateways,
            doors: Doors(Arc::new(doors)),
            history,
            figures,
            folder: folder.path().to_owned(),
            kept: Mutex::new(Some(folder)),
        };
        if let Some(sql) = world.settings.planted_sql() {
            let mut connection = world.sql().await.expect("a connection");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .expect("planted");
        }
        for gateway in &world.gateways {
            gateway.start(&world, Manner::default()).await;
        }
        world
    }

    /// A connection of the test's own, past all proxies.
    pub async fn sql(&self) -> sqlx::Result<PgConnection> {
        PgConnection::connect(&self.database).await
    }
}

impl Gateway {
    async fn new(number: usize, database: &str, redis: &Redis, keys: &Path) -> Self {
        let listen = ports::hold();
        let to_postgres = Proxy::before(database).await;
        let (to_redis, redis) = match redis {
            Redis::Single(server) => {
                let proxy = Proxy::before(&server.url()).await;
                let url = proxy.url(&server.url());
                (Some(proxy), url)
            }
            Redis::Cluster(_) => (None, redis.url()),
        };
        let arguments = [
            format!("--listen=127.0.0.1:{listen}"),
            format!("--database-url={}", to_postgres.url(database)),
            format!("--redis-url={redis}"),
            format!("--keys-file={}", keys.display()),
            format!("--replica=gateway-{number}"),
            "--database-max-connections=8".into(),
            "--rate-limits=off".into(),
            "--access-token-ttl=24h".into(),
            "--heartbeat-interval=2s".into(),
            "--idle-timeout=10s".into(),
            "--stalled-timeout=5s".into(),
            "--drain-window=2s".into(),
        ];
        Self {
            number,
            front: Proxy::to(([127, 0, 0, 1], listen).into()).await,
            to_postgres,
            to_redis,
            listen,
            admin: ports::hold(),
            arguments: arguments.to_vec(),
            process: Mutex::default(),
        }
    }

    /// Returns once it listens.
    pub async fn start(&self, world: &World, manner: Manner) {
        let mut command = match (&manner.binary, &world.settings.gateway) {
            (Some(binary), _) | (None, Some(binary)) => {
                let mut command = process::gateway(&world.folder);
                command = rebased(&command, binary);
                command
            }
            (None, None) => process::gateway(&world.folder),
        };
        command.arg("serve").args(&self.arguments);
        let in_code = world.settings.planted_sql().is_none();
        if let Some(bug) = world.settings.planted.as_ref().filter(|_| in_code) {
            command.env("PLANTED_BUG", bug);
        }
        if let Some(clock) = manner.clock {
            let library = faketime().expect("looked for before");
            command.env("LD_PRELOAD", library).env("FAKETIME", clock);
            // Timers go on as they are: only what the clock shows is wrong.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let mut serving = Serving::launch(command, self.admin).await;
        let log = serving.take_log();
        tokio::spawn(read_log(log, self.number, world.folder.clone(), world.history.clone()));
        *self.process.lock() = Some(serving);
    }

    pub fn is_running(&self) -> bool {
        self.process.lock().is_some()
    }

    pub fn signal(&self, name: &str) {
        if let Some(process) = &*self.process.lock() {
            process.signal(name);
        }
    }

    /// SIGKILL; returns once it is gone.
    pub fn kill(&self) {
        self.process.lock().take();
    }

    /// SIGTERM, and its exit code.
    pub async fn drain(&self) -> Option<i32> {
        let process = self.process.lock().take();
        let mut process = process?;
        process.signal("TERM");
        process.ended().await
    }

    pub fn process_id(&self) -> Option<u32> {
        self.process.lock().as_ref().map(Serving::id)
    }

    pub fn listen(&self) -> u16 {
        self.listen
    }

    /// The value of a metric without labels, or the sum over its labels.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let url = format!("http://127.0.0.1:{}/metrics", self.admin);
        let answer = reqwest::Client::new().get(url).timeout(ANSWER / 5).send().await.ok()?;
        let text = answer.text().await.ok()?;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = match rest.strip_prefix('{') {
                Some(labelled) => labelled.split_once("} ")?.1,
                None => rest.strip_prefix(' ')?,
            };
            value.parse::<f64>().ok()
        });
        Some(values.sum())
    }
}

/// The library that makes a process see another time: of Debian's package
/// `faketime`, for whichever machine this is.
pub fn faketime() -> Result<PathBuf, String> {
    let machines = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let libraries = machines.map(|it| it.path().join("faketime/libfaketimeMT.so.1"));
    let missing = || "install the Debian package `faketime`".to_owned();
    libraries.into_iter().find(|path| path.exists()).ok_or_else(missing)
}

/// The same command with another binary.
fn rebased(command: &Command, binary: &Path) -> Command {
    let mut other = Command::new(binary);
    if let Some(folder) = command.get_current_dir() {
        other.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other.stdin(std::process::Stdio::null());
    other
}

/// What must never stand in the log of a gateway, and the rule it breaks.
const ALARMS: [(&str, Rule); 5] = [
    ("panicked", Rule::Broken),
    ("\"code\":\"internal\"", Rule::Broken),
    ("this replica cannot go on", Rule::Broken),
    ("a cached unread count was wrong", Rule::Unread),
    ("a log was found to be another", Rule::Fork),
];

/// Keeps the log in a file, and looks for what must not be in it.
async fn read_log(
    mut log: mpsc::UnboundedReceiver<String>,
    number: usize,
    folder: PathBuf,
    history: Arc<History>,
) {
    use std::io::Write;
    let path = folder.join(format!("gateway-{number}.log"));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    while let Some(line) = log.recv().await {
        for (alarm, rule) in ALARMS {
            if line.contains(alarm) {
                history.violation(rule, format!("gateway {number} logged: {line}"));
            }
        }
        let _ = writeln!(file, "{line}");
    }
}

/// What a gateway takes of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Footprint {
    /// KiB.
    pub rss: u64,
    pub descriptors: usize,
    pub threads: usize,
    pub tasks: f64,
}

impl Gateway {
    pub async fn footprint(&self) -> Option<Footprint> {
        let id = self.process_id()?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Some(Footprint {
            rss: figure("VmRSS:")?,
            descriptors: std::fs::read_dir(format!("/proc/{id}/fd")).ok()?.count(),
            threads: usize::try_from(figure("Threads:")?).ok()?,
            tasks: self.metric("parley_runtime_tasks").await?,
        })
    }
}

/// Entries that were looked for in the store.
const FOUND: &str = "parley_gap_entries_total{source=\"store\"}";

impl World {
    /// Keeps the largest memory seen, and counts what was found by looking: until
    /// the run is over.
    pub async fn observe(self: Arc<Self>, every: Duration) {
        let mut found = [(None, 0.0); GATEWAYS];
        loop {
            super::pause(every).await;
            for gateway in &self.gateways {
                let Some(footprint) = gateway.footprint().await else { continue };
                self.figures.peak_rss.fetch_max(footprint.rss, Relaxed);
                let Some(now) = gateway.metric(FOUND).await else { continue };
                let (process, before) = &mut found[gateway.number];
                if *process != gateway.process_id() {
                    (*process, *before) = (gateway.process_id(), 0.0);
                }
                self.figures.found.fetch_add((now - *before) as u64, Relaxed);
                *before = now;
            }
        }
    }

    /// Sessions of the gateways at Postgres.
    pub async fn sessions(&self) -> Option<i64> {
        let mut connection = self.sql().await.ok()?;
        let count = "select count(*) from pg_stat_activity
            where backend_type = 'client backend' and pid <> pg_backend_pid()";
        sqlx::query_scalar(count).fetch_one(&mut connection).await.ok()
    }
}
