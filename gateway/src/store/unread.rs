//! Unread counts by their definition. They are never stored here.

use super::{
    Result, Store, UnreadQuery,
    error::broken,
    sql::{Conn, On, text},
};

/// Texts of others above the mark, in the visible part, as the log stood at
/// `as_of_seq`: one that was deleted by a later entry still counts. `q` is the
/// row that asks; the count stops at the cap.
macro_rules! counted {
    ($dialect:ident) => {
        "(select count(*) from (
            select 1 from messages m
            where m.conversation_id = q.conversation_id
                and m.seq > q.last_read_seq and m.seq >= q.visible_from_seq
                and m.seq <= q.as_of_seq
                and m.kind = 'text' and m.sender_id <> q.user_id
                and (m.deleted_at is null or m.updated_seq > q.as_of_seq)
            limit 100) counted)"
    };
}

const POSTGRES: &str = text!(postgres: "select " (use counted) "
    from unnest($1::uuid[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[]) with ordinality
        as q (conversation_id, user_id, last_read_seq, visible_from_seq, as_of_seq, place)
    order by q.place");

const SQLITE: &str = text!(sqlite: "select " (use counted) "
    from (select unhex(value ->> 0) as conversation_id, unhex(value ->> 1) as user_id,
            value ->> 2 as last_read_seq, value ->> 3 as visible_from_seq,
            value ->> 4 as as_of_seq, key as place
        from json_each($1)) q
    order by q.place");

impl Store {
    /// Counts, in the order asked; each at most `UNREAD_CAP`.
    pub async fn unread_counts(&self, queries: &[UnreadQuery]) -> Result<Vec<i64>> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let queries = queries.to_vec();
        self.read(|conn| Box::pin(async move { counts(conn, &queries).await })).await
    }
}

async fn counts(conn: &mut Conn, queries: &[UnreadQuery]) -> Result<Vec<i64>> {
    let counts: Vec<i64> = match conn {
        On::Postgres(c) => {
            sqlx::query_scalar(POSTGRES)
                .bind(queries.iter().map(|q| q.conversation_id).collect::<Vec<_>>())
                .bind(queries.iter().map(|q| q.user_id).collect::<Vec<_>>())
                .bind(queries.iter().map(|q| q.last_read_seq).collect::<Vec<_>>())
                .bind(queries.iter().map(|q| q.visible_from_seq).collect::<Vec<_>>())
                .bind(queries.iter().map(|q| q.as_of_seq).collect::<Vec<_>>())
                .fetch_all(&mut **c)
                .await?
        }
        On::Sqlite(c) => {
            let rows: Vec<_> = queries
                .iter()
                .map(|q| {
                    let conversation = q.conversation_id.0.simple().to_string();
                    let user = q.user_id.0.simple().to_string();
                    (conversation, user, q.last_read_seq, q.visible_from_seq, q.as_of_seq)
                })
                .collect();
            let rows = serde_json::to_string(&rows).map_err(|e| broken(e.to_string()))?;
            sqlx::query_scalar(SQLITE).bind(rows).fetch_all(&mut **c).await?
        }
    };
    match counts.len() == queries.len() {
        true => Ok(counts),
        false => Err(broken("a count for each query")),
    }
}
