//! Paging, the same for every list.

use serde::Deserialize;

use crate::{
    model::limits,
    problem::{Code, Problem},
};

const CURSOR_CHARS: usize = 512;

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// 50 when absent, at most 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

impl PageQuery {
    pub fn new(after: Option<String>, limit: Option<i64>) -> Self {
        Self { after, limit }
    }

    /// Of the length ours have; what is in it, its reader checks.
    pub fn after(&self) -> Result<Option<&str>, Problem> {
        match self.after.as_deref() {
            Some(cursor) if cursor.len() > CURSOR_CHARS => {
                Err(Problem::new(Code::InvalidCursor, "The page cursor is not one of ours."))
            }
            cursor => Ok(cursor),
        }
    }

    pub fn limit(&self) -> Result<i64, Problem> {
        limit(self.limit)
    }
}

/// More than 200 is answered with 200: the page says that there are more.
pub fn limit(asked: Option<i64>) -> Result<i64, Problem> {
    match asked {
        None => Ok(limits::PAGE_DEFAULT),
        Some(limit) if limit < 1 => Err(Problem::field("limit", "must be at least 1")),
        Some(limit) => Ok(limit.min(limits::PAGE_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_bounded() {
        for (asked, given) in [(None, 50), (Some(1), 1), (Some(200), 200), (Some(i64::MAX), 200)] {
            assert_eq!(limit(asked), Ok(given));
        }
        assert!(limit(Some(0)).is_err() && limit(Some(i64::MIN)).is_err());
    }

    #[test]
    fn long_cursors_are_not_ours() {
        let page = PageQuery::new(Some("x".repeat(513)), None);
        assert_eq!(page.after().expect_err("refused").code, Code::InvalidCursor);
    }
}
