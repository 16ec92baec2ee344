//! Ranges of logs, as devices and replicas catch up with them.

use super::{
    Head, LogRange, RangeQuery, Reader, Result, Store,
    error::broken,
    message::{MessageRow, message_columns},
    sql::{Conn, Ids, Joined, On, Sql, fetch, sql, text},
};
use crate::model::*;

/// The ranges that are asked for, as rows.
macro_rules! asked {
    (postgres) => {
        "select * from unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::uuid[])
            with ordinality
            as q (conversation_id, after_seq, to_seq, most, reader_id, place)"
    };
    (sqlite) => {
        "select unhex(value ->> 0) as conversation_id, value ->> 1 as after_seq,
            value ->> 2 as to_seq, value ->> 3 as most, unhex(value ->> 4) as reader_id,
            key as place
        from json_each($1)"
    };
}

/// Everything about all ranges in *one statement*, and so of one moment: two
/// reads of the two tables would show holes that are none. For each the top of
/// the log, the entry at the position, the reader's membership, and the entries
/// of seqs `after_seq` (exclusive) to `to_seq`, up to the one with which they
/// weigh `most`; its first row comes even when there are no entries.
macro_rules! ranges {
    ($dialect:ident) => {
        text!($dialect: "with asked as (" (use asked) "), found as (
            select q.place as range_place, m.seq as entry_seq, m.id as event_id,
                null as change_kind, null as actor_id, " (use message_columns) "
            from asked q join messages m
                on m.conversation_id = q.conversation_id
                    and m.seq > q.after_seq and m.seq <= q.to_seq
            union all
            select q.place, h.seq, h.id, h.kind, h.actor_id, " (use message_columns) "
            from asked q join message_changes h
                on h.conversation_id = q.conversation_id
                    and h.seq > q.after_seq and h.seq <= q.to_seq
            join messages m on m.conversation_id = h.conversation_id and m.seq = h.target_seq
        ), weighed as (
            select found.*, coalesce(sum(512 + coalesce(octet_length(body), 0)) over (
                partition by range_place order by entry_seq
                rows between unbounded preceding and 1 preceding), 0) as below
            from found
        )
        select q.place, c.last_seq, c.last_event_id, p.joined_seq, p.left_seq,
            coalesce(
                (select m.id from messages m
                    where m.conversation_id = q.conversation_id and m.seq = q.after_seq),
                (select h.id from message_changes h
                    where h.conversation_id = q.conversation_id and h.seq = q.after_seq)
            ) as anchor_id,
            weighed.*
        from asked q
        left join conversations c on c.id = q.conversation_id
        left join conversation_participants p
            on p.conversation_id = q.conversation_id and p.user_id = q.reader_id
        left join weighed on weighed.range_place = q.place and weighed.below < q.most
        order by q.place, weighed.entry_seq")
    };
}

const POSTGRES: &str = ranges!(postgres);
const SQLITE: &str = ranges!(sqlite);

const HEADS: Sql = sql!("select id, last_seq, last_event_id from conversations where id" (any "$1") " order by id");

#[derive(sqlx::FromRow)]
struct RangeRow {
    place: i64,
    /// Null when there is no such conversation.
    last_seq: Option<Seq>,
    last_event_id: Option<EventId>,
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

/// What one range weighs at most where nobody says.
const RANGE_WEIGHT: i64 = 1024 * 1024;

impl Store {
    /// One range of at most `limit` entries; see [`RangeQuery`].
    pub async fn log_range(
        &self,
        conversation_id: ConversationId,
        after: Cursor,
        reader: Option<Reader>,
        limit: i64,
    ) -> Result<LogRange> {
        let query = RangeQuery { conversation_id, after, reader, limit, weight: RANGE_WEIGHT };
        let ranges = self.log_ranges(&[query]).await?;
        ranges.into_iter().next().unwrap_or_else(|| Err(broken("a range for each query")))
    }

    /// One statement for all of them; answers in the order asked. One that
    /// cannot be answered is an error of its own.
    pub async fn log_ranges(&self, queries: &[RangeQuery]) -> Result<Vec<Result<LogRange>>> {
        let queries = queries.to_vec();
        self.read(|conn| {
            Box::pin(async move {
                let rows = ranges(conn, &queries).await?;
                let mut rows = rows.into_iter().peekable();
                let mut of_next = || -> Vec<RangeRow> {
                    let Some(first) = rows.next() else { return vec![] };
                    let place = first.place;
                    let mut all = vec![first];
                    while let Some(row) = rows.next_if(|row| row.place == place) {
                        all.push(row);
                    }
                    all
                };
                Ok(queries.iter().map(|query| verify(query, of_next())).collect())
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

impl RangeQuery {
    /// The highest seq it asks for.
    fn to(&self) -> Seq {
        self.after.seq.saturating_add(self.limit)
    }
}

async fn ranges(conn: &mut Conn, queries: &[RangeQuery]) -> Result<Vec<RangeRow>> {
    let reader = |query: &RangeQuery| query.reader.map(|reader| reader.user_id);
    let rows = match conn {
        On::Postgres(c) => {
            sqlx::query_as(POSTGRES)
                .bind(queries.iter().map(|q| q.conversation_id).collect::<Vec<_>>())
                .bind(queries.iter().map(|q| q.after.seq).collect::<Vec<_>>())
                .bind(queries.iter().map(RangeQuery::to).collect::<Vec<_>>())
                .bind(queries.iter().map(|q| q.weight).collect::<Vec<_>>())
                .bind(queries.iter().map(reader).collect::<Vec<_>>())
                .fetch_all(&mut **c)
                .await?
        }
        On::Sqlite(c) => {
            let rows: Vec<_> = queries
                .iter()
                .map(|q| {
                    let conversation = q.conversation_id.0.simple().to_string();
                    let reader = reader(q).map(|id| id.0.simple().to_string());
                    (conversation, q.after.seq, q.to(), q.weight, reader)
                })
                .collect();
            let rows = serde_json::to_string(&rows).map_err(|e| broken(e.to_string()))?;
            sqlx::query_as(SQLITE).bind(rows).fetch_all(&mut **c).await?
        }
    };
    Ok(rows)
}

/// Answers only what can be answered without a gap: the reader's interval still
/// runs, the log holds the position, and the entries are dense up to what was
/// asked for, to the top, or to what they may weigh.
fn verify(query: &RangeQuery, rows: Vec<RangeRow>) -> Result<LogRange> {
    let RangeQuery { conversation_id: id, after, reader, .. } = *query;
    let top = rows.first().ok_or_else(|| broken("a row for each range"))?;
    let (Some(seq), Some(event_id)) = (top.last_seq, top.last_event_id) else {
        return Ok(LogRange::Gone { left_seq: None });
    };
    let head = Head { conversation_id: id, seq, event_id };
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
    let mut weight = 0;
    for row in rows.into_iter().filter_map(|row| row.entry.0) {
        let change = row.change_kind.zip(row.actor_id);
        let entry = LogEntry {
            seq: row.entry_seq,
            event_id: row.event_id,
            prev_event_id: below.replace(row.event_id),
            message: row.message.into(),
            change: change.map(|(kind, actor)| LogChange { kind, actor }),
        };
        weight += entry.weight();
        entries.push(entry);
    }
    let wanted = query.to().min(head.seq);
    let reached = entries.last().map_or(after.seq, |entry| entry.seq);
    let dense = entries.iter().map(|entry| entry.seq).eq(after.seq + 1..=reached);
    if !dense || (reached < wanted && weight < query.weight) {
        return Err(broken(format!("the log of {id} has a hole above {}", after.seq)));
    }
    if reached == head.seq && below != Some(head.event_id) {
        return Err(broken(format!("the log of {id} does not end with its last event")));
    }
    Ok(LogRange::Entries { entries, head })
}
