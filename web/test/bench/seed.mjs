// A long conversation in seconds: into the database of a gateway that is not running.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const SEED = `
pragma synchronous = off;
create temp table template as
  select c.id as conversation, c.last_seq as last, m.sender_id as sender, m.created_at as at
  from conversations c join messages m on m.conversation_id = c.id and m.seq = c.last_seq
  where c.id = X'$id';
with recursive n(n) as (select 1 union all select n + 1 from n where n < $count)
insert into messages
  (conversation_id, seq, id, sender_id, client_msg_id, kind, body, created_at, updated_seq)
select conversation, last + n, randomblob(16), sender, randomblob(16), 'text',
  rtrim('line ' || n || ' ' || substr('$words', 1, (n % 23) * 5)), at + n, last + n
from template, n;
update conversations set last_seq = last_seq + $count where id = X'$id';
update conversations set last_event_id =
  (select m.id from messages m where m.conversation_id = X'$id' and m.seq = last_seq)
where id = X'$id';
`;

/**
 * Adds `count` messages of whoever wrote the newest one.
 * @param {string} data @param {string} conversation @param {number} count
 */
export function seed(data, conversation, count) {
  const input = SEED.replaceAll('$id', conversation.replaceAll('-', ''))
    .replaceAll('$count', String(count))
    .replaceAll('$words', 'word '.repeat(23));
  const database = join(data, 'parley.db');
  const { status, stderr, error } = spawnSync('sqlite3', ['-bail', database], {
    input,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`sqlite3: ${error?.message ?? stderr}`);
}
