-- The log of a conversation: `messages` and `message_changes` draw their seqs
-- from one dense counter, `conversations.last_seq`. No foreign keys here: every
-- writer holds the conversation's row and has read the sender's membership, and
-- a key per row would cost a lock on the sender's user row for each message.
create table messages (
    conversation_id uuid not null,
    seq bigint not null,
    -- Also the event id of this entry.
    id uuid not null,
    sender_id uuid not null,
    -- Null for system messages.
    client_msg_id uuid,
    -- Over the body and the reply as they were sent; never changes.
    request_hash bytea,
    kind text not null check (kind in ('text', 'system')),
    -- Null when deleted, and for system messages.
    body text,
    -- What happened, as JSON, for system messages.
    system text,
    reply_to_seq bigint,
    created_at timestamptz not null,
    edited_at timestamptz,
    deleted_at timestamptz,
    -- The entry that last touched this message.
    updated_seq bigint not null,
    primary key (conversation_id, seq),
    constraint messages_client_msg_id unique (conversation_id, sender_id, client_msg_id)
);

create table message_changes (
    conversation_id uuid not null,
    seq bigint not null,
    -- Also the event id of this entry.
    id uuid not null,
    target_seq bigint not null,
    kind text not null check (kind in ('edited', 'deleted')),
    actor_id uuid not null,
    created_at timestamptz not null,
    primary key (conversation_id, seq)
);
