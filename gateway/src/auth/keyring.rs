//! The keys in use: read again when their file changes, so that rotation logs
//! nobody out and a removed key ends what it opened.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch;
use uuid::Uuid;

use super::{
    key_file::{self, KeyFileError},
    keys::{Key, KeySet},
};
use crate::model::Timestamp;

/// Handle to the current [`KeySet`]; clones share it.
#[derive(Clone)]
pub struct Keys {
    file: Option<Arc<Opened>>,
    set: Arc<watch::Sender<Arc<KeySet>>>,
    /// Tells this holder of the keys from the others, whose clocks differ.
    holder: Uuid,
}

/// The file as it was when it was opened.
struct Opened {
    path: PathBuf,
    content: Vec<u8>,
}

impl Keys {
    /// Keys of no file, never changing by themselves: for tests and tools.
    pub fn fixed(set: KeySet) -> Self {
        let set = Arc::new(watch::Sender::new(Arc::new(set)));
        Self { file: None, set, holder: Uuid::now_v7() }
    }

    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let (set, content) = key_file::read(path)?;
        let file = Some(Arc::new(Opened { path: path.into(), content }));
        Ok(Self { file, ..Self::fixed(set) })
    }

    /// Makes the file when it is missing: the embedded mode.
    pub fn open_or_generate(path: &Path, now: Timestamp) -> Result<Self, KeyFileError> {
        match key_file::generate(path, now) {
            Ok(kid) => tracing::info!(%kid, path = %path.display(), "made a new signing key"),
            Err(KeyFileError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
        Self::open(path)
    }

    pub fn holder(&self) -> Uuid {
        self.holder
    }

    pub fn current(&self) -> Arc<KeySet> {
        self.set.borrow().clone()
    }

    pub fn find(&self, kid: &str) -> Option<Arc<Key>> {
        self.set.borrow().find(kid).cloned()
    }

    pub fn signing(&self, now: Timestamp) -> Arc<Key> {
        self.set.borrow().signing(now).clone()
    }

    /// Wakes at every change of the set.
    pub fn changes(&self) -> watch::Receiver<Arc<KeySet>> {
        self.set.subscribe()
    }

    /// Another set from now on.
    pub fn replace(&self, set: KeySet) {
        self.set.send_replace(Arc::new(set));
    }

    /// Looks at the file every `interval`, for ever. One that cannot be used
    /// changes nothing and is logged once.
    pub async fn follow(self, interval: Duration) {
        let Some(file) = self.file.clone() else {
            return std::future::pending().await;
        };
        let path = &file.path;
        let mut seen = file.content.clone();
        let mut complaint = String::new();
        loop {
            tokio::time::sleep(interval).await;
            // Compared by content: a mounted secret is a link whose own times
            // do not move. It is a few hundred bytes.
            let read = match tokio::fs::read(path).await {
                Ok(content) if content == seen && complaint.is_empty() => continue,
                Ok(content) => key_file::parse(&content).map(|set| (set, content)),
                Err(error) => Err(super::keys::BadKey(error.to_string())),
            };
            match read {
                Ok((set, content)) => {
                    complaint.clear();
                    if content != seen {
                        tracing::info!(keys = ?set, "the signing keys have changed");
                        self.replace(set);
                        seen = content;
                    }
                }
                Err(error) if error.to_string() == complaint => {}
                Err(error) => {
                    complaint = error.to_string();
                    let path = path.display();
                    tracing::error!(%path, error = %complaint, "the signing keys stay as they were");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(5);
    const LIMIT: Duration = Duration::from_secs(10);

    fn now() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).expect("a time")
    }

    #[tokio::test]
    async fn a_changed_file_is_read_again_and_a_bad_one_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        let keys = Keys::open_or_generate(&path, now()).expect("keys");
        let first = keys.signing(now()).kid.clone();
        let mut changes = keys.changes();
        let follower = tokio::spawn(keys.clone().follow(TICK));

        let second = key_file::rotate(&path, now()).expect("rotated");
        tokio::time::timeout(LIMIT, changes.changed()).await.expect("in time").expect("followed");
        assert!(keys.find(&first).is_some() && keys.find(&second).is_some());

        std::fs::write(&path, "{").expect("written");
        let quiet = tokio::time::timeout(20 * TICK, changes.changed()).await;
        assert!(quiet.is_err(), "an unreadable file changes nothing");
        assert!(keys.find(&first).is_some());

        std::fs::remove_file(&path).expect("removed");
        let third = key_file::generate(&path, now()).expect("generated");
        tokio::time::timeout(LIMIT, changes.changed()).await.expect("in time").expect("followed");
        assert!(keys.find(&first).is_none() && keys.find(&third).is_some());
        follower.abort();
    }

    #[test]
    fn an_existing_file_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        let kid = key_file::generate(&path, now()).expect("generated");
        let keys = Keys::open_or_generate(&path, now()).expect("keys");
        assert!(keys.find(&kid).is_some());
    }
}
