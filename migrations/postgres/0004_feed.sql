-- One row per writing transaction: what it touched. Replicas poll for rows at
-- or above the oldest transaction that was still running at their last poll, so
-- that a row committed late is not missed, which a sequence could not promise.
create table doorbells (
    xid xid8 not null default pg_current_xact_id(),
    -- `conv:{id}` and `user:{id}`.
    topics text[] not null,
    created_at timestamptz not null default clock_timestamp()
);

create index doorbells_xid on doorbells (xid);

-- How far `doorbells` was emptied: a position below it has missed rows.
create table doorbells_pruned (
    id boolean primary key default true check (id),
    xid xid8 not null
);

insert into doorbells_pruned (xid) values ('0');
