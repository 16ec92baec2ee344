-- The log of a conversation: `messages` and `message_changes` draw their seqs
-- from one dense counter, `conversations.last_seq`.
create table messages (
    conversation_id blob not null,
    seq integer not null,
    -- Also the event id of this entry.
    id blob not null,
    sender_id blob not null,
    -- Null for system messages.
    client_msg_id blob,
    -- Over the body and the reply as they were sent; never changes.
    request_hash blob,
    kind text not null check (kind in ('text', 'system')),
    -- Null when deleted, and for system messages.
    body text,
    -- What happened, as JSON, for system messages.
    system text,
    reply_to_seq integer,
    created_at integer not null,
    edited_at integer,
    deleted_at integer,
    -- The entry that last touched this message.
    updated_seq integer not null,
    primary key (conversation_id, seq),
    constraint messages_client_msg_id unique (conversation_id, sender_id, client_msg_id)
) strict, without rowid;

create table message_changes (
    conversation_id blob not null,
    seq integer not null,
    -- Also the event id of this entry.
    id blob not null,
    target_seq integer not null,
    kind text not null check (kind in ('edited', 'deleted')),
    actor_id blob not null,
    created_at integer not null,
    primary key (conversation_id, seq)
) strict, without rowid;
