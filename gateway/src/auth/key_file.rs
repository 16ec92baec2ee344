//! The file that holds the signing keys, and what the command line does to it:
//!
//! ```json
//! {"keys": [{"kid": "20261123-0f3a9c21", "secret": "…base64url…",
//!            "created_at": "2026-11-23T14:02:07.120Z",
//!            "active_from": "2026-11-23T14:03:37.120Z"}]}
//! ```

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::keys::{BadKey, Key, KeySet};
use crate::model::{Secret, Timestamp};

/// A new key signs only after this long, so that no replica is shown a
/// signature by a key it has not read yet (a mounted secret takes a minute).
pub const ROTATION_LEAD: Duration = Duration::from_secs(90);
/// Nothing that a key signed lives longer than this after it stopped signing.
const RETIRED_AFTER: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("the keys file {path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("the keys file {path} exists already; `gateway keys rotate` adds a key to it")]
    Exists { path: PathBuf },
    #[error("the keys file {path}: {error}")]
    Bad { path: PathBuf, error: BadKey },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kid: String,
    secret: Secret,
    created_at: Timestamp,
    active_from: Timestamp,
}

/// What `keys list` shows of a key.
#[derive(Clone, Debug, Serialize)]
pub struct ListedKey {
    pub kid: String,
    pub created_at: Timestamp,
    pub active_from: Timestamp,
    /// Whether it is the one that signs now.
    pub signs: bool,
}

/// Makes a new file with one key, readable by its owner only; its kid.
pub fn generate(path: &Path, now: Timestamp) -> Result<String, KeyFileError> {
    let key = Key::generate(now, now).map_err(|error| bad(path, error))?;
    let kid = key.kid.clone();
    let set = KeySet::new(vec![key]).map_err(|error| bad(path, error))?;
    let mut file = create(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.into() },
        _ => KeyFileError::Io { path: path.into(), error },
    })?;
    write(&mut file, &set).map_err(|error| {
        let _ = std::fs::remove_file(path);
        KeyFileError::Io { path: path.into(), error }
    })?;
    Ok(kid)
}

/// Adds a key that signs from [`ROTATION_LEAD`] on, keeps those that may still
/// be needed; the new kid.
pub fn rotate(path: &Path, now: Timestamp) -> Result<String, KeyFileError> {
    let old = load(path)?;
    let io = |error| KeyFileError::Io { path: path.into(), error };
    let key = Key::generate(now, now + ROTATION_LEAD).map_err(|error| bad(path, error))?;
    let kid = key.kid.clone();
    let mut keys: Vec<_> = old.into_keys().into_iter().map(|key| (key.active_from, key)).collect();
    keys.sort_by_key(|(from, _)| *from);
    // A key signs until the next one comes into force.
    let ends: Vec<_> = keys.iter().skip(1).map(|(from, _)| Some(*from)).chain([None]).collect();
    let mut kept: Vec<Key> = keys
        .into_iter()
        .zip(ends)
        .filter(|(_, end)| end.is_none_or(|end| now.since(end) < RETIRED_AFTER))
        .map(|((_, key), _)| key)
        .collect();
    kept.push(key);
    let set = KeySet::new(kept).map_err(|error| bad(path, error))?;
    // Whole or not at all: a replica may be reading.
    let beside = path.with_extension(format!("{kid}.new"));
    let written = create(&beside)
        .and_then(|mut file| write(&mut file, &set))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written.map_err(io)?;
    Ok(kid)
}

pub fn list(path: &Path, now: Timestamp) -> Result<Vec<ListedKey>, KeyFileError> {
    let set = load(path)?;
    let signing = set.signing(now).kid.clone();
    Ok(set
        .iter()
        .map(|key| ListedKey {
            kid: key.kid.clone(),
            created_at: key.created_at,
            active_from: key.active_from,
            signs: key.kid == signing,
        })
        .collect())
}

pub fn load(path: &Path) -> Result<KeySet, KeyFileError> {
    read(path).map(|(set, _)| set)
}

/// The keys, and the bytes they were read from.
pub(super) fn read(path: &Path) -> Result<(KeySet, Vec<u8>), KeyFileError> {
    let content =
        std::fs::read(path).map_err(|error| KeyFileError::Io { path: path.into(), error })?;
    let set = parse(&content).map_err(|error| bad(path, error))?;
    Ok((set, content))
}

/// Says nothing of the content beyond line, column and field names: serde's own
/// sentence may quote a secret.
pub(super) fn parse(content: &[u8]) -> Result<KeySet, BadKey> {
    let document: Document = serde_json::from_slice(content).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        BadKey(format!(
            "it is not a keys file (line {line}, column {column}); \
             make one with `gateway keys generate`"
        ))
    })?;
    let keys = document.keys.into_iter().map(|entry| {
        let secret = entry.secret.expose().trim_end_matches('=');
        let secret = URL_SAFE_NO_PAD
            .decode(secret)
            .map_err(|_| BadKey(format!("the secret of key {:?} is not base64url", entry.kid)))?;
        Key::new(entry.kid, secret, entry.created_at, entry.active_from)
    });
    KeySet::new(keys.collect::<Result<_, _>>()?)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn write(file: &mut File, set: &KeySet) -> io::Result<()> {
    let keys = set.iter().map(|key| Entry {
        kid: key.kid.clone(),
        secret: Secret::new(key.encoded_secret()),
        created_at: key.created_at,
        active_from: key.active_from,
    });
    let mut text = serde_json::to_vec_pretty(&Document { keys: keys.collect() })?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_all()
}

fn bad(path: &Path, error: BadKey) -> KeyFileError {
    KeyFileError::Bad { path: path.into(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).expect("a time")
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        (folder, path)
    }

    #[test]
    fn a_generated_file_is_private_loads_and_is_not_overwritten() {
        let (_folder, path) = folder();
        let kid = generate(&path, now()).expect("generated");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = path.metadata().expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(load(&path).expect("loads").contains(&kid));
        assert!(matches!(generate(&path, now()), Err(KeyFileError::Exists { .. })));
        assert!(load(&path).expect("still there").contains(&kid));
    }

    #[test]
    fn rotation_keeps_old_keys_until_nothing_they_signed_lives() {
        let (folder, path) = folder();
        let first = generate(&path, now()).expect("generated");
        let second = rotate(&path, now()).expect("rotated");
        let set = load(&path).expect("loads");
        assert!(set.contains(&first) && set.contains(&second));
        assert_eq!(set.signing(now()).kid, first, "replicas have not read the new one yet");
        assert_eq!(set.signing(now() + ROTATION_LEAD).kid, second);

        let later = now() + RETIRED_AFTER + 2 * ROTATION_LEAD;
        let third = rotate(&path, later).expect("rotated");
        let kids: Vec<_> =
            list(&path, later).expect("a list").into_iter().map(|k| (k.kid, k.signs)).collect();
        assert_eq!(kids, [(second, true), (third, false)]);
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            1,
            "nothing is left beside"
        );
    }

    #[test]
    fn a_bad_file_says_what_is_wrong_and_no_secret() {
        let (_folder, path) = folder();
        let weak = r#"{"keys":[{"kid":"a","secret":"c2VjcmV0","created_at":"2026-01-01T00:00:00Z","active_from":"2026-01-01T00:00:00Z"}]}"#;
        for (content, expected) in [
            ("", "not a keys file"),
            ("{\"keys\":[]}", "holds no key"),
            ("{\"keys\":[{\"kid\":\"a\",\"secret\":12345}]}", "not a keys file"),
            (weak, "shorter than 32 bytes"),
            (&weak.replace("c2VjcmV0", "!!"), "not base64url"),
        ] {
            std::fs::write(&path, content).expect("written");
            let error = load(&path).expect_err("bad").to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("c2VjcmV0") && !error.contains("12345"), "{error}");
        }
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(load(&path), Err(KeyFileError::Io { .. })));
    }
}
