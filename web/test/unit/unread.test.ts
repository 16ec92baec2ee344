import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Unread } from '../../src/core/read/unread';
import { conversation, ME, message } from '../helpers/wire';

const start = (count: number, asOf: number, read = 0): Unread =>
  new Unread(
    conversation({
      last_seq: asOf,
      unread_count: count,
      unread_as_of_seq: asOf,
      last_read_seq: read,
    }),
    ME,
  );

describe('the unread count', () => {
  it('adds only text of others above what the server counted', () => {
    const unread = start(2, 10);
    unread.added(message(9));
    unread.added(message(11));
    unread.added(message(12, { sender_id: ME }));
    unread.added(message(13, { kind: 'system', body: null, system: { event: 'created' } }));
    expect(unread.count).toBe(3);
  });

  it('subtracts a deletion only if that message was counted', () => {
    const unread = start(3, 10, 5);
    unread.deleted(message(4), 11, 1);
    unread.deleted(message(7, { sender_id: ME }), 12, 1);
    unread.deleted(message(8), 9, 1);
    expect(unread.count).toBe(3);
    unread.deleted(message(8), 13, 1);
    expect(unread.count).toBe(2);
    unread.deleted(message(7), 14, 8);
    expect(unread.count).toBe(2);
  });

  it('asks again when a deletion meets the cap', () => {
    const unread = start(100, 500);
    unread.added(message(501));
    expect(unread.count).toBe(100);
    expect(unread.unsure).toBe(false);
    unread.deleted(message(400), 502, 1);
    expect(unread.unsure).toBe(true);
  });

  it('ignores an older count and keeps what came after a newer one', () => {
    const unread = start(1, 10);
    unread.added(message(11));
    unread.added(message(12));
    unread.rebase({ count: 0, asOf: 11, read: 11 });
    expect(unread.count).toBe(1);
    unread.rebase({ count: 9, asOf: 10, read: 3 });
    expect(unread.count).toBe(1);
  });

  it('asks again when the server counted at an older end of the log', () => {
    const unread = start(5, 30, 5);
    unread.rebase({ count: 0, asOf: 20, read: 20 });
    expect(unread.unsure).toBe(true);
  });

  it('equals its definition after any events and any fresh counts', () => {
    interface Entry {
      seq: number;
      own: boolean;
      deletedAt: number | undefined;
    }
    const step = fc.oneof(
      fc.record({ do: fc.constant('send' as const), own: fc.boolean() }),
      fc.record({ do: fc.constant('delete' as const), pick: fc.nat() }),
      fc.record({ do: fc.constant('read' as const), back: fc.nat(5), lag: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const log: Entry[] = [];
        let last = 0;
        let read = 0;
        const truth = (asOf: number): number =>
          log.filter(
            ({ seq, own, deletedAt }) =>
              !own && seq > read && seq <= asOf && (deletedAt === undefined || deletedAt > asOf),
          ).length;
        const unread = start(0, 0);
        // What the client has heard of: counts come from the past, events in order.
        for (const now of steps) {
          if (now.do === 'send') {
            last += 1;
            log.push({ seq: last, own: now.own, deletedAt: undefined });
            unread.added(message(last, now.own ? { sender_id: ME } : {}));
          } else if (now.do === 'delete') {
            const alive = log.filter((entry) => entry.deletedAt === undefined);
            const target = alive[now.pick % Math.max(1, alive.length)];
            if (target === undefined) continue;
            last += 1;
            target.deletedAt = last;
            unread.deleted(message(target.seq, target.own ? { sender_id: ME } : {}), last, 1);
          } else {
            read = Math.max(read, last - now.back);
            const asOf = Math.max(read, last - now.lag);
            unread.rebase({ count: truth(asOf), asOf, read });
          }
          if (unread.unsure) {
            unread.rebase({ count: truth(last), asOf: last, read });
          }
          expect(unread.count).toBe(truth(last));
        }
      }),
    );
  });
});
