import { beforeEach, describe, expect, it } from 'vitest';
import { SignedOut } from '../../src/core/api/auth';
import { type Phase, Refused, Session, Unanswered } from '../../src/core/wire/session';
import type { ServerFrame } from '../../src/gen/wire';
import { FakeClock, settle } from '../helpers/clock';
import { FakeSocket } from '../helpers/socket';
import { C1, ready } from '../helpers/wire';

const CURSORS = { [C1]: { seq: 4, event_id: 'event-4' } };

let clock: FakeClock;
let sockets: FakeSocket[];
let phases: string[];
let frames: string[];
let expiredTokens: number;
let ticket: () => Promise<string>;
let session: Session;

const socket = (index: number): FakeSocket => {
  const found = sockets.at(index);
  if (found === undefined) throw new Error(`no socket ${index}`);
  return found;
};

beforeEach(() => {
  clock = new FakeClock();
  sockets = [];
  phases = [];
  frames = [];
  expiredTokens = 0;
  let tickets = 0;
  ticket = () => {
    tickets += 1;
    return Promise.resolve(`ticket-${tickets}`);
  };
  session = new Session({
    clock,
    random: () => 0.5,
    ticket: () => ticket(),
    open: (value) => {
      const made = new FakeSocket(value);
      sockets.push(made);
      return made;
    },
    hello: () => ({ cursors: CURSORS, client: 'web' }),
    tokenExpired: () => {
      expiredTokens += 1;
    },
    frame: (frame: ServerFrame) => frames.push(frame.type),
    phase: (phase: Phase) => phases.push(phase.name),
  });
});

const goLive = async (): Promise<FakeSocket> => {
  session.start();
  await settle();
  socket(-1).goLive(ready);
  return socket(-1);
};

describe('connecting', () => {
  it('opens with a ticket, says hello with the cursors, and counts only when live', async () => {
    session.start();
    await settle();
    expect(socket(0).ticket).toBe('ticket-1');
    socket(0).open();
    expect(socket(0).sent).toEqual([
      { type: 'hello', payload: { cursors: CURSORS, client: 'web' } },
    ]);
    socket(0).receive(ready);
    expect(session.phase.name).toBe('resuming');
    await expect(session.ask({ type: 'ping', payload: {} })).rejects.toBeInstanceOf(Unanswered);
    socket(0).receive({ type: 'live', payload: {} });
    expect(phases).toEqual(['connecting', 'resuming', 'live']);
  });

  it('uses a new ticket for every attempt', async () => {
    const first = await goLive();
    first.drop();
    await clock.pass(25_000);
    expect(socket(1).ticket).toBe('ticket-2');
  });

  it('waits and tries again when no ticket is to be had', async () => {
    const works = ticket;
    ticket = () => Promise.reject(new Error('no network'));
    session.start();
    await settle();
    expect(session.phase.name).toBe('waiting');
    ticket = works;
    await clock.pass(1_000);
    expect(sockets).toHaveLength(1);
  });

  it('gives up when only a new login helps, and starts again after it', async () => {
    const works = ticket;
    ticket = () => Promise.reject(new SignedOut());
    session.start();
    await settle();
    expect(session.phase.name).toBe('expired');
    await clock.pass(60_000);
    expect(sockets).toHaveLength(0);
    ticket = works;
    await goLive();
    expect(session.phase.name).toBe('live');
  });

  it('does not hang on a socket that never opens', async () => {
    session.start();
    await settle();
    await clock.pass(40_000);
    expect(socket(0).closed).toBe(true);
    expect(sockets.length).toBeGreaterThan(1);
  });
});

describe('an overloaded gateway', () => {
  it('is come back to when it says', async () => {
    session.start();
    await settle();
    socket(0).open();
    socket(0).receive(ready);
    socket(0).receive({ type: 'reconnect', payload: { after_ms: 7_000, reason: 'overloaded' } });
    socket(0).drop(1013);
    expect(session.phase.name).toBe('waiting');
    await clock.pass(6_900);
    expect(sockets).toHaveLength(1);
    await clock.pass(200);
    expect(sockets).toHaveLength(2);
  });

  it('is tried again later and later where it says nothing', async () => {
    session.start();
    await settle();
    // 503 before the upgrade, as a page sees it.
    for (const wait of [1_000, 900, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      const before = sockets.length;
      socket(-1).drop(1006);
      await clock.pass(wait - 50);
      expect(sockets).toHaveLength(before);
      await clock.pass(150);
      expect(sockets).toHaveLength(before + 1);
    }
  });
});

describe('ending', () => {
  it('takes silence for death', async () => {
    const live = await goLive();
    await clock.pass(30_000);
    live.receive({ type: 'heartbeat', payload: {} });
    await clock.pass(34_000);
    expect(session.phase.name).toBe('live');
    await clock.pass(1_500);
    expect(live.closed).toBe(true);
    expect(session.phase.name).not.toBe('live');
  });

  it('gives a probed connection three seconds', async () => {
    const live = await goLive();
    session.nudge();
    expect(live.sent.at(-1)).toEqual({ type: 'ping', payload: {} });
    await clock.pass(2_000);
    live.receive({ type: 'pong', id: null, payload: {} });
    await clock.pass(5_000);
    expect(session.phase.name).toBe('live');
    session.nudge();
    await clock.pass(3_100);
    expect(session.phase.name).not.toBe('live');
  });

  it('does not retry after 4403', async () => {
    (await goLive()).drop(4403);
    await clock.pass(60_000);
    expect(session.phase.name).toBe('expired');
    expect(sockets).toHaveLength(1);
  });

  it('asks for a new token after 4401, then reconnects', async () => {
    (await goLive()).drop(4401);
    expect(expiredTokens).toBe(1);
    await clock.pass(2_000);
    expect(sockets).toHaveLength(2);
  });

  it('never starts two attempts within a second, however often it is nudged', async () => {
    (await goLive()).drop();
    for (let click = 0; click < 5; click += 1) session.nudge();
    await clock.pass(900);
    expect(sockets).toHaveLength(1);
    await clock.pass(200);
    expect(sockets).toHaveLength(2);
  });

  it('hears nothing more of a connection that has ended', async () => {
    const first = await goLive();
    first.drop();
    const before = frames.length;
    first.receive({ type: 'heartbeat', payload: {} });
    expect(frames).toHaveLength(before);
  });
});

describe('a handover', () => {
  it('keeps the old connection until the new one is live', async () => {
    const old = await goLive();
    old.receive({ type: 'reconnect', payload: { after_ms: 1_500, reason: 'draining' } });
    await clock.pass(1_400);
    expect(sockets).toHaveLength(1);
    await clock.pass(200);
    const next = socket(1);
    next.open();
    next.receive(ready);
    expect(session.phase.name).toBe('live');
    expect(old.closed).toBe(false);
    old.receive({ type: 'heartbeat', payload: {} });
    next.receive({ type: 'live', payload: {} });
    expect(old.closed).toBe(true);
    expect(session.phase.name).toBe('live');
    expect(phases.filter((name) => name === 'waiting')).toHaveLength(0);
  });

  it('is one attempt only, even if the old connection ends meanwhile', async () => {
    const old = await goLive();
    old.receive({ type: 'reconnect', payload: { after_ms: 1_000, reason: 'draining' } });
    await clock.pass(1_100);
    old.drop(1012);
    expect(session.phase.name).toBe('connecting');
    await clock.pass(5_000);
    expect(sockets).toHaveLength(2);
    socket(1).goLive(ready);
    expect(session.phase.name).toBe('live');
  });

  it('waits as long as the server asked when the old connection ends first', async () => {
    const old = await goLive();
    old.receive({ type: 'reconnect', payload: { after_ms: 3_000, reason: 'draining' } });
    old.drop(1012);
    await clock.pass(2_900);
    expect(sockets).toHaveLength(1);
    await clock.pass(200);
    expect(sockets).toHaveLength(2);
  });
});

describe('questions', () => {
  const ask = () =>
    session.ask({ type: 'conversation.read', payload: { conversation_id: C1, seq: 1 } });

  it('are answered by id', async () => {
    const live = await goLive();
    const first = ask();
    const second = ask();
    const [a, b] = live.sent.slice(-2).map((frame) => frame.id ?? null);
    live.receive({ type: 'ack', id: b ?? null, payload: {} });
    const payload = { code: 'not_found', message: 'No.', retryable: false };
    live.receive({ type: 'error', id: a ?? null, payload });
    await expect(second).resolves.toEqual({});
    const refusal = await first.catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Refused);
    expect(refusal).toMatchObject({ code: 'not_found', retryable: false });
  });

  it('end unanswered with their connection, and after ten seconds', async () => {
    const live = await goLive();
    const dropped = ask();
    live.drop();
    await expect(dropped).rejects.toBeInstanceOf(Unanswered);
    await clock.pass(2_000);
    socket(-1).goLive(ready);
    const slow = ask();
    const outcome = expect(slow).rejects.toBeInstanceOf(Unanswered);
    await clock.pass(10_001);
    await outcome;
  });
});
