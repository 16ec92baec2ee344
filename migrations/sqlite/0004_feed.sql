-- Nothing: here the feed is `pragma data_version`.
select 1;
