import { beforeEach, describe, expect, it } from 'vitest';
import { type Letter, Outbox, type Shelf } from '../../src/core/outbox/outbox';
import { Refused, Unanswered } from '../../src/core/wire/session';
import type { SendAck } from '../../src/gen/wire';
import { FakeClock, settle } from '../helpers/clock';
import { C1, sendAck } from '../helpers/wire';

interface Attempt {
  letter: Letter;
  ack(seq: number): void;
  fail(error: Error): void;
}

let clock: FakeClock;
let stored: Map<string, Letter>;
let attempts: Attempt[];
let live: boolean;
let applied: number;
let ids: number;
let tabs: Outbox[];
let shelf: Shelf;
let turns: Promise<void>;

const kept: Shelf = {
  all: () => Promise.resolve([...stored.values()]),
  put: (letter) => Promise.resolve(void stored.set(letter.client_msg_id, letter)),
  remove: (id) => Promise.resolve(void stored.delete(id)),
};

/** A tab; the others hear what it tells. */
const make = (): Outbox => {
  const outbox: Outbox = new Outbox({
    clock,
    shelf,
    uuid: () => {
      ids += 1;
      return `id-${ids}`;
    },
    live: () => live,
    applied: () => applied,
    send: (letter) =>
      new Promise<SendAck>((resolve, reject) => {
        const ack = (seq: number): void => resolve(sendAck(letter.client_msg_id, seq));
        attempts.push({ letter, ack, fail: reject });
      }),
    changed: () => {},
    exclusively: (task) => {
      turns = turns.then(task);
      return turns;
    },
    tell: (news) => {
      for (const other of tabs) if (other !== outbox) other.heard(news);
    },
  });
  tabs.push(outbox);
  return outbox;
};

const attempt = (index: number): Attempt => {
  const found = attempts.at(index);
  if (found === undefined) throw new Error(`no attempt ${index}`);
  return found;
};

const states = (outbox: Outbox): string[] => outbox.of(C1).map((item) => item.state);

beforeEach(() => {
  clock = new FakeClock();
  stored = new Map();
  attempts = [];
  live = true;
  applied = 0;
  ids = 0;
  tabs = [];
  shelf = { ...kept };
  turns = Promise.resolve();
});

describe('the outbox', () => {
  it('stores a message before it sends it, and forgets it at the answer', async () => {
    const outbox = make();
    void outbox.add(C1, 'hello');
    await settle();
    expect(stored.get('id-1')?.body).toBe('hello');
    attempt(0).ack(1);
    await settle();
    expect(stored.size).toBe(0);
    expect(states(outbox)).toEqual(['sent']);
    outbox.reached(C1, 1);
    expect(states(outbox)).toEqual([]);
  });

  it('has one message in flight per conversation, in order', async () => {
    const outbox = make();
    void outbox.add(C1, 'one');
    void outbox.add(C1, 'two');
    void outbox.add('other', 'elsewhere');
    await settle();
    expect(attempts.map(({ letter }) => letter.body)).toEqual(['one', 'elsewhere']);
    attempt(0).ack(1);
    await settle();
    expect(attempt(-1).letter.body).toBe('two');
  });

  it('sends again with the same id until there is a definite answer', async () => {
    const outbox = make();
    void outbox.add(C1, 'one');
    await settle();
    attempt(0).fail(new Unanswered());
    await settle();
    expect(states(outbox)).toEqual(['waiting']);
    await clock.pass(30_000);
    attempt(1).fail(new Refused('outcome_unknown', 'Unknown.', true, 4_000));
    await clock.pass(3_900);
    expect(attempts).toHaveLength(2);
    await clock.pass(200);
    expect(attempts.map(({ letter }) => letter.client_msg_id)).toEqual(['id-1', 'id-1', 'id-1']);
    attempt(2).ack(7);
    await settle();
    expect(states(outbox)).toEqual(['sent']);
  });

  it('keeps the order while the first one is retried', async () => {
    const outbox = make();
    void outbox.add(C1, 'one');
    void outbox.add(C1, 'two');
    await settle();
    attempt(0).fail(new Unanswered());
    await clock.pass(30_000);
    expect(attempts.map(({ letter }) => letter.body)).toEqual(['one', 'one']);
  });

  it('waits for the connection, then tries at once', async () => {
    live = false;
    const outbox = make();
    void outbox.add(C1, 'one');
    await settle();
    await clock.pass(60_000);
    expect(attempts).toHaveLength(0);
    live = true;
    outbox.flushAll();
    await settle();
    expect(attempts).toHaveLength(1);
  });

  it('shows a refusal, lets the next one pass, and retries or discards on demand', async () => {
    const outbox = make();
    void outbox.add(C1, 'bad');
    void outbox.add(C1, 'good');
    await settle();
    attempt(0).fail(new Refused('not_found', 'You are not a member.', false, undefined));
    await settle();
    expect(states(outbox)).toEqual(['failed', 'sending']);
    expect(outbox.of(C1)[0]?.refused).toBe('You are not a member.');
    attempt(1).ack(1);
    await settle();
    outbox.retry('id-1');
    await settle();
    expect(attempt(-1).letter).toMatchObject({ client_msg_id: 'id-1', body: 'bad' });
    attempt(-1).fail(new Refused('not_found', 'No.', false, undefined));
    await settle();
    outbox.discard('id-1');
    expect(stored.size).toBe(0);
  });

  it('never discards what may have been committed', async () => {
    const outbox = make();
    void outbox.add(C1, 'one');
    await settle();
    outbox.discard('id-1');
    expect(states(outbox)).toEqual(['sending']);
  });

  it('does not take an expired token for a refusal of the message', async () => {
    const outbox = make();
    void outbox.add(C1, 'one');
    await settle();
    attempt(0).fail(new Refused('token_expired', 'Expired.', false, undefined));
    await settle();
    expect(states(outbox)).toEqual(['waiting']);
  });

  it('survives a reload, in order, with its ids', async () => {
    live = false;
    const before = make();
    void before.add(C1, 'one');
    void before.add(C1, 'two');
    await settle();
    live = true;
    const after = make();
    await settle();
    expect(after.of(C1).map((item) => item.client_msg_id)).toEqual(['id-1', 'id-2']);
    attempt(0).ack(1);
    await settle();
    expect(attempts.map(({ letter }) => letter.client_msg_id)).toEqual(['id-1', 'id-2']);
  });

  it('takes its own message in the log for an answer', async () => {
    const outbox = make();
    void outbox.add(C1, 'one');
    void outbox.add(C1, 'two');
    await settle();
    outbox.echoed('id-1');
    expect(attempt(-1).letter.body).toBe('two');
    attempt(0).ack(1);
    await settle();
    expect(states(outbox)).toEqual(['sending']);
  });

  it('drops an answered message at once when the log is already past it', async () => {
    applied = 9;
    const outbox = make();
    void outbox.add(C1, 'one');
    await settle();
    attempt(0).ack(9);
    await settle();
    expect(states(outbox)).toEqual([]);
  });

  it('lets one tab at a time send, and the other go on when it is gone', async () => {
    const [one, two] = [make(), make()];
    await settle();
    void one.add(C1, 'from one');
    void two.add(C1, 'from two');
    await settle();
    expect(attempts.map(({ letter }) => letter.body)).toEqual(['from one']);
    expect(two.of(C1).map(({ body }) => body)).toEqual(['from one', 'from two']);
    attempt(0).ack(1);
    await settle();
    expect(attempts.map(({ letter }) => letter.body)).toEqual(['from one', 'from two']);
    one.stop();
    await settle();
    expect(attempts.map(({ letter }) => letter.body)).toEqual(['from one', 'from two', 'from two']);
    attempt(2).ack(2);
    await settle();
    expect(stored.size).toBe(0);
    expect(states(one)).toEqual(['sent']);
  });

  it('does not show again what came down the log before the other tab told of it', async () => {
    const [one, two] = [make(), make()];
    tabs = [];
    await one.add(C1, 'faster than its letter');
    const [letter] = [...stored.values()];
    if (letter === undefined) throw new Error('not stored');
    two.echoed(letter.client_msg_id);
    two.heard(letter);
    expect(two.of(C1)).toEqual([]);
    two.heard(letter.client_msg_id);
    expect(two.unsent).toBe(0);
  });

  it('gives its turn up while there is no connection', async () => {
    const [one, two] = [make(), make()];
    live = false;
    void one.add(C1, 'in the dark');
    await settle();
    live = true;
    two.flushAll();
    await settle();
    expect(attempts).toHaveLength(1);
    attempt(0).ack(1);
    await settle();
    expect(one.unsent + two.unsent).toBe(0);
  });

  it('sends even where nothing can be stored', async () => {
    const broken = () => Promise.reject(new Error('no storage'));
    Object.assign(shelf, { put: broken, remove: broken });
    const outbox = make();
    await outbox.add(C1, 'hello');
    await settle();
    expect(attempts).toHaveLength(1);
  });
});
