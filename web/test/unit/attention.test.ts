import { beforeEach, describe, expect, it } from 'vitest';
import { isNews, type Situation } from '../../src/core/notify';
import { TypingList, TypingSignal } from '../../src/core/presence/typing';
import { ReadTracker } from '../../src/core/read/tracker';
import { lengthOf, sendable } from '../../src/core/text/limits';
import { createAnnouncer } from '../../src/state/announcer';
import { createToasts, type Toasts } from '../../src/state/toasts';
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
  const seen = { attentive: true, seen: 5, newest: 5 };

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
    tracker.update({ ...seen, seen: 2 });
    await clock.pass(500);
    tracker.update({ ...seen, seen: 2, newest: 7 });
    await clock.pass(500);
    expect(marks).toEqual([7]);
    tracker.update({ ...seen, seen: 7, newest: 9 });
    await clock.pass(5_000);
    expect(marks).toEqual([7]);
    tracker.update({ ...seen, seen: 9, newest: 9 });
    await clock.pass(1_000);
    expect(marks).toEqual([7, 9]);
  });

  it('goes on while messages keep coming', async () => {
    const { marks, tracker } = setup();
    tracker.update(seen);
    await clock.pass(1_000);
    for (let newest = 6; newest < 12; newest += 1) {
      tracker.update({ ...seen, seen: newest, newest });
      await clock.pass(400);
    }
    await clock.pass(2_000);
    expect(marks[0]).toBe(5);
    expect(marks.at(-1)).toBe(11);
    expect(marks.length).toBeGreaterThan(2);
  });
});

describe('reading later', () => {
  it('needs its whole second on screen: what scrolls by is not read', async () => {
    const marks: number[] = [];
    const tracker = new ReadTracker(clock, (seq) => marks.push(seq));
    tracker.update({ attentive: true, seen: 5, newest: 5 });
    await clock.pass(1_000);
    tracker.update({ attentive: true, seen: 20, newest: 30 });
    await clock.pass(900);
    tracker.update({ attentive: true, seen: 8, newest: 30 });
    await clock.pass(900);
    expect(marks).toEqual([5]);
    await clock.pass(100);
    expect(marks).toEqual([5, 8]);
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
  const ids = (toasts: Toasts): string[] => toasts.list().map(({ id }) => id);

  it('go after four seconds', async () => {
    const toasts = createToasts(clock);
    toasts.incoming(toast('a'));
    await clock.pass(3_999);
    expect(toasts.list()).toHaveLength(1);
    await clock.pass(1);
    expect(toasts.list()).toHaveLength(0);
  });

  it('stay while they are looked at, and while nobody can see the page', async () => {
    const toasts = createToasts(clock);
    toasts.incoming(toast('a'));
    toasts.hold('a');
    await clock.pass(60_000);
    expect(toasts.list()).toHaveLength(1);
    toasts.pause(true);
    toasts.release('a');
    toasts.incoming(toast('b'));
    await clock.pass(60_000);
    expect(ids(toasts)).toEqual(['a', 'b']);
    toasts.pause(false);
    await clock.pass(4_000);
    expect(toasts.list()).toHaveLength(0);
  });

  it('are one per conversation, with its newest message and their number, three at most', () => {
    const toasts = createToasts(clock);
    for (const id of ['a', 'b', 'c', 'd']) toasts.incoming(toast(id));
    toasts.incoming(toast('c', 'newer'));
    expect(ids(toasts)).toEqual(['b', 'd', 'c']);
    expect(toasts.list().at(-1)).toMatchObject({ preview: 'newer', count: 2 });
  });

  it('tell when a notice has ended, unless its action was taken', async () => {
    const toasts = createToasts(clock);
    const told: string[] = [];
    const undo = { label: 'Undo', run: () => told.push('undone') };
    toasts.notice({ text: 'one', action: undo }, () => told.push('settled'));
    await clock.pass(4_000);
    toasts.notice({ text: 'two', action: undo }, () => told.push('settled'));
    const [shown] = toasts.list();
    if (shown?.kind === 'notice') shown.action?.run();
    await clock.pass(10_000);
    expect(told).toEqual(['settled', 'undone']);
  });
});

describe('announcements', () => {
  it('come in one go, and beyond a few as their number', async () => {
    const announcer = createAnnouncer(clock);
    announcer.say('one');
    announcer.say('two');
    await clock.pass(500);
    expect(announcer.said()).toBe('one. two');
    for (const line of ['a', 'b', 'c', 'd']) announcer.say(line);
    await clock.pass(500);
    expect(announcer.said()).toBe('4 new messages');
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
