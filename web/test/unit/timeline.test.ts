import { describe, expect, it } from 'vitest';
import { Chat } from '../../src/core/sync/chat';
import { type PageQuery, Pages } from '../../src/core/timeline/pages';
import { buildRows, type RowSource, reuseRows } from '../../src/core/timeline/rows';
import { Timeline } from '../../src/core/timeline/timeline';
import type { History } from '../../src/gen/wire';
import { FakeClock, settle } from '../helpers/clock';
import { ADA, conversation, ME, message } from '../helpers/wire';

const history = (from: number, to: number, more = from > 1): History => ({
  messages: Array.from({ length: to - from + 1 }, (_, index) => message(from + index)),
  range: { from_seq: from, to_seq: to },
  has_more_before: more,
  has_more_after: false,
});

const seqs = (timeline: Timeline): number[] => timeline.messages.map(({ seq }) => seq);

describe('Timeline', () => {
  it('joins pages and events in whatever order they come', () => {
    const timeline = new Timeline(10);
    timeline.put(message(11));
    timeline.advance(11);
    expect(timeline.loaded).toBe(false);
    expect(timeline.take(history(8, 11), true)).toBe(true);
    timeline.take(history(5, 7));
    timeline.put(message(12));
    timeline.put(message(12));
    timeline.advance(12);
    expect(seqs(timeline)).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('refuses a newest page that ends before the events that are here', () => {
    const timeline = new Timeline(10);
    expect(timeline.take(history(1, 9), true)).toBe(false);
    expect(timeline.loaded).toBe(false);
  });

  it('keeps a hole as a hole, until a page closes it', () => {
    const timeline = new Timeline(20);
    timeline.take(history(15, 20), true);
    timeline.take(history(1, 10));
    expect(timeline.gaps).toEqual([{ from_seq: 11, to_seq: 14 }]);
    expect(timeline.covers(12)).toBe(false);
    timeline.take(history(9, 14));
    expect(timeline.gaps).toEqual([]);
    expect(seqs(timeline)).toHaveLength(20);
  });

  it('hides what a page brings before its events, so that the order stays', () => {
    const timeline = new Timeline(10);
    timeline.take(history(8, 13), true);
    expect(seqs(timeline)).toEqual([8, 9, 10]);
    timeline.advance(12);
    expect(seqs(timeline)).toEqual([8, 9, 10, 11, 12]);
  });

  it('keeps the copy that was touched later, even one that came before its page', () => {
    const timeline = new Timeline(10);
    timeline.take(history(8, 10), true);
    timeline.put(message(3, { body: 'edited', updated_seq: 11 }));
    expect(seqs(timeline)).toEqual([8, 9, 10]);
    timeline.take(history(1, 7));
    expect(timeline.find(3)?.body).toBe('edited');
    timeline.put(message(3));
    expect(timeline.find(3)?.body).toBe('edited');
  });

  it('keeps only the newest when it is left', () => {
    const timeline = new Timeline(300);
    timeline.take(history(1, 300), true);
    expect(timeline.hasMoreBefore).toBe(false);
    timeline.trim();
    expect(timeline.oldest).toBe(101);
    expect(timeline.messages).toHaveLength(200);
    expect(timeline.hasMoreBefore).toBe(true);
  });
});

describe('Pages', () => {
  const setup = (answers: (History | Error)[]) => {
    const clock = new FakeClock();
    const chat = new Chat(conversation({ last_seq: 10 }), ME);
    const asked: PageQuery[] = [];
    const fetch = (_: string, query: PageQuery): Promise<History> => {
      asked.push(query);
      const answer = answers.shift() ?? new Error('no more answers');
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    };
    return { clock, chat, asked, pages: new Pages(clock, fetch, () => {}) };
  };

  it('loads the newest page once, then older ones from its edge', async () => {
    const { chat, asked, pages } = setup([history(6, 10), history(1, 5)]);
    pages.open(chat);
    pages.open(chat);
    await settle();
    pages.loadOlder(chat);
    pages.loadOlder(chat);
    await settle();
    pages.loadOlder(chat);
    expect(asked).toEqual([{}, { before: 6 }]);
    expect(chat.timeline?.hasMoreBefore).toBe(false);
  });

  it('asks again for a page that was behind', async () => {
    const { clock, chat, asked, pages } = setup([history(1, 8), history(1, 10)]);
    pages.open(chat);
    await clock.pass(1_000);
    expect(asked).toHaveLength(2);
    expect(chat.timeline?.loaded).toBe(true);
  });

  it('says so when it fails, and can be asked again', async () => {
    const { chat, pages } = setup([new Error('no'), history(1, 10)]);
    pages.open(chat);
    await settle();
    expect(pages.newest(chat)).toBe('failed');
    pages.open(chat);
    await settle();
    expect(pages.newest(chat)).toBe('idle');
  });
});

describe('rows', () => {
  const at = (minute: number): string => new Date(2026, 10, 23, 12, minute).toISOString();
  const source = (fields: Partial<RowSource>): RowSource => ({
    me: ME,
    entries: [],
    before: undefined,
    pending: [],
    complete: false,
    newAfter: undefined,
    partner: undefined,
    readers: new Map(),
    find: () => undefined,
    ...fields,
  });
  const kinds = (fields: Partial<RowSource>): string[] =>
    buildRows(source(fields)).map((row) => row.kind);

  it('group what one sender says within five minutes', () => {
    const rows = buildRows(
      source({
        entries: [
          message(1, { created_at: at(0) }),
          message(2, { created_at: at(4) }),
          message(3, { created_at: at(10) }),
          message(4, { created_at: at(11), sender_id: ME }),
        ],
      }),
    );
    const firsts = rows.flatMap((row) => (row.kind === 'message' ? [row.first] : []));
    expect(firsts).toEqual([true, false, true, true]);
  });

  it('divide days once each, and never go back in time', () => {
    const day = (date: number): string => new Date(2026, 10, date, 12).toISOString();
    const messages = [1, 2, 1, 3].map((date, index) =>
      message(index + 1, { created_at: day(date) }),
    );
    expect(kinds({ entries: messages }).filter((kind) => kind === 'day')).toHaveLength(3);
    const keys = buildRows(source({ entries: messages })).map((row) => row.key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('put "New" before the first text of others above the mark', () => {
    const messages = [
      message(1),
      message(2, { sender_id: ME }),
      message(3, { kind: 'system', body: null, system: { event: 'created' } }),
      message(4),
    ];
    expect(kinds({ entries: messages, newAfter: 1 })).toEqual([
      'day',
      'message',
      'message',
      'system',
      'new',
      'message',
    ]);
    expect(kinds({ entries: messages, newAfter: 4 })).not.toContain('new');
  });

  it('show "Seen" under my last message that was read, and "Sent" under a newer one', () => {
    const messages = [1, 2, 3].map((seq) => message(seq, { sender_id: ME }));
    const seenAt = at(30);
    const rows = buildRows(source({ entries: messages, partner: { seq: 2, at: seenAt } }));
    const own = rows.flatMap((row) => (row.kind === 'message' ? [[row.seenAt, row.state]] : []));
    expect(own).toEqual([
      [undefined, 'none'],
      [seenAt, 'none'],
      [undefined, 'sent'],
    ]);
  });

  it('keep a message under its key from writing to the log, and never show it twice', () => {
    const item = { client_msg_id: 'x', conversation_id: 'c', body: 'hi', at: Date.parse(at(1)) };
    const before = buildRows(source({ pending: [{ ...item, state: 'sending' }] }));
    const confirmed = message(1, { sender_id: ME, client_msg_id: 'x' });
    const after = buildRows(
      source({ entries: [confirmed], pending: [{ ...item, state: 'sent', seq: 1 }] }),
    );
    expect(before.at(-1)?.key).toBe('c:x');
    expect(after.filter((row) => row.key === 'c:x')).toHaveLength(1);
    expect(after).toHaveLength(2);
  });

  it('look the same wherever the window begins', () => {
    const entries = [1, 2, 3].map((seq) => message(seq, { created_at: at(seq) }));
    const whole = buildRows(source({ entries }));
    const [before, ...rest] = entries;
    const part = buildRows(source({ entries: rest, before }));
    expect(part).toEqual(whole.slice(2));
  });

  it('show readers of a group where each of them is', () => {
    const entries = [1, 2, 3].map((seq) => message(seq));
    const readers = new Map([
      [ADA, { seq: 2, at: null }],
      ['bo', { seq: 9, at: null }],
      [ME, { seq: 3, at: null }],
    ]);
    const rows = buildRows(source({ entries, readers }));
    expect(rows.flatMap((row) => (row.kind === 'message' ? [row.readers] : []))).toEqual([
      [],
      [ADA],
      ['bo'],
    ]);
  });

  it('quote what a message answers, and say when it is not here', () => {
    const entries = [message(5, { reply_to_seq: 2 }), message(6, { reply_to_seq: 4 })];
    const find = (seq: number) => (seq === 2 ? message(2, { body: 'first' }) : undefined);
    const quotes = buildRows(source({ entries, find })).flatMap((row) =>
      row.kind === 'message' ? [row.quote] : [],
    );
    expect(quotes).toEqual([
      { seq: 2, sender: ADA, body: 'first' },
      { seq: 4, sender: undefined, body: undefined },
    ]);
  });

  it('do not confuse client ids of different senders', () => {
    const messages = [
      message(1, { sender_id: ADA, client_msg_id: 'x' }),
      message(2, { sender_id: ME, client_msg_id: 'x' }),
    ];
    const keys = buildRows(source({ entries: messages })).map((row) => row.key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('stay the same objects where nothing changed', () => {
    const messages = [message(1), message(2)];
    const before = reuseRows(new Map(), buildRows(source({ entries: messages })));
    const edited = [message(1), message(2, { body: 'other', updated_seq: 3 })];
    const after = reuseRows(before, buildRows(source({ entries: edited })));
    expect(after.get('s:1')).toBe(before.get('s:1'));
    expect(after.get('s:2')).not.toBe(before.get('s:2'));
  });
});
