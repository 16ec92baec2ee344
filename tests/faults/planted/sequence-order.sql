-- Plants a bug: the order comes from a SEQUENCE, and nobody takes the lock of
-- the conversation. A higher seq may be committed before a lower one, and what
-- is rolled back leaves a hole.
create function planted_sequence(conversation_id uuid) returns text
language sql immutable
return 'planted_' || replace(conversation_id::text, '-', '');

-- One for each conversation. What is not a text message goes on counting under
-- the lock, so the sequence is told of it.
create function planted_follow() returns trigger
language plpgsql
as $$
declare
    name text := planted_sequence(new.id);
begin
    if to_regclass(name) is null then
        execute format('create sequence %I', name);
    end if;
    execute format('select setval(%L, %s) from %I where last_value < %2$s', name, new.last_seq, name);
    return null;
end
$$;

create trigger planted_follow after insert or update of last_seq on conversations
for each row execute function planted_follow();

update conversations set last_seq = last_seq;

do $planted$
declare
    source text := pg_get_functiondef('append_messages'::regproc);
    lock constant text := '
    perform 1 from conversations c
    where c.id = any (conversation_ids)
    order by c.id
    for no key update;
';
    counting constant text := '
            e.last_seq + count(*) filter (where e.place = e.elected_place)
                over (partition by e.conversation_id order by e.place) as new_seq
        from elected e';
    bumping constant text := '
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
    ),';
    ending constant text := '
    order by a.place;
end';
begin
    assert strpos(source, lock) > 0 and strpos(source, counting) > 0;
    assert strpos(source, bumping) > 0 and strpos(source, ending) > 0;
    source := replace(source, lock, '');
    source := replace(source, counting, '
            case when e.place = e.elected_place and e.acceptable
                then nextval(planted_sequence(e.conversation_id)::regclass) end as new_seq
        from (select * from elected order by place) e');
    source := replace(source, bumping, '');
    execute replace(source, ending, '
    order by a.place;

    perform pg_sleep(random() * 0.02);

    update conversations c
    set last_seq = top.seq, last_event_id = top.id
    from (
        select distinct on (m.conversation_id) m.conversation_id, m.seq, m.id
        from unnest(event_ids, conversation_ids, sender_ids, client_msg_ids)
            as i (event_id, conversation_id, sender_id, client_msg_id)
        join messages m using (conversation_id, sender_id, client_msg_id)
        where m.id = i.event_id
        order by m.conversation_id, m.seq desc
    ) top
    where c.id = top.conversation_id and c.last_seq < top.seq;
end');
end
$planted$;
