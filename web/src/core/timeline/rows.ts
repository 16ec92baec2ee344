import type { Message, SeqRange, SystemEvent } from '../../gen/wire';
import type { Pending } from '../outbox/outbox';
import type { Mark } from '../sync/chat';
import { dayKey } from '../time/format';
import { type Entry, isGap } from './window';

/** What a message answers: enough to show one line of it. */
export interface Quote {
  seq: number;
  /** Undefined while the original is not here. */
  sender: string | undefined;
  /** Null when deleted, undefined while it is not here. */
  body: string | null | undefined;
}

export interface MessageRow {
  kind: 'message';
  key: string;
  /** Undefined until the server has given it its place. */
  seq: number | undefined;
  sender: string;
  own: boolean;
  /** The first of a group: shows who speaks. */
  first: boolean;
  /** Null when deleted. */
  body: string | null;
  at: string;
  edited: boolean;
  quote: Quote | undefined;
  /** How far an own message has come; `none` where that is not worth showing. */
  state: 'none' | 'waiting' | 'sent' | 'failed';
  /** When the other one read up to this message; empty if not known. */
  seenAt: string | undefined;
  /** Who of a group has read up to here and no further. */
  readers: string[];
  /** Why it failed. */
  refused: string | undefined;
  clientMessageId: string | undefined;
}

export type Row =
  | MessageRow
  | { kind: 'start'; key: string }
  | { kind: 'gap'; key: string; gap: SeqRange }
  | { kind: 'day'; key: string; at: string }
  | { kind: 'new'; key: string }
  | { kind: 'system'; key: string; seq: number; sender: string; system: SystemEvent; at: string };

export interface RowSource {
  me: string;
  entries: Entry[];
  /** The message before the first of `entries`. */
  before: Message | undefined;
  /** Unsent messages stand at the end, if the end is shown. */
  pending: Pending[];
  /** The conversation begins with the first of `entries`. */
  complete: boolean;
  /** Where the "New" divider stands: before the first text of others above this. */
  newAfter: number | undefined;
  /** How far the other one of a direct conversation has read. */
  partner: Mark | undefined;
  /** How far each of a group has read. */
  readers: ReadonlyMap<string, Mark>;
  find: (seq: number) => Message | undefined;
}

const GROUP_MS = 5 * 60_000;

/** What a conversation looks like, top to bottom. Keys stay the same while a message lives. */
export function buildRows(source: RowSource): Row[] {
  const rows: Row[] = source.complete ? [{ kind: 'start', key: 'start' }] : [];
  const { me, entries, partner } = source;
  const messages = entries.filter((entry): entry is Message => !isGap(entry));
  const confirmed = new Set(
    messages.flatMap((message) => (message.sender_id === me ? (message.client_msg_id ?? []) : [])),
  );
  const lastOwn = messages.findLast((message) => isOwnText(message, me));
  const lastSeen = messages.findLast(
    (message) => isOwnText(message, me) && message.seq <= (partner?.seq ?? 0),
  );
  const readers = readersAt(source, messages);
  const group = grouping(source.before);
  let divided = source.newAfter === undefined || (source.before?.seq ?? 0) > source.newAfter;

  const startDay = (at: string): void => {
    const day = dayKey(at);
    // Clocks may disagree; the order of the log does not follow them, and days only go forward.
    if (day <= group.day) return;
    group.start(day);
    rows.push({ kind: 'day', key: `day:${day}`, at });
  };

  for (const entry of entries) {
    if (isGap(entry)) {
      group.start(group.day);
      rows.push({ kind: 'gap', key: `gap:${entry.gap.from_seq}`, gap: entry.gap });
      continue;
    }
    const message = entry;
    const own = message.sender_id === me;
    startDay(message.created_at);
    if (!divided && !own && message.kind === 'text' && message.seq > (source.newAfter ?? 0)) {
      divided = true;
      group.start(group.day);
      rows.push({ kind: 'new', key: 'new' });
    }
    const { seq, sender_id: sender, created_at: at } = message;
    if (message.system !== null) {
      group.start(group.day);
      rows.push({ kind: 'system', key: `s:${seq}`, seq, sender, system: message.system, at });
      continue;
    }
    const seen = message === lastSeen;
    const quote = quoteOf(message.reply_to_seq, source);
    if (quote !== undefined) group.start(group.day);
    rows.push({
      kind: 'message',
      key: own && message.client_msg_id !== null ? `c:${message.client_msg_id}` : `s:${seq}`,
      seq,
      sender,
      own,
      first: group.next(sender, at),
      body: message.body,
      at,
      edited: message.edited_at !== null && message.deleted_at === null,
      quote: message.deleted_at === null ? quote : undefined,
      state: message === lastOwn && !seen ? 'sent' : 'none',
      seenAt: seen ? (partner?.at ?? '') : undefined,
      readers: readers.get(seq) ?? [],
      refused: undefined,
      clientMessageId: undefined,
    });
  }

  for (const item of source.pending) {
    if (confirmed.has(item.client_msg_id)) continue;
    const at = new Date(item.at).toISOString();
    startDay(at);
    const quote = quoteOf(item.reply_to_seq ?? null, source);
    if (quote !== undefined) group.start(group.day);
    rows.push({
      kind: 'message',
      key: `c:${item.client_msg_id}`,
      seq: undefined,
      sender: me,
      own: true,
      first: group.next(me, at),
      body: item.body,
      at,
      edited: false,
      quote,
      state: item.state === 'sending' ? 'waiting' : item.state,
      seenAt: undefined,
      readers: [],
      refused: item.refused,
      clientMessageId: item.client_msg_id,
    });
  }
  return rows;
}

const isOwnText = (message: Message, me: string): boolean =>
  message.sender_id === me && message.kind === 'text' && message.deleted_at === null;

function quoteOf(seq: number | null, { find }: RowSource): Quote | undefined {
  if (seq === null) return undefined;
  const original = find(seq);
  return { seq, sender: original?.sender_id, body: original?.body };
}

/** Who has reached which message: each reader stands at one place. */
function readersAt({ me, readers }: RowSource, messages: Message[]): Map<number, string[]> {
  const places = new Map<number, string[]>();
  const texts = messages.filter(({ kind }) => kind === 'text');
  const [oldest] = texts;
  if (oldest === undefined) return places;
  for (const [user, mark] of readers) {
    if (user === me || mark.seq < oldest.seq) continue;
    const place = texts.findLast(({ seq }) => seq <= mark.seq)?.seq ?? oldest.seq;
    places.set(place, [...(places.get(place) ?? []), user]);
  }
  return places;
}

/** Messages of one sender within five minutes stand together, unless something stands between. */
function grouping(before: Message | undefined) {
  const text = before?.kind === 'text';
  let sender = text ? before.sender_id : '';
  let last = text ? Date.parse(before.created_at) : 0;
  return {
    day: before === undefined ? Number.NEGATIVE_INFINITY : dayKey(before.created_at),
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

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = Object.entries(a);
  const right = b as Record<string, unknown>;
  return (
    left.length === Object.keys(b).length && left.every(([key, value]) => same(value, right[key]))
  );
}
