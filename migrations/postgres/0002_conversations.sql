-- `last_seq` and `last_event_id` change with every message. Neither is indexed
-- and pages keep room for new row versions: the updates stay in their page and
-- touch no index (HOT).
create table conversations (
    id uuid primary key,
    kind text not null check (kind in ('direct', 'group')),
    title text,
    share_history boolean not null,
    created_by uuid not null references users (id),
    created_at timestamptz not null,
    last_seq bigint not null,
    last_event_id uuid not null,
    -- The sorted pair: two people have one direct conversation.
    direct_key text constraint conversations_direct_key unique,
    client_id uuid,
    -- What was asked for under `client_id`: tells a repeat from a reuse.
    request_hash bytea,
    constraint conversations_client_id unique (created_by, client_id)
) with (fillfactor = 50);

-- Read marks move often: the same applies.
create table conversation_participants (
    conversation_id uuid not null references conversations (id),
    user_id uuid not null references users (id),
    role text not null check (role in ('member', 'admin', 'owner')),
    joined_seq bigint not null,
    visible_from_seq bigint not null,
    -- Null while a member.
    left_seq bigint,
    last_read_seq bigint not null,
    last_read_at timestamptz,
    muted boolean not null default false,
    pinned boolean not null default false,
    primary key (conversation_id, user_id)
) with (fillfactor = 60);

create index conversation_participants_user on conversation_participants (user_id);

-- Counts the members and finds the oldest ones without reading the table.
create index conversation_participants_members
    on conversation_participants (conversation_id, joined_seq, user_id)
    where left_seq is null;
