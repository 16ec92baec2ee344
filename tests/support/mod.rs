//! What the tests share: named time limits, waiting for a condition, the
//! repository's files, the gateway as a process, the servers it needs.

pub mod client;
pub mod cluster;
pub mod disk;
pub mod haproxy;
pub mod limits;
pub mod otlp;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod redis;
mod run;

use std::{fs, path::PathBuf, time::Duration};

use tokio::time::{sleep, timeout};

/// The top of the repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Compares a generated file with what it should hold; `make gen` writes it.
pub fn reproduces(path: &str, content: &str) {
    let file = repository().join(path);
    if std::env::var_os("PARLEY_GENERATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == content, "{path} is out of date: run `make gen`");
}

/// How often [`eventually`] looks.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` finds something; fails, naming `what`, after `limit`, one
/// of [`limits`].
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let search = async {
        loop {
            match look().await {
                Some(found) => return found,
                None => sleep(LOOK).await,
            }
        }
    };
    match timeout(limit, search).await {
        Ok(found) => found,
        Err(_) => panic!("not within {limit:?}: {what}"),
    }
}
