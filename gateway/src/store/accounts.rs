//! People: who they are, how they sign in, how they are found.

use super::{
    Account, NewDevice, NewUser, Refusal, Result, Revoke, Store, Topic,
    devices::{insert_device, revoke},
    feed::ring,
    sql::{Conn, Ids, Sql, execute, fetch, sql},
};
use crate::model::*;

pub(super) type UserRow = (UserId, String, String, Timestamp);

pub(super) fn user((id, username, display_name, created_at): UserRow) -> User {
    User { id, username, display_name, created_at }
}

macro_rules! account {
    ($dialect:ident) => {
        "select id, username, display_name, created_at, password_hash, token_epoch,
            disabled_at is not null
        from users where "
    };
}

const ACCOUNT: Sql = sql!((use account) "id = $1");
const ACCOUNT_BY_USERNAME: Sql = sql!((use account) "lower(username) = lower($1)");

type AccountRow = (UserId, String, String, Timestamp, String, i64, bool);

fn account((id, username, display_name, created_at, hash, epoch, disabled): AccountRow) -> Account {
    Account {
        user: User { id, username, display_name, created_at },
        password_hash: hash,
        token_epoch: epoch,
        disabled,
    }
}

const INSERT_USER: Sql = sql!(
    "insert into users (id, username, display_name, search_name, password_hash, created_at)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (lower(username)) do nothing"
);

const USERS: Sql = sql!("select id, username, display_name, created_at from users where id"
    (any "$1") " order by id");

/// `$1` finds the words that start like the query; `$2` is the username of the
/// page before.
const SEARCH: Sql = sql!(
    "select id, username, display_name, created_at from users
    where search_name like $1 escape '\\' and disabled_at is null
        and ($2 is null or lower(username) > lower($2))
    order by lower(username) limit $3"
);

const LIST: Sql = sql!(
    "select id, username, display_name, created_at, disabled_at is not null from users
    where $1 is null or lower(username) > lower($1)
    order by lower(username) limit $2"
);

const SET_DISPLAY_NAME: Sql = sql!(
    "update users set display_name = $2, search_name = $3 where id = $1
    returning id, username, display_name, created_at"
);

const SET_PASSWORD: Sql = sql!("update users set password_hash = $2 where id = $1");

/// Locked, so that whoever changes the account waits for what is based on it.
const UNCHANGED: Sql = sql!(
    "select id from users where id = $1 and password_hash = $2 and token_epoch = $3
        and disabled_at is null" (lock) ""
);

const SET_DISABLED: Sql = sql!("update users set disabled_at = $2 where id = $1");

/// An empty hash fits no password.
const ERASE: Sql = sql!(
    "update users
    set username = $2, display_name = 'Deleted user', search_name = '', password_hash = '',
        token_epoch = token_epoch + 1, disabled_at = coalesce(disabled_at, $3)
    where id = $1"
);

const DIRECT_PARTNERS: Sql = sql!(
    "select other.user_id
    from conversation_participants mine
    join conversations c on c.id = mine.conversation_id and c.kind = 'direct'
    join conversation_participants other
        on other.conversation_id = c.id and other.user_id <> mine.user_id
    where mine.user_id = $1
    order by other.user_id"
);

impl Store {
    /// Refuses with `UsernameTaken`.
    pub async fn create_user(&self, user: &NewUser, device: &NewDevice) -> Result<()> {
        let (user, device) = (user.clone(), device.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let search = search_name(&user.username, &user.display_name);
                let made = execute!(
                    tx,
                    INSERT_USER,
                    user.id,
                    &user.username,
                    &user.display_name,
                    search,
                    &user.password_hash,
                    user.created_at
                )?;
                match made {
                    0 => Err(Refusal::UsernameTaken.into()),
                    _ => insert_device(tx, &device).await,
                }
            })
        })
        .await
    }

    pub async fn account_by_username(&self, username: &str) -> Result<Option<Account>> {
        let name = username.to_owned();
        self.read(|conn| {
            Box::pin(
                async move { Ok(fetch!(optional, conn, ACCOUNT_BY_USERNAME, &name)?.map(account)) },
            )
        })
        .await
    }

    pub async fn account(&self, id: UserId) -> Result<Option<Account>> {
        self.read(move |conn| {
            Box::pin(async move { Ok(fetch!(optional, conn, ACCOUNT, id)?.map(account)) })
        })
        .await
    }

    /// Those of `ids` that exist, by id.
    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let ids: Ids = ids.iter().collect();
        self.read(|conn| Box::pin(async move { users(conn, &ids).await })).await
    }

    /// Active users whose username or a word of whose display name starts with
    /// `query` (case-insensitive), by username, after `after`.
    pub async fn search_users(
        &self,
        query: &str,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<User>> {
        let (pattern, after) = (word_pattern(query), after.map(str::to_owned));
        self.read(move |conn| {
            Box::pin(async move {
                let rows = fetch!(all, conn, SEARCH, &pattern, &after, limit)?;
                Ok(rows.into_iter().map(user).collect())
            })
        })
        .await
    }

    /// All users by username, disabled ones included, with that flag: for the
    /// command line.
    pub async fn list_users(&self, after: Option<&str>, limit: i64) -> Result<Vec<(User, bool)>> {
        let after = after.map(str::to_owned);
        type Row = (UserId, String, String, Timestamp, bool);
        self.read(move |conn| {
            Box::pin(async move {
                let rows: Vec<Row> = fetch!(all, conn, LIST, &after, limit)?;
                let row = |(id, name, shown, at, off)| (user((id, name, shown, at)), off);
                Ok(rows.into_iter().map(row).collect())
            })
        })
        .await
    }

    /// Refuses with `NotFound`.
    pub async fn set_display_name(&self, user_id: UserId, name: &str) -> Result<User> {
        let name = name.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let Some(account) = fetch!(optional, tx, ACCOUNT, user_id)?.map(account) else {
                    return Err(Refusal::NotFound.into());
                };
                let search = search_name(&account.user.username, &name);
                let changed = fetch!(one, tx, SET_DISPLAY_NAME, user_id, &name, search)?;
                ring(tx, &[Topic::User(user_id)]).await?;
                Ok(user(changed))
            })
        })
        .await
    }

    /// Replaces the hash, begins a new epoch and revokes every device.
    pub async fn set_password(&self, user: UserId, hash: &str, at: Timestamp) -> Result<()> {
        let hash = hash.to_owned();
        self.write(move |tx| {
            Box::pin(async move { replace_hash(tx, user, &hash, Revoke::All, at).await })
        })
        .await
    }

    /// Replaces the hash and revokes the other devices, if the account still
    /// is as it was `checked`; whether it did.
    pub async fn change_password(
        &self,
        checked: &Account,
        hash: &str,
        keep: DeviceId,
        at: Timestamp,
    ) -> Result<bool> {
        let (checked, hash) = (checked.clone(), hash.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                if !unchanged(tx, &checked).await? {
                    return Ok(false);
                }
                let which = Revoke::AllBut(keep);
                replace_hash(tx, checked.user.id, &hash, which, at).await.map(|()| true)
            })
        })
        .await
    }

    /// Disabling also revokes every device.
    pub async fn set_disabled(&self, user: UserId, disabled: bool, at: Timestamp) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                existing(execute!(tx, SET_DISABLED, user, disabled.then_some(at))?)?;
                if disabled {
                    revoke(tx, user, Revoke::All, at).await?;
                }
                ring(tx, &[Topic::User(user)]).await
            })
        })
        .await
    }

    /// Frees the name, forgets the person and their devices, keeps what they
    /// said and where they said it.
    pub async fn erase_user(&self, user: UserId, at: Timestamp) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                let simple = user.0.simple().to_string();
                // Nobody can have taken it before: no username begins like this.
                let nobody = format!("~deleted-{}", &simple[simple.len() - 20..]);
                existing(execute!(tx, ERASE, user, nobody, at)?)?;
                execute!(tx, sql!("delete from devices where user_id = $1"), user)?;
                ring(tx, &[Topic::User(user)]).await
            })
        })
        .await
    }

    /// The other side of each of the user's direct conversations.
    pub async fn direct_partners(&self, user: UserId) -> Result<Vec<UserId>> {
        self.read(move |conn| {
            Box::pin(async move {
                let rows: Vec<(UserId,)> = fetch!(all, conn, DIRECT_PARTNERS, user)?;
                Ok(rows.into_iter().map(|(id,)| id).collect())
            })
        })
        .await
    }
}

pub(super) async fn users(conn: &mut Conn, ids: &Ids) -> Result<Vec<User>> {
    let rows: Vec<UserRow> = fetch!(all, conn, USERS, ids)?;
    Ok(rows.into_iter().map(user).collect())
}

const DISABLED_OR_MISSING: Sql = sql!(
    "select asked.id from " (each "$1") " asked
    left join users u on u.id = asked.id and u.disabled_at is null
    where u.id is null order by asked.id limit 1"
);

/// Refuses with `UnknownUser` when one of them does not exist or is disabled.
pub(super) async fn all_active(conn: &mut Conn, users: &[UserId]) -> Result<()> {
    let ids: Ids = users.iter().collect();
    let unknown: Option<(UserId,)> = fetch!(optional, conn, DISABLED_OR_MISSING, &ids)?;
    match unknown {
        Some((id,)) => Err(Refusal::UnknownUser(id).into()),
        None => Ok(()),
    }
}

/// Whether the account may still be acted for by who was `checked` against it:
/// same password, same epoch, not disabled. True holds until the commit.
pub(super) async fn unchanged(tx: &mut Conn, checked: &Account) -> Result<bool> {
    let (id, epoch) = (checked.user.id, checked.token_epoch);
    let same: Option<(UserId,)> =
        fetch!(optional, tx, UNCHANGED, id, &checked.password_hash, epoch)?;
    Ok(same.is_some())
}

async fn replace_hash(
    tx: &mut Conn,
    user: UserId,
    hash: &str,
    which: Revoke,
    at: Timestamp,
) -> Result<()> {
    existing(execute!(tx, SET_PASSWORD, user, hash)?)?;
    revoke(tx, user, which, at).await?;
    ring(tx, &[Topic::User(user)]).await
}

fn existing(rows: u64) -> Result<()> {
    match rows {
        0 => Err(Refusal::NotFound.into()),
        _ => Ok(()),
    }
}

/// What search looks at: every word in lower case after a space, so that a
/// word's start is found by one pattern on both databases, in any script.
fn search_name(username: &str, display_name: &str) -> String {
    let words = display_name.split_whitespace().chain([username]);
    words.flat_map(|word| [" ".to_owned(), word.to_lowercase()]).collect()
}

fn word_pattern(query: &str) -> String {
    let mut pattern = String::from("% ");
    for c in query.trim().to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_queries_literally() {
        assert_eq!(word_pattern(" 100%_\\ "), "% 100\\%\\_\\\\%");
        assert_eq!(search_name("Ada", "Ada  LOVELACE"), " ada lovelace ada");
    }
}
