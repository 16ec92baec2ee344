import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Chats } from '../../src/core/sync/chats';
import type { Conversation, ServerFrame, SyncConversation } from '../../src/gen/wire';
import { ADA, added, C1, conversation, ME, message, skip, updated } from '../helpers/wire';

let gaps: string[];
let stale: string[];
let arrived: number[];
let chats: Chats;

beforeEach(() => {
  gaps = [];
  stale = [];
  arrived = [];
  chats = new Chats(ME, {
    changed: () => {},
    listed: () => {},
    arrived: (_, news) => arrived.push(news.seq),
    gap: (id) => gaps.push(id),
    stale: (id) => stale.push(id),
  });
});

const snapshot = (items: Conversation[], done = true): void =>
  chats.apply({ type: 'conversations', payload: { items, done } });

const held = () => {
  const chat = chats.find(C1);
  if (chat === undefined) throw new Error('not held');
  return chat;
};

describe('the log', () => {
  beforeEach(() => snapshot([conversation({ last_seq: 5 })]));

  it('applies the next entry, ignores a known one, and calls a later one a gap', () => {
    chats.apply(added(6));
    chats.apply(added(6));
    chats.apply(added(3));
    expect(held().applied).toEqual({ seq: 6, event_id: 'event-6' });
    expect(arrived).toEqual([6]);
    chats.apply(added(8));
    expect(held().applied.seq).toBe(6);
    expect(gaps).toEqual([C1]);
    chats.apply(added(7));
    chats.apply(added(8));
    expect(held().applied.seq).toBe(8);
  });

  it('moves its cursor over what this user may not see', () => {
    chats.apply(skip(6));
    chats.apply(updated(7, 5, 'edited'));
    chats.apply(added(8));
    expect(held().applied.seq).toBe(8);
    expect(gaps).toEqual([]);
  });

  it('ends the same however often and in whatever order frames are repeated', () => {
    const frames = [
      added(6),
      updated(7, 6, 'edited'),
      skip(8),
      added(9),
      updated(10, 9, 'deleted'),
    ];
    fc.assert(
      fc.property(fc.array(fc.nat(frames.length - 1), { maxLength: 60 }), (order) => {
        snapshot([]);
        snapshot([conversation({ last_seq: 5 })]);
        for (const index of [...order, ...frames.keys()]) {
          const frame = frames[index];
          if (frame !== undefined) chats.apply(frame);
        }
        expect(held().applied).toEqual({ seq: 10, event_id: 'event-10' });
        expect(held().unread.count).toBe(1);
        expect(held().meta.last_message).toMatchObject({ seq: 9, body: null });
      }),
    );
  });

  it('keeps what the snapshot already holds when older events replay onto it', () => {
    chats.hello();
    snapshot([conversation({ last_seq: 8, last_message: message(8), title: 'New name' })]);
    expect(held().applied.seq).toBe(5);
    const system = { event: 'title_changed', title: 'Old name' } as const;
    chats.apply(added(6, { kind: 'system', body: null, system }));
    chats.apply(added(7));
    expect(held().meta).toMatchObject({ title: 'New name', last_seq: 8 });
    expect(held().meta.last_message?.seq).toBe(8);
    chats.apply(added(8));
    expect(held().applied.seq).toBe(8);
  });

  it('asks for the conversation again when its membership changed', () => {
    const system = { event: 'participant_added', user_ids: ['user-bo'] } as const;
    chats.apply(added(6, { kind: 'system', body: null, system: { ...system, user_ids: ['b'] } }));
    expect(stale).toEqual([C1]);
  });
});

describe('a resumption', () => {
  it('names every cursor', () => {
    snapshot([conversation({ last_seq: 5 }), conversation({ id: 'other', last_seq: 2 })]);
    expect(chats.hello()).toEqual({
      [C1]: { seq: 5, event_id: 'event-5' },
      other: { seq: 2, event_id: 'event-2' },
    });
  });

  it('drops what the complete snapshot no longer lists', () => {
    snapshot([conversation(), conversation({ id: 'other' })]);
    chats.hello();
    snapshot([conversation()], false);
    expect(chats.find('other')).toBeDefined();
    snapshot([], true);
    expect(chats.find('other')).toBeUndefined();
    expect(chats.find(C1)).toBeDefined();
  });

  it('starts at the snapshot where the hello had no cursor for what is held', () => {
    snapshot([conversation({ last_seq: 5 })]);
    snapshot([conversation({ last_seq: 9 })]);
    expect(held().applied.seq).toBe(9);
  });

  it('starts over at a reset, and forgets the messages', () => {
    snapshot([conversation({ last_seq: 5 })]);
    const chat = held();
    chats.apply(added(6));
    const payload = { reason: 'fork', conversation: conversation({ last_seq: 3 }) } as const;
    chats.apply({ type: 'conversation.reset', conversation_id: C1, payload });
    expect(held()).toBe(chat);
    expect(chat.applied).toEqual({ seq: 3, event_id: 'event-3' });
    expect(chat.timeline).toBeUndefined();
    chats.apply(added(4));
    expect(chat.applied.seq).toBe(4);
  });

  it('starts over when the conversation was left and joined again', () => {
    snapshot([conversation({ last_seq: 5 })]);
    const again = conversation({ last_seq: 12, joined_seq: 10 });
    chats.apply({ type: 'conversation.added', conversation_id: C1, payload: again });
    expect(held().applied.seq).toBe(12);
  });
});

describe('POST /sync', () => {
  const entry = (fields: Partial<SyncConversation>): SyncConversation => ({
    id: C1,
    status: 'ok',
    conversation: null,
    events: [],
    complete: true,
    ...fields,
  });

  it('closes a gap with the frames of the socket', () => {
    snapshot([conversation({ last_seq: 5 })]);
    chats.apply(added(8));
    const events: ServerFrame[] = [added(6), updated(7, 6, 'edited'), added(8)];
    chats.sync({ conversations: [entry({ events })], complete: true });
    expect(held().applied.seq).toBe(8);
    expect(held().unread.count).toBe(2);
  });

  it('knows new, reset and gone', () => {
    snapshot([conversation({ last_seq: 5 })]);
    const fresh = conversation({ id: 'new', last_seq: 2, joined_seq: 1 });
    chats.sync({
      conversations: [
        entry({ id: 'new', status: 'new', conversation: fresh, events: [] }),
        entry({ status: 'reset', conversation: conversation({ last_seq: 40 }) }),
      ],
      complete: true,
    });
    expect(chats.find('new')?.applied.seq).toBe(2);
    expect(held().applied.seq).toBe(40);
    chats.sync({ conversations: [entry({ status: 'gone' })], complete: true });
    expect(chats.find(C1)).toBeUndefined();
  });
});

describe('read marks', () => {
  it('of others only grow', () => {
    snapshot([conversation({ last_seq: 5 })]);
    const read = (seq: number): void =>
      chats.apply({
        type: 'conversation.read',
        conversation_id: C1,
        payload: { user_id: ADA, last_read_seq: seq, last_read_at: null },
      });
    read(4);
    read(2);
    expect(held().marks.get(ADA)?.seq).toBe(4);
  });

  it('of my other devices bring their count', () => {
    snapshot([conversation({ last_seq: 5, unread_count: 3 })]);
    chats.apply({
      type: 'conversation.read',
      conversation_id: C1,
      payload: {
        user_id: ME,
        last_read_seq: 5,
        last_read_at: null,
        unread_count: 0,
        unread_as_of_seq: 5,
      },
    });
    expect(held().unread.count).toBe(0);
  });
});
