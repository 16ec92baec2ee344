import { beforeEach, describe, expect, it } from 'vitest';
import { isNews, type Situation } from '../../src/core/notify';
import { TypingList, TypingSignal } from '../../src/core/presence/typing';
import { ReadTracker } from '../../src/core/read/tracker';
import { lengthOf, sendable } from '../../src/core/text';
import { createToasts } from '../../src/state/toasts';
import { FakeClock } from '../helpers/clock';
import { ADA, C1, ME, message } from '../helpers/wire';

let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
});

describe('reading', () => {
  const setup = () => {
    const marks: number[] = [];
    return { marks, tracker: new ReadTracker(clock, (seq) => marks.push(seq)) };
  };
  const seen = { attentive: true, atBottom: true, newest: 5 };

  it('takes a second of attention', async () => {
    const { marks, tracker } = setup();
    tracker.update(seen);
    await clock.pass(999);
    expect(marks).toEqual([]);
    await clock.pass(1);
    expect(marks).toEqual([5]);
  });

  it('does not happen by a glance or in the background', async () => {
    const { marks, tracker } = setup();
    tracker.update(seen);
    await clock.pass(900);
    tracker.update({ ...seen, attentive: false });
    await clock.pass(5_000);
    tracker.update(seen);
    await clock.pass(900);
    tracker.stop();
    await clock.pass(5_000);
    expect(marks).toEqual([]);
  });

  it('reads everything at opening, wherever the view is, and later only what was seen', async () => {
    const { marks, tracker } = setup();
    tracker.update({ ...seen, atBottom: false });
    await clock.pass(500);
    tracker.update({ ...seen, atBottom: false, newest: 7 });
    await clock.pass(500);
    expect(marks).toEqual([7]);
    tracker.update({ ...seen, atBottom: false, newest: 9 });
    await clock.pass(5_000);
    expect(marks).toEqual([7]);
    tracker.update({ ...seen, newest: 9 });
    await clock.pass(1_000);
    expect(marks).toEqual([7, 9]);
  });

  it('goes on while messages keep coming', async () => {
    const { marks, tracker } = setup();
    tracker.update(seen);
    await clock.pass(1_000);
    for (let newest = 6; newest < 12; newest += 1) {
      tracker.update({ ...seen, newest });
      await clock.pass(400);
    }
    await clock.pass(2_000);
    expect(marks[0]).toBe(5);
    expect(marks.at(-1)).toBe(11);
    expect(marks.length).toBeGreaterThan(2);
  });
});

describe('news', () => {
  const situation: Situation = {
    me: ME,
    live: true,
    connectedAt: '2026-11-23T11:00:00.000Z',
    muted: false,
    watching: false,
  };

  it('is a text of somebody else, newer than the connection, that nobody watches', () => {
    expect(isNews(message(1), situation)).toBe(true);
    expect(isNews(message(1, { sender_id: ME }), situation)).toBe(false);
    expect(isNews(message(1), { ...situation, watching: true })).toBe(false);
    expect(isNews(message(1), { ...situation, muted: true })).toBe(false);
    expect(isNews(message(1), { ...situation, live: false })).toBe(false);
    expect(isNews(message(1, { body: null }), situation)).toBe(false);
    const system = { kind: 'system', body: null, system: { event: 'created' } } as const;
    expect(isNews(message(1, system), situation)).toBe(false);
    const later = { ...situation, connectedAt: '2026-11-23T12:00:00.001Z' };
    expect(isNews(message(1), later)).toBe(false);
  });
});

describe('toasts', () => {
  const toast = (conversation: string, preview = '') => ({ conversation, sender: ADA, preview });

  it('go after four seconds', async () => {
    const toasts = createToasts(clock);
    toasts.show(toast('a'));
    await clock.pass(3_999);
    expect(toasts.list()).toHaveLength(1);
    await clock.pass(1);
    expect(toasts.list()).toHaveLength(0);
  });

  it('stay while they are looked at', async () => {
    const toasts = createToasts(clock);
    toasts.show(toast('a'));
    toasts.hold('a');
    await clock.pass(60_000);
    expect(toasts.list()).toHaveLength(1);
    toasts.release('a');
    await clock.pass(4_000);
    expect(toasts.list()).toHaveLength(0);
  });

  it('are one per conversation, with its newest message, and three at most', () => {
    const toasts = createToasts(clock);
    for (const id of ['a', 'b', 'c', 'd']) toasts.show(toast(id));
    toasts.show(toast('c', 'newer'));
    expect(toasts.list().map(({ conversation }) => conversation)).toEqual(['b', 'd', 'c']);
    expect(toasts.list().at(-1)?.preview).toBe('newer');
  });
});

describe('typing', () => {
  it('of others ends by itself, by a stop, and with the connection', async () => {
    const typing = new TypingList(clock, () => {});
    const heard = (on: boolean): void =>
      typing.heard(C1, { user_id: ADA, typing: on, expires_in_ms: 6_000 });
    heard(true);
    await clock.pass(5_000);
    heard(true);
    await clock.pass(5_000);
    expect(typing.in(C1)).toEqual([ADA]);
    await clock.pass(1_000);
    expect(typing.in(C1)).toEqual([]);
    heard(true);
    heard(false);
    expect(typing.in(C1)).toEqual([]);
    heard(true);
    typing.clear();
    expect(typing.in(C1)).toEqual([]);
  });

  it('of mine is told at most every three seconds, and stops once', async () => {
    const told: string[] = [];
    const signal = new TypingSignal(clock, (id, typing) => told.push(`${id}:${String(typing)}`));
    signal.typed('a');
    signal.typed('a');
    await clock.pass(3_000);
    signal.typed('a');
    signal.typed('b');
    signal.stop();
    signal.stop();
    expect(told).toEqual(['a:true', 'a:true', 'a:false', 'b:true', 'b:false']);
  });
});

describe('a message text', () => {
  it('is trimmed, not empty, and within the limits of the server', () => {
    expect(sendable('  hello\n')).toBe('hello');
    expect(sendable(' \n\t')).toBeUndefined();
    expect(sendable('a\0b')).toBe('ab');
    expect(sendable('x'.repeat(4_000))).toHaveLength(4_000);
    expect(sendable('x'.repeat(4_001))).toBeUndefined();
    expect(lengthOf('👍'.repeat(10))).toBe(10);
    expect(sendable('👍'.repeat(4_000))).toBeDefined();
  });
});
