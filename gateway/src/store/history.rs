//! Pages of history: the messages themselves, in their current state.

use super::{
    Around, Refusal, Result, Store,
    message::{MessageRow, message_columns},
    sql::{Joined, Sql, fetch, sql},
};
use crate::model::*;

/// Both sides of a split at seq `$3`: `$4` messages below it and `$5` from it
/// on, all of them visible to member `$2`. One statement, so that the page, the
/// flags and the membership are of one moment; the viewer's row comes even when
/// there are no messages.
const PAGE: Sql = sql!(
    "with me as (
        select p.visible_from_seq, c.last_seq
        from conversation_participants p join conversations c on c.id = p.conversation_id
        where p.conversation_id = $1 and p.user_id = $2 and p.left_seq is null
    ), older as (
        select " (use message_columns) " from messages m
        where m.conversation_id = $1 and m.seq < $3
            and m.seq >= (select visible_from_seq from me)
        order by m.seq desc limit $4
    ), newer as (
        select " (use message_columns) " from messages m
        where m.conversation_id = $1 and m.seq >= $3
            and m.seq >= (select visible_from_seq from me)
        order by m.seq limit $5
    )
    select me.visible_from_seq, me.last_seq, page.*
    from me left join (select * from older union all select * from newer) page on true
    order by page.seq"
);

#[derive(sqlx::FromRow)]
struct PageRow {
    visible_from_seq: Seq,
    last_seq: Seq,
    #[sqlx(flatten)]
    message: Joined<MessageRow>,
}

/// Where a page is cut and how many messages it takes from either side.
#[derive(Clone, Copy)]
struct Split {
    at: Seq,
    older: usize,
    newer: usize,
}

impl Split {
    fn new(page: Around, limit: i64) -> Self {
        let limit = limit.clamp(1, limits::PAGE_MAX) as usize;
        match page {
            Around::Newest => Self { at: Seq::MAX, older: limit, newer: 0 },
            Around::Before(seq) => Self { at: seq, older: limit, newer: 0 },
            Around::After(seq) => Self { at: seq.saturating_add(1), older: 0, newer: limit },
            Around::Around(seq) => {
                Self { at: seq.saturating_add(1), older: limit - limit / 2, newer: limit / 2 }
            }
        }
    }

    /// `messages` ascending, with one more on each side where there is one.
    fn cut(self, mut messages: Vec<Message>, visible_from: Seq, last_seq: Seq) -> History {
        let mut newer = messages.split_off(messages.partition_point(|m| m.seq < self.at));
        let mut older = messages;
        let has_more_before = older.len() > self.older;
        let has_more_after = newer.len() > self.newer;
        older.drain(..older.len().saturating_sub(self.older));
        newer.truncate(self.newer);
        // A side that was not asked for ends at the split; one that has more to
        // give ends with its last message; else it reaches to the very end.
        let from_seq = match older.first() {
            _ if self.older == 0 => self.at.max(visible_from),
            Some(oldest) if has_more_before => oldest.seq,
            _ => visible_from,
        };
        let to_seq = match newer.last() {
            _ if self.newer == 0 => last_seq.min(self.at - 1),
            Some(newest) if has_more_after => newest.seq,
            _ => last_seq,
        };
        older.append(&mut newer);
        History {
            messages: older,
            range: SeqRange { from_seq, to_seq },
            has_more_before,
            has_more_after,
        }
    }
}

impl Store {
    /// Ascending, system messages and tombstones included. Refuses with
    /// `NotFound` who is not a member.
    pub async fn history(
        &self,
        id: ConversationId,
        viewer: UserId,
        page: Around,
        limit: i64,
    ) -> Result<History> {
        let split = Split::new(page, limit);
        self.read(move |conn| {
            Box::pin(async move {
                let (older, newer) = (split.older as i64 + 1, split.newer as i64 + 1);
                let rows: Vec<PageRow> =
                    fetch!(all, conn, PAGE, id, viewer, split.at, older, newer)?;
                let Some(PageRow { visible_from_seq, last_seq, .. }) = rows.first() else {
                    return Err(Refusal::NotFound.into());
                };
                let (visible_from, last_seq) = (*visible_from_seq, *last_seq);
                let messages = rows.into_iter().filter_map(|row| row.message.0);
                Ok(split.cut(messages.map(Message::from).collect(), visible_from, last_seq))
            })
        })
        .await
    }
}
