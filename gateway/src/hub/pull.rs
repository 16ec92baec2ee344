//! How a connection that is behind catches up: at its own pace, from its own
//! position, out of the ring or else the store.

use std::sync::Arc;

use super::{Hub, registry::Joined};
use crate::{
    model::{Cursor, Entry, Seq},
    store::{LogRange, Reader, Result},
};

/// What lies above a position, for one reader.
pub enum Pulled {
    /// Dense from the position on; `complete` when they reach the head.
    Entries { entries: Vec<Arc<Entry>>, complete: bool },
    /// The log does not hold the position.
    Fork,
    /// The reader's membership has ended.
    Gone { left_seq: Option<Seq> },
}

impl Hub {
    /// At most `limit` entries if they must be read from the store. Nothing is
    /// read there for a reader whose interval has ended:
    /// the same statement checks it.
    pub async fn pull(
        &self,
        joined: &Joined,
        position: Cursor,
        reader: Reader,
        limit: i64,
    ) -> Result<Pulled> {
        if let Some(entries) = joined.channel.read(position)
            && !entries.is_empty()
        {
            self.inner.metrics.gap_filled("ring", entries.len());
            // Shared with everyone who reads them: whatever their number, they
            // cost nothing here.
            return Ok(Pulled::Entries { entries, complete: true });
        }
        let id = joined.channel.id;
        let range = self.inner.store.log_range(id, position, Some(reader), limit).await?;
        Ok(match range {
            LogRange::Entries { entries, head } => {
                joined.compare(head.seq, head.event_id);
                self.inner.metrics.gap_filled("store", entries.len());
                let reached = entries.last().map_or(position.seq, |entry| entry.seq);
                let entries = entries.into_iter().map(Entry::encode).collect();
                Pulled::Entries { entries, complete: reached >= head.seq }
            }
            LogRange::Fork { .. } => Pulled::Fork,
            LogRange::Gone { left_seq } => Pulled::Gone { left_seq },
        })
    }
}
