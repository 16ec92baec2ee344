//! What the tests share: named time limits, waiting for a condition, the
//! repository's files, the gateway as a process.

pub mod client;
pub mod cluster;
pub mod limits;
pub mod postgres;
pub mod process;

use std::{fs, path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep_until};

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

/// Waits until `condition` yields something; fails with `what` after `limit`,
/// one of [`limits`].
pub async fn eventually<T>(
    limit: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let (begun, mut pause) = (Instant::now(), Duration::from_millis(5));
    loop {
        if let Some(it) = condition().await {
            return it;
        }
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        sleep_until(Instant::now() + pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
