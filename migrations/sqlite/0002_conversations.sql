create table conversations (
    id blob not null primary key,
    kind text not null check (kind in ('direct', 'group')),
    title text,
    share_history integer not null,
    created_by blob not null references users (id),
    created_at integer not null,
    last_seq integer not null,
    last_event_id blob not null,
    -- The sorted pair: two people have one direct conversation.
    direct_key text constraint conversations_direct_key unique,
    client_id blob,
    -- What was asked for under `client_id`: tells a repeat from a reuse.
    request_hash blob,
    constraint conversations_client_id unique (created_by, client_id)
) strict;

create table conversation_participants (
    conversation_id blob not null references conversations (id),
    user_id blob not null references users (id),
    role text not null check (role in ('member', 'admin', 'owner')),
    joined_seq integer not null,
    visible_from_seq integer not null,
    -- Null while a member.
    left_seq integer,
    last_read_seq integer not null,
    last_read_at integer,
    muted integer not null default 0,
    pinned integer not null default 0,
    primary key (conversation_id, user_id)
) strict, without rowid;

create index conversation_participants_user on conversation_participants (user_id);

-- Counts the members and finds the oldest ones without reading the table.
create index conversation_participants_members
    on conversation_participants (conversation_id, joined_seq, user_id)
    where left_seq is null;
