//! What must be true before a replica runs. Each failure is a sentence for an
//! operator and an exit code.

use std::{
    fs::{self, File, TryLockError},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{net::TcpListener, time::sleep};
use tracing::{info, warn};

use crate::{
    auth::{Keys, key_file::KeyFileError},
    clock::Clock,
    config::Config,
    server::Tls,
    store::{SchemaStatus, Store, StoreError, StoreOptions},
};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something an operator must set differently: exit code 2.
    #[error("{0}")]
    Configuration(String),
    /// The database belongs to another version: exit code 3.
    #[error("{0}")]
    Schema(String),
    /// The world is not as it must be, or a part died: exit code 1.
    #[error("{0}")]
    Runtime(String),
}

impl StartError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Runtime(_) => 1,
            Self::Configuration(_) => 2,
            Self::Schema(_) => 3,
        }
    }
}

/// Binds the address of a setting, or says who is in the way.
pub async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|why| {
        let variable = crate::config::catalogue::variable(setting);
        let reason = match why.kind() {
            io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
            io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege".to_owned(),
            _ => why.to_string(),
        };
        StartError::Runtime(format!(
            "Cannot listen on {address}: {reason}. Set {setting} ({variable}) to another address."
        ))
    })
}

/// Files a replica has open besides its connections: databases, logs, keys.
const OTHER_FILES: u64 = 256;

/// Every connection is an open file, and many systems allow 1,024 unless one
/// asks for more. Asks, and warns when it is not enough for the cap.
pub fn raise_file_limit(config: &Config) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let needed = config.max_connections as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    // None: without a limit.
    let allowed = limit.maximum.unwrap_or(u64::MAX).min(needed);
    if limit.current.is_some_and(|current| current < allowed) {
        let raised = Rlimit { current: Some(allowed), maximum: limit.maximum };
        if let Err(why) = setrlimit(Resource::Nofile, raised) {
            warn!(%why, "the limit of open files cannot be raised");
        }
    }
    if allowed < needed {
        warn!(
            allowed,
            needed, "fewer open files are allowed than max_connections needs; raise the hard limit"
        );
    }
}

/// Opens the store without asking the server; makes the folder of an embedded
/// one.
pub fn open_store(config: &Config) -> Result<Store, StartError> {
    if let Some(file) = database_file(config) {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            private_folder(folder)?;
        }
    }
    let options = StoreOptions {
        url: config.database_url.expose().to_owned(),
        max_connections: config.database_max_connections,
        connect_timeout: CONNECT_LIMIT,
    };
    Store::open(&options).map_err(|why| {
        StartError::Configuration(format!(
            "The database {} cannot be used: {why}.",
            config.database_url
        ))
    })
}

/// Embedded: applies what is missing. Postgres: refuses a schema that lacks
/// something; one that is ahead serves this version too, as migrations only
/// add.
pub async fn prepare_schema(config: &Config, store: &Store) -> Result<(), StartError> {
    if config.is_embedded() {
        let applied = store.migrate().await.map_err(|why| unavailable(config, &why))?;
        if !applied.is_empty() {
            info!(migrations = applied.len(), "schema prepared");
        }
        return Ok(());
    }
    let status = store.schema_status().await.map_err(|why| unavailable(config, &why))?;
    check_schema(&status)
}

/// The same for a replica, which waits for a Postgres that is still starting.
/// The startup probe bounds the patience.
pub async fn await_schema(config: &Config, store: &Store) -> Result<(), StartError> {
    let mut wait = Duration::from_millis(250);
    loop {
        match store.schema_status().await {
            _ if config.is_embedded() => return prepare_schema(config, store).await,
            Ok(status) => return check_schema(&status),
            Err(StoreError::Unavailable(why)) => {
                warn!(why, retry_in = ?wait, "the database does not answer yet");
                sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(5));
            }
            Err(why) => return Err(unavailable(config, &why)),
        }
    }
}

fn check_schema(status: &SchemaStatus) -> Result<(), StartError> {
    if !status.ahead.is_empty() {
        warn!(versions = ?status.ahead, "the schema is ahead of this version");
    }
    if status.pending.is_empty() {
        return Ok(());
    }
    Err(StartError::Schema(format!(
        "The database's schema is behind this version ({} missing). Run `gateway migrate` once, \
         then start the replicas.",
        status.pending.join(", ")
    )))
}

fn unavailable(config: &Config, why: &StoreError) -> StartError {
    StartError::Runtime(format!("The database {} cannot be used: {why}.", config.database_url))
}

/// Makes this process the one that serves an embedded database, for as long as
/// the file is held. Nothing to claim on Postgres.
pub fn claim(config: &Config) -> Result<Option<File>, StartError> {
    let Some(database) = database_file(config) else { return Ok(None) };
    let mut path = database.into_os_string();
    path.push(".lock");
    let path = PathBuf::from(path);
    let cannot = |why: io::Error| {
        StartError::Runtime(format!("The file {} cannot be locked: {why}.", path.display()))
    };
    let lock = File::create(&path).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(StartError::Runtime(format!(
            "Another gateway serves {} already; one process may. For several replicas use \
             Postgres (PARLEY_DATABASE_URL).",
            config.database_url
        ))),
        Err(TryLockError::Error(why)) => Err(cannot(why)),
    }
}

/// With Postgres the replicas must share one key file, so none makes its own.
pub fn require_keys_file(config: &Config) -> Result<(), StartError> {
    if config.is_embedded() || config.keys_file.exists() {
        return Ok(());
    }
    Err(StartError::Configuration(format!(
        "There is no key file {}. Run `gateway keys generate` once and give the file to every \
         replica (keys_file, PARLEY_KEYS_FILE).",
        config.keys_file.display()
    )))
}

/// Opens the key file; an embedded replica makes one where there is none.
pub fn open_keys(config: &Config, clock: &Clock) -> Result<Keys, StartError> {
    require_keys_file(config)?;
    let path = &config.keys_file;
    if config.is_embedded() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.map(private_folder).transpose()?;
        return Keys::open_or_generate(path, clock.now()).map_err(bad_keys);
    }
    Keys::open(path).map_err(bad_keys)
}

/// The certificate of the public listener, if it is to have one.
pub fn open_tls(config: &Config) -> Result<Option<Tls>, StartError> {
    let (certificate, key) = (&config.tls_certificate_file, &config.tls_key_file);
    if certificate.as_os_str().is_empty() {
        return Ok(None);
    }
    let opened = Tls::open(certificate, key);
    opened.map(Some).map_err(|why| StartError::Configuration(format!("TLS: {why}.")))
}

fn bad_keys(why: KeyFileError) -> StartError {
    StartError::Configuration(why.to_string())
}

/// The file of an embedded database; none for Postgres and for memory.
fn database_file(config: &Config) -> Option<PathBuf> {
    let url = config.database_url.expose();
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    let path = path.split('?').next().unwrap_or_default();
    (!path.is_empty() && !path.contains(":memory:")).then(|| PathBuf::from(path))
}

/// Makes a folder that only its owner may enter; one that exists stays as it is.
pub fn private_folder(folder: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;

    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|why| {
        StartError::Runtime(format!("The folder {} cannot be made: {why}.", folder.display()))
    })
}
