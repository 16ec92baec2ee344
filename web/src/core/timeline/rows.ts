import type { Message, SystemEvent } from '../../gen/wire';
import type { Pending } from '../outbox/outbox';
import type { Mark } from '../sync/chat';
import { dayKey } from '../time/format';

export interface MessageRow {
  kind: 'message';
  key: string;
  sender: string;
  own: boolean;
  /** The first of a group: shows who speaks. */
  first: boolean;
  /** Null when deleted. */
  body: string | null;
  at: string;
  edited: boolean;
  /** How far an own message has come; `none` where that is not worth showing. */
  state: 'none' | 'waiting' | 'sent' | 'failed';
  /** When the other one read up to this message; empty if not known. */
  seenAt: string | undefined;
  /** Why it failed. */
  refused: string | undefined;
  clientMessageId: string | undefined;
}

export type Row =
  | MessageRow
  | { kind: 'start'; key: string }
  | { kind: 'day'; key: string; at: string }
  | { kind: 'new'; key: string }
  | { kind: 'system'; key: string; sender: string; system: SystemEvent; at: string };

export interface RowSource {
  me: string;
  messages: Message[];
  pending: Pending[];
  /** The conversation begins with the first of `messages`. */
  complete: boolean;
  /** Where the "New" divider stands: before the first text of others above this. */
  newAfter: number | undefined;
  /** How far the other one of a direct conversation has read. */
  partner: Mark | undefined;
}

const GROUP_MS = 5 * 60_000;

/** What a conversation looks like, top to bottom. Keys stay the same while a message lives. */
export function buildRows(source: RowSource): Row[] {
  const rows: Row[] = source.complete ? [{ kind: 'start', key: 'start' }] : [];
  const { me, messages, partner } = source;
  const confirmed = new Set(
    messages.flatMap((message) => (message.sender_id === me ? (message.client_msg_id ?? []) : [])),
  );
  const lastOwn = messages.findLast((message) => isOwnText(message, me));
  const lastSeen = messages.findLast(
    (message) => isOwnText(message, me) && message.seq <= (partner?.seq ?? 0),
  );
  const group = grouping();
  let divided = source.newAfter === undefined;

  const startDay = (at: string): void => {
    const day = dayKey(at);
    // Clocks may disagree; the order of the log does not follow them, and days only go forward.
    if (day <= group.day) return;
    group.start(day);
    rows.push({ kind: 'day', key: `day:${day}`, at });
  };

  for (const message of messages) {
    const own = message.sender_id === me;
    startDay(message.created_at);
    if (!divided && !own && message.kind === 'text' && message.seq > (source.newAfter ?? 0)) {
      divided = true;
      group.start(group.day);
      rows.push({ kind: 'new', key: 'new' });
    }
    if (message.system !== null) {
      group.start(group.day);
      const { sender_id: sender, system, created_at: at } = message;
      rows.push({ kind: 'system', key: `s:${message.seq}`, sender, system, at });
      continue;
    }
    const seen = message === lastSeen;
    rows.push({
      kind: 'message',
      key:
        own && message.client_msg_id !== null ? `c:${message.client_msg_id}` : `s:${message.seq}`,
      sender: message.sender_id,
      own,
      first: group.next(message.sender_id, message.created_at),
      body: message.body,
      at: message.created_at,
      edited: message.edited_at !== null && message.deleted_at === null,
      state: message === lastOwn && !seen ? 'sent' : 'none',
      seenAt: seen ? (partner?.at ?? '') : undefined,
      refused: undefined,
      clientMessageId: undefined,
    });
  }

  for (const item of source.pending) {
    if (confirmed.has(item.client_msg_id)) continue;
    const at = new Date(item.at).toISOString();
    startDay(at);
    rows.push({
      kind: 'message',
      key: `c:${item.client_msg_id}`,
      sender: me,
      own: true,
      first: group.next(me, at),
      body: item.body,
      at,
      edited: false,
      state: item.state === 'sending' ? 'waiting' : item.state,
      seenAt: undefined,
      refused: item.refused,
      clientMessageId: item.client_msg_id,
    });
  }
  return rows;
}

const isOwnText = (message: Message, me: string): boolean =>
  message.sender_id === me && message.kind === 'text' && message.deleted_at === null;

/** Messages of one sender within five minutes stand together, unless something stands between. */
function grouping() {
  let sender = '';
  let last = 0;
  return {
    day: Number.NEGATIVE_INFINITY,
    start(day: number): void {
      this.day = day;
      sender = '';
    },
    next(who: string, when: string): boolean {
      const at = Date.parse(when);
      const first = who !== sender || at - last > GROUP_MS;
      sender = who;
      last = at;
      return first;
    },
  };
}

/** The new rows, with the old object for every row that did not change. */
export function reuseRows(before: Map<string, Row>, rows: Row[]): Map<string, Row> {
  return new Map(
    rows.map((row) => {
      const old = before.get(row.key);
      return [row.key, old !== undefined && same(old, row) ? old : row];
    }),
  );
}

function same(a: Row, b: Row): boolean {
  const left = Object.entries(a);
  const right = b as unknown as Record<string, unknown>;
  return (
    left.length === Object.keys(b).length && left.every(([key, value]) => right[key] === value)
  );
}
