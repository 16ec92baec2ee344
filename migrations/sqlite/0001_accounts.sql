-- People and their logins. Ids are blobs of 16 bytes, times milliseconds.
create table users (
    id blob not null primary key,
    username text not null,
    display_name text not null,
    -- Username and words of the display name in lower case, each after a space.
    search_name text not null,
    password_hash text not null,
    token_epoch integer not null default 0,
    created_at integer not null,
    disabled_at integer
) strict;

create unique index users_username_key on users (lower(username));

create table devices (
    id blob not null primary key,
    user_id blob not null references users (id),
    label text not null,
    device_secret_hash blob not null,
    refresh_generation integer not null default 0,
    refresh_rotated_at integer not null,
    created_at integer not null,
    last_seen_at integer not null,
    revoked_at integer
) strict;

create index devices_user_id on devices (user_id);

-- Tickets that were used while Redis was away.
create table spent_tickets (
    jti blob not null primary key,
    expires_at integer not null
) strict;

create index spent_tickets_expires_at on spent_tickets (expires_at);
