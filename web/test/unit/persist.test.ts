import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Chats } from '../../src/core/sync/chats';
import { KEPT_CHATS, type Kept, keep, restore } from '../../src/core/sync/kept';
import { Pages } from '../../src/core/timeline/pages';
import type { Conversation, History } from '../../src/gen/wire';
import { Database } from '../../src/storage/db';
import { type ChatShelf, Persist } from '../../src/storage/persist';
import { FakeClock, settle } from '../helpers/clock';
import { ADA, added, C1, conversation, eventId, ME, message, updated, user } from '../helpers/wire';

const history = (from: number, to: number): History => ({
  messages: Array.from({ length: to - from + 1 }, (_, index) => message(from + index)),
  range: { from_seq: from, to_seq: to },
  has_more_before: from > 1,
  has_more_after: false,
});

let clock: FakeClock;
let chats: Chats;

const none = (): undefined => undefined;
const newChats = (): Chats =>
  new Chats(ME, { changed: none, listed: none, arrived: none, gap: none, stale: none });
const snapshot = (...items: Conversation[]): void =>
  chats.apply({ type: 'conversations', payload: { items, done: true } });
const held = () => {
  const chat = chats.find(C1);
  if (chat === undefined) throw new Error('not held');
  return chat;
};
/** The next visit: what is kept now, in new hands. */
const reload = (kept = keep(held(), none)): void => {
  chats = newChats();
  chats.restore(restore(structuredClone(kept), ME));
};
const open = async (page: History): Promise<void> => {
  new Pages(clock, () => Promise.resolve(page), none).open(held());
  await settle();
};

beforeEach(() => {
  clock = new FakeClock();
  chats = newChats();
});

describe('a conversation that outlasts its visit', () => {
  it('is the same afterwards: cursor, messages, unread count, marks', async () => {
    snapshot(conversation({ last_seq: 5, unread_count: 2, last_read_seq: 3 }));
    await open(history(1, 5));
    chats.apply(added(6));
    chats.apply(updated(7, 2, 'edited', { body: 'changed' }));
    held().advance(ADA, { seq: 4, at: '2026-11-23T13:00:00.000Z' });
    reload();
    expect(held().applied).toEqual({ seq: 7, event_id: eventId(7) });
    expect(held().unread.count).toBe(3);
    expect(held().unread.read).toBe(3);
    expect(held().marks.get(ADA)).toEqual({ seq: 4, at: '2026-11-23T13:00:00.000Z' });
    expect(held().timeline?.loaded).toBe(true);
    expect(held().timeline?.find(2)?.body).toBe('changed');
    expect(held().timeline?.messages).toHaveLength(6);
    expect(held().timeline?.hasMoreBefore).toBe(false);
  });

  it('goes on from its cursor: what was edited, deleted and said meanwhile comes as events', async () => {
    snapshot(conversation({ last_seq: 5 }));
    await open(history(1, 5));
    reload();
    expect(chats.hello()).toEqual({ [C1]: { seq: 5, event_id: eventId(5) } });
    snapshot(conversation({ last_seq: 8, unread_count: 2, unread_as_of_seq: 8 }));
    expect(held().timeline?.messages, 'nothing of it is here yet').toHaveLength(5);
    chats.apply(updated(6, 3, 'deleted'));
    chats.apply(added(7));
    chats.apply(added(8));
    expect(held().timeline?.find(3)?.deleted_at).not.toBeNull();
    expect(held().timeline?.messages.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 7, 8]);
    expect(held().unread.count).toBe(2);
  });

  it('is kept as of its cursor where the snapshot is ahead of the events', async () => {
    snapshot(conversation({ last_seq: 5 }));
    await open(history(1, 5));
    chats.hello();
    snapshot(conversation({ last_seq: 9, unread_count: 4, unread_as_of_seq: 9 }));
    chats.apply(added(6));
    reload();
    expect(held().applied.seq).toBe(6);
    expect(held().timeline?.messages.at(-1)?.seq).toBe(6);
    for (const seq of [7, 8, 9]) chats.apply(added(seq));
    expect(held().unread.count, 'counted by the server already').toBe(4);
  });

  it('is dropped by a reset, and by a list that does not name it', async () => {
    snapshot(conversation({ last_seq: 5 }));
    await open(history(1, 5));
    const kept = keep(held(), none);
    reload(kept);
    chats.hello();
    const other = conversation({ last_seq: 3, last_event_id: 'another log' });
    chats.apply({
      type: 'conversation.reset',
      conversation_id: C1,
      payload: { reason: 'fork', conversation: other },
    });
    expect(held().timeline).toBeUndefined();
    expect(held().applied).toEqual({ seq: 3, event_id: 'another log' });
    reload(kept);
    chats.hello();
    snapshot();
    expect(chats.find(C1)).toBeUndefined();
  });

  it('has its newest hundred messages, and a gap never joins them to others', async () => {
    snapshot(conversation({ last_seq: 300 }));
    await open(history(101, 300));
    held().timeline?.take(history(1, 50));
    reload();
    expect(held().timeline?.oldest).toBe(201);
    expect(held().timeline?.messages).toHaveLength(100);
    expect(held().timeline?.hasMoreBefore).toBe(true);
    expect(held().timeline?.gaps).toEqual([]);
  });

  it('has no messages if the newest were not in memory', async () => {
    snapshot(conversation({ last_seq: 5 }));
    reload();
    expect(held().timeline).toBeUndefined();
    await open(history(1, 5));
    expect(held().timeline?.loaded).toBe(true);
  });

  it('knows the names of those who wrote and are not named in it', async () => {
    snapshot(conversation({ last_seq: 1, participants: [] }));
    await open(history(1, 1));
    expect(keep(held(), user).people).toEqual([user(ADA)]);
  });
});

describe('writing behind', () => {
  let writes: { kept: Kept[]; ids: string[] }[];
  let signedIn: boolean;
  let complete: boolean;
  let persist: Persist;
  let answer: Promise<Kept[]>;

  const shelf: ChatShelf = {
    all: () => answer,
    write: (kept, ids) => {
      writes.push({ kept, ids: [...ids] });
      return Promise.resolve();
    },
  };

  beforeEach(() => {
    writes = [];
    signedIn = complete = true;
    answer = Promise.resolve([]);
    persist = new Persist({
      clock,
      shelf,
      find: (id) => chats.find(id),
      ordered: () => chats.ordered(),
      known: none,
      complete: () => complete,
      signedIn: () => signedIn,
    });
    snapshot(conversation({ last_seq: 5 }));
  });

  afterEach(() => persist.stop());

  it('happens half a second after the last change, and within five seconds of the first', async () => {
    persist.changed(C1);
    await clock.pass(400);
    persist.changed(C1);
    await clock.pass(400);
    expect(writes).toHaveLength(0);
    await clock.pass(100);
    expect(writes).toHaveLength(1);
    chats.apply(added(6));
    for (let turn = 0; turn < 12; turn += 1) {
      persist.changed(C1);
      await clock.pass(450);
    }
    expect(writes).toHaveLength(2);
  });

  it('happens at once when the page goes', async () => {
    persist.changed(C1);
    window.dispatchEvent(new Event('pagehide'));
    expect(writes).toHaveLength(1);
    await clock.pass(1_000);
    expect(writes, 'and not twice').toHaveLength(1);
  });

  it('leaves out what is on the disk already', async () => {
    persist.restored(held());
    persist.changed(C1);
    await clock.pass(500);
    expect(writes).toHaveLength(0);
    chats.apply(added(6));
    persist.changed(C1);
    await clock.pass(500);
    expect(writes[0]?.kept.map(({ applied }) => applied.seq)).toEqual([6]);
  });

  it('is bounded, and drops what was removed', async () => {
    const many = Array.from({ length: KEPT_CHATS + 5 }, (_, n) =>
      conversation({ id: `c${n}`, created_at: `2026-11-23T12:00:${String(n).padStart(2, '0')}Z` }),
    );
    snapshot(...many);
    for (const { id } of many) persist.changed(id);
    await clock.pass(500);
    expect(writes[0]?.kept).toHaveLength(KEPT_CHATS);
    expect(writes[0]?.ids).not.toContain('c0');
    chats.remove('c40');
    persist.changed('c40');
    await clock.pass(500);
    expect(writes[1]?.ids).not.toContain('c40');
  });

  it('leaves the disk alone until the server has told which conversations there are', async () => {
    complete = false;
    chats = newChats();
    persist.changed('a conversation with an unsent message');
    await clock.pass(500);
    window.dispatchEvent(new Event('pagehide'));
    expect(writes).toHaveLength(0);
    complete = true;
    snapshot(conversation({ last_seq: 5 }));
    persist.changed(C1);
    await clock.pass(500);
    expect(writes.map(({ ids }) => ids)).toEqual([[C1]]);
  });

  it('ends with the session', async () => {
    persist.changed(C1);
    signedIn = false;
    await clock.pass(500);
    window.dispatchEvent(new Event('pagehide'));
    expect(writes).toHaveLength(0);
  });

  it('does not wait for a database that does not answer', async () => {
    answer = new Promise(() => {});
    let loaded: Kept[] | undefined;
    void persist.load().then((kept) => {
      loaded = kept;
    });
    await clock.pass(2_999);
    expect(loaded).toBeUndefined();
    await clock.pass(1);
    expect(loaded).toEqual([]);
  });
});

describe('the database', () => {
  const kept = (id: string): Kept => ({
    conversation: conversation({ id }),
    applied: { seq: 1, event_id: eventId(1) },
    history: history(1, 1),
    people: [],
  });
  const ids = async (database: Database): Promise<string[]> =>
    (await database.chats().all()).map((one) => one.conversation.id);

  afterEach(() => {
    document.head.replaceChildren();
    return new Database('me').erase();
  });

  it('gives back what was written, and keeps only what it is told to', async () => {
    const database = new Database('me');
    await database.chats().write([kept('a'), kept('b')], new Set(['a', 'b']));
    expect(await ids(database)).toEqual(['a', 'b']);
    expect((await database.chats().all())[0]).toMatchObject(kept('a'));
    await database.chats().write([kept('c')], new Set(['b', 'c']));
    expect(await ids(database)).toEqual(['b', 'c']);
  });

  it('is one for each user', async () => {
    await new Database('me').chats().write([kept('a')], new Set(['a']));
    expect(await ids(new Database('other'))).toEqual([]);
    await new Database('other').erase();
  });

  it('ignores what another build has written', async () => {
    const database = new Database('me');
    await database.chats().write([kept('a')], new Set(['a']));
    const script = document.createElement('script');
    script.setAttribute('src', '/assets/index-newer.js');
    script.type = 'text/plain';
    document.head.append(script);
    expect(await ids(database)).toEqual([]);
  });

  it('is not brought back by a tab that is still open when another signs out', async () => {
    const tab = new Database('me');
    await tab.chats().write([kept('a')], new Set(['a']));
    await new Database('me').erase();
    await expect(tab.chats().write([kept('a')], new Set(['a']))).rejects.toThrow('erased');
    const names = await indexedDB.databases();
    expect(names.map(({ name }) => name)).not.toContain('parley.me');
  });

  it('keeps the letters of a visit with an older version of it', async () => {
    const letter = { client_msg_id: 'x', conversation_id: C1, body: 'unsent', at: 1 };
    await new Promise<void>((resolve) => {
      const request = indexedDB.open('parley.me', 1);
      request.onupgradeneeded = () =>
        request.result.createObjectStore('outbox', { keyPath: 'client_msg_id' }).put(letter);
      request.onsuccess = () => {
        request.result.close();
        resolve();
      };
    });
    expect(await new Database('me').shelf().all()).toEqual([letter]);
    expect(await ids(new Database('me'))).toEqual([]);
  });
});
