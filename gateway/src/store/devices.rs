//! Logins, and the tickets they were spent on.

use super::{
    Account, DeviceState, NewDevice, Result, Revoke, Store, Topic,
    accounts::unchanged,
    feed::ring,
    sql::{Conn, Ids, Sql, execute, fetch, sql},
};
use crate::model::*;

const INSERT_DEVICE: Sql = sql!(
    "insert into devices (id, user_id, label, device_secret_hash, refresh_rotated_at,
        created_at, last_seen_at)
    values ($1, $2, $3, $4, $5, $5, $5)"
);

const DEVICES: Sql = sql!(
    "select id, label, created_at, last_seen_at from devices
    where user_id = $1 and revoked_at is null
        and ($2 is null or (last_seen_at, id) < ($2, $3))
    order by last_seen_at desc, id desc limit $4"
);

/// Those that were seen longest ago, beyond `$4` beside the newest login `$3`.
const REVOKE_EXCESS: Sql = sql!(
    "update devices set revoked_at = $2
    where user_id = $1 and revoked_at is null and id <> $3 and id not in (
        select id from devices where user_id = $1 and revoked_at is null and id <> $3
        order by last_seen_at desc, id desc limit $4)
    returning id"
);

/// A device that is not known is signed out as well.
const FORGET_REVOKED: Sql = sql!(
    "delete from devices
    where user_id = $1 and revoked_at is not null and id not in (
        select id from devices where user_id = $1 and revoked_at is not null
        order by revoked_at desc, id desc limit $2)"
);

const DEVICE_STATE: Sql = sql!(
    "select d.user_id, u.token_epoch, u.disabled_at is not null, d.revoked_at is not null,
        d.device_secret_hash, d.refresh_generation, d.refresh_rotated_at,
        " (postgres "clock_timestamp()") (sqlite "null") "
    from devices d join users u on u.id = d.user_id
    where d.id = $1"
);

/// One atomic update: of several refreshes with the same token one wins. Its
/// age counts in seconds, so it is dated by the clock that all replicas share.
const ROTATE: Sql = sql!(
    "update devices
    set refresh_generation = refresh_generation + 1,
        refresh_rotated_at = " (postgres "clock_timestamp()") (sqlite "$3") "
    where id = $1 and refresh_generation = $2 and revoked_at is null"
);

const REVOKE_ONE: Sql = sql!(
    "update devices set revoked_at = $2
    where user_id = $1 and revoked_at is null and id = $3 returning id"
);

const REVOKE_OTHERS: Sql = sql!(
    "update devices set revoked_at = $2
    where user_id = $1 and revoked_at is null and ($3 is null or id <> $3) returning id"
);

const NEXT_EPOCH: Sql = sql!("update users set token_epoch = token_epoch + 1 where id = $1");

const TOUCH: Sql = sql!("update devices set last_seen_at = $2 where id = $1 and last_seen_at < $2");

const LAST_SEEN: Sql = sql!(
    "select user_id, max(last_seen_at) from devices
    where user_id" (any "$1") " group by user_id order by user_id"
);

const FORGET_TICKETS: Sql = sql!("delete from spent_tickets where expires_at < $1");

const SPEND_TICKET: Sql = sql!(
    "insert into spent_tickets (jti, expires_at) values ($1, $2) on conflict (jti) do nothing"
);

impl Store {
    /// Adds the device if its account still is as it was `checked`; none if it
    /// is not. *No login outlives what ended all sessions while it was checked.*
    /// Those are returned that had to go, so that at most `most` are left.
    pub async fn create_device(
        &self,
        device: &NewDevice,
        checked: &Account,
        most: i64,
    ) -> Result<Option<Vec<DeviceId>>> {
        let (device, checked) = (device.clone(), checked.clone());
        self.write(move |tx| {
            Box::pin(async move {
                if !unchanged(tx, &checked).await? {
                    return Ok(None);
                }
                insert_device(tx, &device).await?;
                let NewDevice { id, user_id: user, created_at: now, .. } = device;
                let gone: Vec<(DeviceId,)> =
                    fetch!(all, tx, REVOKE_EXCESS, user, now, id, most - 1)?;
                execute!(tx, FORGET_REVOKED, user, most)?;
                if !gone.is_empty() {
                    ring(tx, &[Topic::User(user)]).await?;
                }
                Ok(Some(gone.into_iter().map(|(id,)| id).collect()))
            })
        })
        .await
    }

    /// Those not revoked, last seen first, and when each was last seen.
    /// `current` is left false: the store does not know who asks.
    pub async fn devices(
        &self,
        user: UserId,
        after: Option<(Timestamp, DeviceId)>,
        limit: i64,
    ) -> Result<Vec<Device>> {
        let (at, id) = after.unzip();
        type Row = (DeviceId, String, Timestamp, Timestamp);
        self.read(move |conn| {
            Box::pin(async move {
                let rows: Vec<Row> = fetch!(all, conn, DEVICES, user, at, id, limit)?;
                let device = |(id, label, created_at, last_seen_at)| Device {
                    id,
                    label,
                    created_at,
                    last_seen_at,
                    current: false,
                };
                Ok(rows.into_iter().map(device).collect())
            })
        })
        .await
    }

    pub async fn device_state(&self, device: DeviceId) -> Result<Option<DeviceState>> {
        type Row = (UserId, i64, bool, bool, Vec<u8>, i64, Timestamp, Option<Timestamp>);
        self.read(move |conn| {
            Box::pin(async move {
                let row: Option<Row> = fetch!(optional, conn, DEVICE_STATE, device)?;
                let state =
                    |(user_id, epoch, off, revoked, secret, generation, at, now)| DeviceState {
                        user_id,
                        token_epoch: epoch,
                        user_disabled: off,
                        revoked,
                        secret_hash: secret,
                        refresh_generation: generation,
                        refresh_rotated_at: at,
                        shared_now: now,
                    };
                Ok(row.map(state))
            })
        })
        .await
    }

    /// Moves the generation on if it still is `from` and the device lives;
    /// whether it did. Where replicas share the database, its own clock dates
    /// that, not `at`.
    pub async fn rotate_refresh(&self, device: DeviceId, from: i64, at: Timestamp) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move { Ok(execute!(tx, ROTATE, device, from, at)? == 1) })
        })
        .await
    }

    /// Those it revoked.
    pub async fn revoke_devices(
        &self,
        user: UserId,
        which: Revoke,
        at: Timestamp,
    ) -> Result<Vec<DeviceId>> {
        self.write(move |tx| {
            Box::pin(async move {
                let revoked = revoke(tx, user, which, at).await?;
                if !revoked.is_empty() || matches!(which, Revoke::All) {
                    ring(tx, &[Topic::User(user)]).await?;
                }
                Ok(revoked)
            })
        })
        .await
    }

    pub async fn touch_device(&self, device: DeviceId, at: Timestamp) -> Result<()> {
        self.write(move |tx| Box::pin(async move { execute!(tx, TOUCH, device, at).map(drop) }))
            .await
    }

    /// Latest `last_seen_at` over each user's devices.
    pub async fn last_seen(&self, users: &[UserId]) -> Result<Vec<(UserId, Timestamp)>> {
        let users: Ids = users.iter().collect();
        self.read(|conn| Box::pin(async move { fetch!(all, conn, LAST_SEEN, &users) })).await
    }

    /// True exactly once per `jti` until no replica takes it any more; forgets
    /// such ones as it goes.
    pub async fn spend_ticket(
        &self,
        jti: uuid::Uuid,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                // A replica whose clock is behind ours still gives it leeway.
                execute!(tx, FORGET_TICKETS, now - limits::CLOCK_LEEWAY * 2)?;
                Ok(execute!(tx, SPEND_TICKET, jti, expires_at)? == 1)
            })
        })
        .await
    }
}

pub(super) async fn insert_device(tx: &mut Conn, device: &NewDevice) -> Result<()> {
    execute!(
        tx,
        INSERT_DEVICE,
        device.id,
        device.user_id,
        &device.label,
        &device.secret_hash,
        device.created_at
    )
    .map(drop)
}

/// Those it revoked; none when the one device is another user's.
pub(super) async fn revoke(
    tx: &mut Conn,
    user: UserId,
    which: Revoke,
    at: Timestamp,
) -> Result<Vec<DeviceId>> {
    let revoked: Vec<(DeviceId,)> = match which {
        Revoke::One(device) => fetch!(all, tx, REVOKE_ONE, user, at, device)?,
        Revoke::AllBut(keep) => fetch!(all, tx, REVOKE_OTHERS, user, at, Some(keep))?,
        Revoke::All => {
            execute!(tx, NEXT_EPOCH, user)?;
            fetch!(all, tx, REVOKE_OTHERS, user, at, None::<DeviceId>)?
        }
    };
    Ok(revoked.into_iter().map(|(id,)| id).collect())
}
