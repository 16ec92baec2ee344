-- Nothing: here appending is a transaction of plain statements.
select 1;
