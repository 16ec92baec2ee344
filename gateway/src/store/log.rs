//! Ranges of a log, as devices and replicas catch up with it.

use super::{
    Head, LogRange, Reader, Result, Store,
    error::broken,
    message::{MessageRow, message_columns},
    sql::{Conn, Ids, Joined, Sql, fetch, sql},
};
use crate::model::*;

/// Everything about a range in *one statement*, and so of one moment: two reads
/// of the two tables would show holes that are none. The top of the log, the
/// entry at the position, the reader's membership, and the entries of seqs `$2`
/// (exclusive) to `$3`; the first row comes even when there are no entries.
const RANGE: Sql = sql!(
    "with top as (
        select c.last_seq, c.last_event_id, p.joined_seq, p.left_seq,
            coalesce(
                (select m.id from messages m where m.conversation_id = $1 and m.seq = $2),
                (select h.id from message_changes h where h.conversation_id = $1 and h.seq = $2)
            ) as anchor_id
        from conversations c
        left join conversation_participants p on p.conversation_id = c.id and p.user_id = $4
        where c.id = $1
    ), entries as (
        select m.seq as entry_seq, m.id as event_id, null as change_kind, null as actor_id,
            " (use message_columns) "
        from messages m
        where m.conversation_id = $1 and m.seq > $2 and m.seq <= $3
        union all
        select h.seq, h.id, h.kind, h.actor_id, " (use message_columns) "
        from message_changes h
        join messages m on m.conversation_id = h.conversation_id and m.seq = h.target_seq
        where h.conversation_id = $1 and h.seq > $2 and h.seq <= $3
    )
    select top.last_seq, top.last_event_id, top.joined_seq, top.left_seq, top.anchor_id, entries.*
    from top left join entries on true
    order by entries.entry_seq"
);

const HEADS: Sql = sql!("select id, last_seq, last_event_id from conversations where id" (any "$1") " order by id");

#[derive(sqlx::FromRow)]
struct RangeRow {
    last_seq: Seq,
    last_event_id: EventId,
    joined_seq: Option<Seq>,
    left_seq: Option<Seq>,
    anchor_id: Option<EventId>,
    #[sqlx(flatten)]
    entry: Joined<EntryRow>,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    entry_seq: Seq,
    event_id: EventId,
    change_kind: Option<Change>,
    actor_id: Option<UserId>,
    #[sqlx(flatten)]
    message: MessageRow,
}

impl Store {
    /// One statement. `after` null event id: right before the reader's first
    /// entry (or the log's, seq 0), nothing to verify there.
    pub async fn log_range(
        &self,
        id: ConversationId,
        after: Cursor,
        reader: Option<Reader>,
        limit: i64,
    ) -> Result<LogRange> {
        let (user, to) = (reader.map(|r| r.user_id), after.seq.saturating_add(limit));
        self.read(move |conn| {
            Box::pin(async move {
                let rows: Vec<RangeRow> = fetch!(all, conn, RANGE, id, after.seq, to, user)?;
                verify(id, after, reader, to, rows)
            })
        })
        .await
    }

    /// Those of `ids` that exist, by id.
    pub async fn heads(&self, ids: &[ConversationId]) -> Result<Vec<Head>> {
        let ids: Ids = ids.iter().collect();
        self.read(|conn| Box::pin(async move { heads(conn, &ids).await })).await
    }
}

async fn heads(conn: &mut Conn, ids: &Ids) -> Result<Vec<Head>> {
    let rows: Vec<(ConversationId, Seq, EventId)> = fetch!(all, conn, HEADS, ids)?;
    let head = |(conversation_id, seq, event_id)| Head { conversation_id, seq, event_id };
    Ok(rows.into_iter().map(head).collect())
}

/// Answers only what can be answered without a gap: the reader's interval still
/// runs, the log holds the position, and the entries are dense up to `to` or to
/// the top.
fn verify(
    id: ConversationId,
    after: Cursor,
    reader: Option<Reader>,
    to: Seq,
    rows: Vec<RangeRow>,
) -> Result<LogRange> {
    let Some(top) = rows.first() else {
        return Ok(LogRange::Gone { left_seq: None });
    };
    let head = Head { conversation_id: id, seq: top.last_seq, event_id: top.last_event_id };
    if let Some(reader) = reader
        && (top.joined_seq != Some(reader.joined_seq) || top.left_seq.is_some())
    {
        return Ok(LogRange::Gone { left_seq: top.left_seq });
    }
    let elsewhere = after.event_id.is_some() && top.anchor_id != after.event_id;
    if after.seq < 0 || after.seq > head.seq || elsewhere {
        return Ok(LogRange::Fork { head });
    }

    let mut below = top.anchor_id;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows.into_iter().filter_map(|row| row.entry.0) {
        let change = row.change_kind.zip(row.actor_id);
        entries.push(LogEntry {
            seq: row.entry_seq,
            event_id: row.event_id,
            prev_event_id: below.replace(row.event_id),
            message: row.message.into(),
            change: change.map(|(kind, actor)| LogChange { kind, actor }),
        });
    }
    let expected = after.seq + 1..=to.min(head.seq);
    if !entries.iter().map(|entry| entry.seq).eq(expected) {
        return Err(broken(format!("the log of {id} has a hole above {}", after.seq)));
    }
    if to >= head.seq && below != Some(head.event_id) {
        return Err(broken(format!("the log of {id} does not end with its last event")));
    }
    Ok(LogRange::Entries { entries, head })
}
