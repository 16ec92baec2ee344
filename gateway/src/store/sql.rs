//! One operation, two databases: a statement is written once, with pieces where
//! the dialects differ, and every call of it is type-checked for both.

use sqlx::{
    Decode, Encode, FromRow, Postgres, Row, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    pool::PoolConnection,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo},
};
use uuid::Uuid;

/// The closed set of databases.
#[derive(Clone)]
pub enum On<P, S> {
    Postgres(P),
    Sqlite(S),
}

pub type Conn = On<PoolConnection<Postgres>, PoolConnection<Sqlite>>;

/// The same statement in both dialects; made by [`sql!`].
#[derive(Clone, Copy)]
pub struct Sql {
    pub postgres: &'static str,
    pub sqlite: &'static str,
}

/// A statement: string literals, and in parentheses what differs:
///
/// - `(any "$1")`: is one of the bound [`Ids`];
/// - `(each "$1")`: the bound [`Ids`] as rows of one column `id`;
/// - `(lock)`: keeps other writers off the selected rows until commit (SQLite
///   has one writer, who needs no more);
/// - `(list "x")`, `(object)`: rows as a JSON list, columns as an object;
/// - `(id "x")`, `(millis "x")`: an id, a time as JSON carries it;
/// - `(postgres "…")`, `(sqlite "…")`: only there;
/// - `(use name)`: a fragment that statements share, see [`text!`].
macro_rules! sql {
    ($($piece:tt)*) => {
        $crate::store::sql::Sql {
            postgres: $crate::store::sql::text!(postgres: $($piece)*),
            sqlite: $crate::store::sql::text!(sqlite: $($piece)*),
        }
    };
}

/// The text in one dialect. A fragment is a macro that takes the dialect and
/// makes a text.
macro_rules! text {
    (postgres: $($piece:tt)*) => { concat!($($crate::store::sql::postgres!($piece)),*) };
    (sqlite: $($piece:tt)*) => { concat!($($crate::store::sql::sqlite!($piece)),*) };
}

macro_rules! postgres {
    ((any $list:literal)) => {
        concat!(" = any(", $list, ")")
    };
    ((each $list:literal)) => {
        concat!("(select unnest(", $list, "::uuid[]) as id)")
    };
    ((lock)) => {
        " for no key update"
    };
    ((list $x:literal)) => {
        concat!("coalesce(json_agg(", $x, "), '[]')::text")
    };
    ((object)) => {
        "json_build_object"
    };
    ((id $x:literal)) => {
        $x
    };
    ((millis $x:literal)) => {
        concat!("(extract(epoch from ", $x, ") * 1000)::bigint")
    };
    ((postgres $x:literal)) => {
        $x
    };
    ((sqlite $x:literal)) => {
        ""
    };
    ((use $name:ident)) => {
        $name!(postgres)
    };
    ($text:literal) => {
        $text
    };
}

macro_rules! sqlite {
    ((any $list:literal)) => {
        concat!(" in (select unhex(value) from json_each(", $list, "))")
    };
    ((each $list:literal)) => {
        concat!("(select unhex(value) as id from json_each(", $list, "))")
    };
    ((lock)) => {
        ""
    };
    ((list $x:literal)) => {
        concat!("json_group_array(json(", $x, "))")
    };
    ((object)) => {
        "json_object"
    };
    ((id $x:literal)) => {
        concat!("lower(hex(", $x, "))")
    };
    ((millis $x:literal)) => {
        $x
    };
    ((postgres $x:literal)) => {
        ""
    };
    ((sqlite $x:literal)) => {
        $x
    };
    ((use $name:ident)) => {
        $name!(sqlite)
    };
    ($text:literal) => {
        $text
    };
}

/// `fetch!(all, conn, SQL, bind, …)`: runs a statement and decodes its rows;
/// `all`, `one` or `optional`.
macro_rules! fetch {
    (all, $($rest:tt)*) => { $crate::store::sql::run!(fetch_all, $($rest)*) };
    (one, $($rest:tt)*) => { $crate::store::sql::run!(fetch_one, $($rest)*) };
    (optional, $($rest:tt)*) => { $crate::store::sql::run!(fetch_optional, $($rest)*) };
}

macro_rules! run {
    ($how:ident, $conn:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::store::sql::On::Postgres(c) => {
                sqlx::query_as($sql.postgres)$(.bind($bind))*.$how(&mut **c).await
            }
            $crate::store::sql::On::Sqlite(c) => {
                sqlx::query_as($sql.sqlite)$(.bind($bind))*.$how(&mut **c).await
            }
        }
        .map_err($crate::store::StoreError::from)
    };
}

/// `execute!(conn, SQL, bind, …)`: runs a statement; how many rows it touched.
macro_rules! execute {
    ($conn:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::store::sql::On::Postgres(c) => sqlx::query($sql.postgres)
                $(.bind($bind))*.execute(&mut **c).await.map(|done| done.rows_affected()),
            $crate::store::sql::On::Sqlite(c) => sqlx::query($sql.sqlite)
                $(.bind($bind))*.execute(&mut **c).await.map(|done| done.rows_affected()),
        }
        .map_err($crate::store::StoreError::from)
    };
}

pub(super) use {execute, fetch, postgres, run, sql, sqlite, text};

/// A list of ids as one bound value: `uuid[]`, or a JSON list of hex strings.
#[derive(Clone, Debug)]
pub struct Ids(pub Vec<Uuid>);

impl Type<Postgres> for Ids {
    fn type_info() -> PgTypeInfo {
        Uuid::array_type_info()
    }
}

impl Encode<'_, Postgres> for Ids {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0, buf)
    }
}

impl Type<Sqlite> for Ids {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Ids {
    fn encode_by_ref(&self, buf: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        let hex: Vec<String> = self.0.iter().map(|id| id.simple().to_string()).collect();
        Encode::<Sqlite>::encode(serde_json::to_string(&hex)?, buf)
    }
}

/// The row of an outer join that may have found nothing: told by a null `id`.
pub struct Joined<T>(pub Option<T>);

impl<'r, R, T> FromRow<'r, R> for Joined<T>
where
    R: Row,
    T: FromRow<'r, R>,
    &'static str: sqlx::ColumnIndex<R>,
    Uuid: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        match row.try_get::<Option<Uuid>, _>("id")? {
            None => Ok(Self(None)),
            Some(_) => T::from_row(row).map(|found| Self(Some(found))),
        }
    }
}
