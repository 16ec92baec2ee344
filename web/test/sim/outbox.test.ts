// Two tabs, a connection that comes and goes, answers that get lost, tabs that die: each message
// ends in the log exactly once, in the order of its conversation.
import { array, assert, asyncProperty, constantFrom, nat, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Letter, Outbox, type Shelf } from '../../src/core/outbox/outbox';
import { Unanswered } from '../../src/core/wire/session';
import { FakeClock, settle } from '../helpers/clock';
import { C1, sendAck } from '../helpers/wire';

const action = record({
  kind: constantFrom(
    'write',
    'write',
    'answer',
    'lose the answer',
    'lose the send',
    'drop',
    'back',
    'die',
    'wait',
  ),
  tab: nat(1),
});

interface Attempt {
  letter: Letter;
  ack(): void;
  fail(): void;
}

async function play(actions: { kind: string; tab: number }[]) {
  const clock = new FakeClock();
  const stored = new Map<string, Letter>();
  const shelf: Shelf = {
    all: () => Promise.resolve([...stored.values()]),
    put: (letter) => Promise.resolve(void stored.set(letter.client_msg_id, letter)),
    remove: (id) => Promise.resolve(void stored.delete(id)),
  };
  const log: string[] = [];
  const written: string[] = [];
  let live = true;
  let ids = 0;
  let turns = Promise.resolve();
  const attempts: Attempt[] = [];
  const commit = (id: string): number => {
    if (!log.includes(id)) log.push(id);
    return log.indexOf(id) + 1;
  };
  const tabs: Outbox[] = [];
  const open = (): Outbox => {
    const outbox: Outbox = new Outbox({
      clock,
      shelf,
      uuid: () => {
        ids += 1;
        return `id-${String(ids).padStart(4, '0')}`;
      },
      live: () => live,
      applied: () => 0,
      send: (letter) =>
        new Promise((resolve, reject) => {
          const id = letter.client_msg_id;
          attempts.push({
            letter,
            ack: () => resolve(sendAck(id, commit(id))),
            fail: () => reject(new Unanswered()),
          });
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
    return outbox;
  };
  tabs.push(open(), open());
  const lost = (): void => {
    for (const attempt of attempts.splice(0)) attempt.fail();
  };
  for (const { kind, tab } of actions) {
    const outbox = tabs[tab];
    switch (kind) {
      case 'write':
        await clock.pass(1);
        written.push(`id-${String(ids + 1).padStart(4, '0')}`);
        void outbox?.add(C1, `text ${ids}`);
        break;
      case 'answer':
        attempts.shift()?.ack();
        break;
      case 'lose the answer': {
        const attempt = attempts.shift();
        if (attempt !== undefined) commit(attempt.letter.client_msg_id);
        attempt?.fail();
        break;
      }
      case 'lose the send':
        attempts.shift()?.fail();
        break;
      case 'drop':
        live = false;
        lost();
        break;
      case 'back':
        live = true;
        for (const each of tabs) each.flushAll();
        break;
      case 'die':
        outbox?.stop();
        lost();
        tabs[tab] = open();
        break;
      default:
        await clock.pass(5_000);
    }
    await settle();
  }
  live = true;
  for (let turn = 0; turn < 200 && stored.size > 0; turn += 1) {
    for (const each of tabs) each.flushAll();
    await clock.pass(1_000);
    for (const attempt of attempts.splice(0)) attempt.ack();
    await settle();
  }
  return { log, written, stored };
}

describe('messages on their way', () => {
  it('arrive once, in order, whatever happens to tabs and connections', async () => {
    await assert(
      asyncProperty(array(action, { maxLength: 40 }), async (actions) => {
        const { log, written, stored } = await play(actions);
        expect(stored.size).toBe(0);
        expect(log).toEqual(written);
      }),
      { numRuns: 150 },
    );
  });
});
