-- Adds a batch of text messages to their conversations and answers each.
--
-- VOLATILE, so that under READ COMMITTED each statement in it sees what was
-- committed before that statement began: the second one knows every removal
-- that was committed while the first one waited for its locks.
--
-- Outcomes, one row per message in the order given (`place` counts from 1):
--   new        seq, prev_event_id, message_id, created_at
--   repeat     seq, message_id, created_at of the one committed before, or of
--              the earlier copy in this batch
--   reused     the client_msg_id belongs to a different request
--   not_found  not a member, or no such conversation
--   bad_reply  nothing to reply to at that seq that the sender can see
create function append_messages(
    event_ids uuid[],
    conversation_ids uuid[],
    sender_ids uuid[],
    client_msg_ids uuid[],
    request_hashes bytea[],
    bodies text[],
    reply_to_seqs bigint[],
    created_ats timestamptz[],
    lock_timeout_ms integer
) returns table (
    place bigint,
    outcome text,
    seq bigint,
    prev_event_id uuid,
    message_id uuid,
    created_at timestamptz
)
language plpgsql volatile
-- Every join below is a handful of look-ups by key, however large the tables
-- are. A plan cached while they were small must not scan them later.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
    perform set_config('lock_timeout', lock_timeout_ms || 'ms', true);

    -- Every writer takes these rows first, in the order of their ids.
    perform 1 from conversations c
    where c.id = any (conversation_ids)
    order by c.id
    for no key update;

    return query
    with input as (
        select *
        from unnest(
            event_ids, conversation_ids, sender_ids, client_msg_ids,
            request_hashes, bodies, reply_to_seqs, created_ats
        ) with ordinality as i (
            event_id, conversation_id, sender_id, client_msg_id,
            request_hash, body, reply_to_seq, created_at, place
        )
    ),
    judged as (
        select i.*,
            c.last_seq, c.last_event_id,
            k.seq as known_seq, k.id as known_id,
            k.created_at as known_at, k.request_hash as known_hash,
            p.user_id is not null as is_member,
            -- An unknown client_msg_id, from a member, replying to something.
            k.seq is null
                and p.user_id is not null
                and (i.reply_to_seq is null or r.seq is not null) as acceptable
        from input i
        left join conversations c on c.id = i.conversation_id
        left join messages k
            on k.conversation_id = i.conversation_id
            and k.sender_id = i.sender_id
            and k.client_msg_id = i.client_msg_id
        left join conversation_participants p
            on p.conversation_id = i.conversation_id
            and p.user_id = i.sender_id
            and p.left_seq is null
        left join messages r
            on r.conversation_id = i.conversation_id
            and r.seq = i.reply_to_seq
            and r.seq >= p.visible_from_seq
            and r.kind = 'text'
    ),
    -- Of several copies in this batch the first acceptable one is the message.
    elected as (
        select j.*,
            min(j.place) filter (where j.acceptable) over copies as elected_place
        from judged j
        window copies as (partition by j.conversation_id, j.sender_id, j.client_msg_id)
    ),
    numbered as (
        select e.*,
            e.place = e.elected_place and e.acceptable as is_new,
            e.last_seq + count(*) filter (where e.place = e.elected_place)
                over (partition by e.conversation_id order by e.place) as new_seq
        from elected e
    ),
    linked as (
        select n.*,
            coalesce(
                lag(n.event_id) over (
                    partition by n.conversation_id, n.is_new order by n.place
                ),
                n.last_event_id
            ) as below,
            first_value(n.event_id) over copies as elected_id,
            first_value(n.created_at) over copies as elected_at,
            first_value(n.request_hash) over copies as elected_hash,
            first_value(n.new_seq) over copies as elected_seq
        from numbered n
        window copies as (
            partition by n.conversation_id, n.sender_id, n.client_msg_id
            order by not n.is_new, n.place
        )
    ),
    inserted as (
        insert into messages (
            conversation_id, seq, id, sender_id, client_msg_id, request_hash,
            kind, body, reply_to_seq, created_at, updated_seq
        )
        select l.conversation_id, l.new_seq, l.event_id, l.sender_id, l.client_msg_id,
            l.request_hash, 'text', l.body, l.reply_to_seq, l.created_at, l.new_seq
        from linked l
        where l.is_new
        order by l.conversation_id, l.new_seq
    ),
    bumped as (
        update conversations c
        set last_seq = top.new_seq, last_event_id = top.event_id
        from (
            select distinct on (l.conversation_id) l.conversation_id, l.new_seq, l.event_id
            from linked l
            where l.is_new
            order by l.conversation_id, l.new_seq desc
        ) top
        where c.id = top.conversation_id
    ),
    rung as (
        insert into doorbells (topics)
        select array_agg(distinct 'conv:' || l.conversation_id)
        from linked l
        where l.is_new
        having count(*) > 0
    ),
    answered as (
        select l.*,
            case
                when l.is_new then 'new'
                when l.known_seq is not null then
                    case when l.known_hash = l.request_hash then 'repeat' else 'reused' end
                when l.elected_place < l.place then
                    case when l.elected_hash = l.request_hash then 'repeat' else 'reused' end
                when not l.is_member then 'not_found'
                else 'bad_reply'
            end as verdict
        from linked l
    )
    select a.place,
        a.verdict,
        coalesce(a.known_seq, a.elected_seq),
        case when a.is_new then a.below end,
        coalesce(a.known_id, a.elected_id),
        coalesce(a.known_at, a.elected_at)
    from answered a
    order by a.place;
end
$$;
