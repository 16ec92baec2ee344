-- People and their logins.
create table users (
    id uuid primary key,
    -- Byte order, so that pages by name sort alike on every installation.
    username text collate "C" not null,
    display_name text not null,
    -- Username and words of the display name in lower case, each after a space.
    search_name text collate "C" not null,
    password_hash text not null,
    token_epoch bigint not null default 0,
    created_at timestamptz not null,
    disabled_at timestamptz
);

create unique index users_username_key on users (lower(username));

create table devices (
    id uuid primary key,
    user_id uuid not null references users (id),
    label text not null,
    device_secret_hash bytea not null,
    refresh_generation bigint not null default 0,
    refresh_rotated_at timestamptz not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    revoked_at timestamptz
);

create index devices_user_id on devices (user_id);

-- Tickets that were used while Redis was away.
create table spent_tickets (
    jti uuid primary key,
    expires_at timestamptz not null
);

create index spent_tickets_expires_at on spent_tickets (expires_at);
