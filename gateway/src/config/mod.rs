//! The configuration: flag > environment > `.env` > TOML file > default. Every
//! mistake is a sentence, found before anything is opened or bound.

pub mod catalogue;
mod check;
mod layers;
mod show;
pub mod values;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use layers::Sources;
pub use values::SecretUrl;

/// What is wrong, a sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<String>);

impl ConfigError {
    fn one(sentence: String) -> Self {
        Self(vec![sentence])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Auto,
    Json,
    Text,
}

/// Everything a replica is told, complete and checked: no field is left empty
/// for somebody else to fill. What each means stands in `config.default.toml`.
///
/// Safe to print: passwords inside URLs are not shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(with = "values::address")]
    pub listen: SocketAddr,
    #[serde(with = "values::address")]
    pub admin_listen: SocketAddr,
    /// Empty, as the next: no TLS.
    pub tls_certificate_file: PathBuf,
    pub tls_key_file: PathBuf,
    /// `https://chat.example.org`, in lower case, without a path.
    #[serde(with = "values::list")]
    pub allowed_origins: Vec<String>,
    #[serde(with = "values::list")]
    pub trusted_proxies: Vec<IpNet>,

    pub data_dir: PathBuf,
    pub database_url: SecretUrl,
    pub database_max_connections: u32,
    /// Empty: none.
    pub redis_url: SecretUrl,
    #[serde(with = "values::duration")]
    pub feed_interval: Duration,

    pub keys_file: PathBuf,
    pub registration: Registration,
    #[serde(with = "values::switch")]
    pub rate_limits: bool,
    #[serde(with = "values::duration")]
    pub access_token_ttl: Duration,
    #[serde(with = "values::duration")]
    pub refresh_token_ttl: Duration,
    pub max_devices_per_user: u32,
    pub password_hashers: usize,

    pub replica: String,
    pub max_connections: usize,
    pub max_connections_per_user: usize,
    pub resumes_at_once: usize,
    pub resumes_waiting: usize,
    #[serde(with = "values::duration")]
    pub resume_patience: Duration,
    #[serde(with = "values::duration")]
    pub header_timeout: Duration,
    #[serde(with = "values::duration")]
    pub request_timeout: Duration,
    #[serde(with = "values::duration")]
    pub heartbeat_interval: Duration,
    #[serde(with = "values::duration")]
    pub idle_timeout: Duration,
    #[serde(with = "values::duration")]
    pub stalled_timeout: Duration,
    #[serde(with = "values::duration")]
    pub presence_offline_after: Duration,
    #[serde(with = "values::duration")]
    pub drain_window: Duration,
    /// Connections a second; 0: no cap.
    pub drain_rate: u32,
    /// Zero: without end.
    #[serde(with = "values::duration")]
    pub max_connection_age: Duration,

    pub log_level: String,
    pub log_format: LogFormat,
}

/// A configuration and where each value came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// By key: "the environment variable PARLEY_LISTEN".
    pub origins: BTreeMap<&'static str, String>,
}

impl Config {
    /// Reads all layers, fills what is derived, checks the whole.
    pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
        let figment = layers::collect(sources)?;
        // Lossy: numbers arrive as text from the environment.
        let mut config: Self = figment.extract_lossy().map_err(explain)?;
        let origin = |key| match figment.find_metadata(key) {
            Some(metadata) => metadata.name.to_string(),
            None => "the default".to_owned(),
        };
        let mut origins: BTreeMap<_, _> = catalogue::settings()
            .iter()
            .map(|setting| (setting.key, origin(setting.key)))
            .collect();
        for (key, from) in config.derive() {
            origins.insert(key, from.to_owned());
        }
        let problems = check::problems(&config);
        if problems.is_empty() {
            Ok(Loaded { config, origins })
        } else {
            Err(ConfigError(problems))
        }
    }

    /// The defaults with everything in one folder and on ports the system
    /// chooses: embedded mode, as tests start it.
    pub fn embedded(data_dir: &Path) -> Result<Self, ConfigError> {
        let flag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let flags = vec![
            flag("listen", "127.0.0.1:0"),
            flag("admin_listen", "127.0.0.1:0"),
            flag("data_dir", &data_dir.display().to_string()),
        ];
        let sources = Sources { flags, directory: data_dir.to_owned(), ..Sources::default() };
        Ok(Self::load(&sources)?.config)
    }

    /// Whether this is one process on SQLite, which creates what it lacks.
    pub fn is_embedded(&self) -> bool {
        self.database_url.scheme() == "sqlite"
    }

    /// Fills what follows from other settings or from the machine, and says why.
    fn derive(&mut self) -> Vec<(&'static str, &'static str)> {
        let mut derived = Vec::new();
        if self.database_url.is_empty() {
            let file = self.data_dir.join("parley.db");
            self.database_url = SecretUrl::new(format!("sqlite://{}", file.display()));
            derived.push(("database_url", "the default, in data_dir"));
        }
        if self.keys_file.as_os_str().is_empty() {
            self.keys_file = self.data_dir.join("keys.json");
            derived.push(("keys_file", "the default, in data_dir"));
        }
        if self.password_hashers == 0 {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            self.password_hashers = cores.min(4);
            derived.push(("password_hashers", "the default, from the number of cores"));
        }
        if self.resumes_at_once == 0 {
            self.resumes_at_once = match self.is_embedded() {
                true => SQLITE_RESUMES,
                // Half of its time a resume waits for Redis.
                false => usize::try_from(self.database_max_connections).unwrap_or(1).min(500) * 2,
            };
            derived.push(("resumes_at_once", "the default, from what the database takes"));
        }
        if self.replica.is_empty() {
            self.replica = replica_name();
            derived.push(("replica", "the default, made at this start"));
        }
        let origins = self.allowed_origins.iter();
        self.allowed_origins = origins.map(|origin| origin.to_lowercase()).collect();
        derived
    }
}

/// What reads of SQLite go on at once.
const SQLITE_RESUMES: usize = 4;

/// The host's name and a random part: two starts on one host never share it.
fn replica_name() -> String {
    let from_file = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = std::env::var("HOSTNAME").ok().or_else(from_file).unwrap_or_default();
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let host: String = host.trim().chars().filter(allowed).take(48).collect();
    let host = if host.is_empty() { "replica".to_owned() } else { host };
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{host}-{}", &random[..6])
}

/// A sentence for a value that cannot be what its setting needs.
fn explain(error: figment::Error) -> ConfigError {
    use figment::error::Kind;

    let sentence = |error: figment::Error| {
        let key = error.path.last().cloned().unwrap_or_else(|| "A setting".to_owned());
        let origin = error.metadata.as_ref().map_or("somewhere", |metadata| &metadata.name);
        let reason = match error.kind {
            Kind::Message(message) => message,
            // The value itself is not shown: it may be a secret in the wrong place.
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
                format!("it must be {}", plain(&expected))
            }
            Kind::UnknownVariant(found, known) => {
                format!("`{found}` is none of {}", known.join(", "))
            }
            other => other.to_string(),
        };
        format!("{key} (from {origin}): {reason}.")
    };
    ConfigError(error.into_iter().map(sentence).collect())
}

/// serde's "usize" is no word for an operator.
fn plain(expected: &str) -> &str {
    match expected {
        "usize" | "u32" | "u64" => "a whole number, zero or more",
        other => other,
    }
}
