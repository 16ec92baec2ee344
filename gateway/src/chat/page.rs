//! Opaque cursors of keyset pages.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    model::{Page, limits},
    problem::{Code, Problem},
};

/// Longest cursor looked at; ours are far shorter.
const CURSOR_CHARS: usize = 400;
/// U+0000 as JSON has to write it.
const NUL: &[u8] = br"\u0000";

pub(super) fn encode(key: &impl Serialize) -> Option<String> {
    serde_json::to_vec(key).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

pub(super) fn decode<K: DeserializeOwned>(page: Option<&str>) -> Result<Option<K>, Problem> {
    let refuse = || Problem::new(Code::InvalidCursor, "Use the `next` of the page before.");
    let Some(page) = page else { return Ok(None) };
    if page.len() > CURSOR_CHARS {
        return Err(refuse());
    }
    let json = URL_SAFE_NO_PAD.decode(page).map_err(|_| refuse())?;
    // Postgres takes no U+0000, and no key of ours has one.
    if json.windows(NUL.len()).any(|part| part == NUL) {
        return Err(refuse());
    }
    serde_json::from_slice(&json).map(Some).map_err(|_| refuse())
}

/// `limit` as asked, or the default; refused outside 1 to 200.
pub(super) fn check_limit(limit: i64) -> Result<i64, Problem> {
    if (1..=limits::PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::field("limit", format!("must be from 1 to {}", limits::PAGE_MAX)))
}

/// Makes a page of what was read with one item more than asked for.
pub(super) fn cut<T, K: Serialize>(
    mut items: Vec<T>,
    limit: i64,
    key: impl Fn(&T) -> K,
) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or_default();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).and_then(|last| encode(&key(last)));
    Page { items, next }
}
