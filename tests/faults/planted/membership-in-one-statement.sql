-- Plants a bug: the lock is taken, the membership read and the message inserted
-- in one statement. What it reads was true when it began; a removal that was
-- committed while it waited for the lock is not seen.
do $planted$
declare
    source text := pg_get_functiondef('append_messages'::regproc);
    lock constant text := '
    perform 1 from conversations c
    where c.id = any (conversation_ids)
    order by c.id
    for no key update;
';
    judging constant text := '
    judged as (';
    joined constant text := 'left join conversations c on';
begin
    assert strpos(source, lock) > 0 and strpos(source, judging) > 0 and strpos(source, joined) > 0;
    source := replace(source, lock, '');
    source := replace(source, joined, 'left join locked c on');
    execute replace(source, judging, '
    locked as materialized (
        select c.id, c.last_seq, c.last_event_id
        from conversations c
        where c.id = any (conversation_ids) and (select pg_sleep(0.01)) is not null
        order by c.id
        for no key update
    ),' || judging);
end
$planted$;
