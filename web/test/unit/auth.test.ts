import { beforeEach, describe, expect, it } from 'vitest';
import { Auth, SignedOut } from '../../src/core/api/auth';
import { ApiError, type Call, NoAnswer } from '../../src/core/api/http';
import { uuid } from '../../src/core/id';
import { Healer } from '../../src/core/sync/healer';
import type { SyncResponse } from '../../src/gen/wire';
import { FakeClock, settle } from '../helpers/clock';

let clock: FakeClock;
let calls: string[];
let answer: (path: string, call: Call) => unknown;
let auth: Auth;

beforeEach(() => {
  clock = new FakeClock();
  calls = [];
  let tokens = 0;
  answer = (path) => {
    if (path !== '/auth/refresh') return 'answer';
    tokens += 1;
    return { access_token: `token-${tokens}`, expires_in: 900 };
  };
  const send = async <T>(path: string, call: Call = {}): Promise<T> => {
    calls.push(`${path} ${call.token ?? '-'}`);
    const result = answer(path, call);
    if (result instanceof Error) throw result;
    return await Promise.resolve(result as T);
  };
  auth = new Auth(clock, (task) => task(), send);
});

describe('Auth', () => {
  it('gets a token first, once for all who ask at the same time', async () => {
    await Promise.all([auth.request('/a'), auth.request('/b')]);
    expect(calls).toEqual(['/auth/refresh -', '/a token-1', '/b token-1']);
  });

  it('renews well before the end, and tells', async () => {
    const renewed: string[] = [];
    auth.onRenewed = (token) => renewed.push(token);
    auth.adopt({ access_token: 'first', expires_in: 900 });
    await clock.pass(770_000);
    expect(renewed).toEqual([]);
    await clock.pass(20_000);
    expect(renewed).toEqual(['token-1']);
  });

  it('renews a refused token and tries once more', async () => {
    auth.adopt({ access_token: 'old', expires_in: 900 });
    const works = answer;
    answer = (path, call) =>
      call.token === 'old' ? new ApiError(401, 'token_expired', '') : works(path, call);
    await expect(auth.request('/a')).resolves.toBe('answer');
    expect(calls).toEqual(['/a old', '/auth/refresh -', '/a token-1']);
  });

  it('says signed out only when the refresh is refused', async () => {
    answer = () => new NoAnswer();
    await expect(auth.request('/a')).rejects.toBeInstanceOf(NoAnswer);
    answer = () => new ApiError(503, 'unavailable', '');
    await expect(auth.request('/a')).rejects.toBeInstanceOf(ApiError);
    answer = () => new ApiError(401, 'signed_out', '');
    await expect(auth.request('/a')).rejects.toBeInstanceOf(SignedOut);
  });

  it('keeps trying to renew while there is no answer', async () => {
    auth.adopt({ access_token: 'first', expires_in: 900 });
    const works = answer;
    answer = () => new NoAnswer();
    await clock.pass(800_000);
    answer = works;
    await clock.pass(10_000);
    await auth.request('/a');
    expect(calls.at(-1)).toBe('/a token-1');
  });
});

describe('Healer', () => {
  const setup = (answers: (SyncResponse | Error)[]) => {
    const rounds: string[][] = [];
    let applied = 0;
    const healer = new Healer({
      clock,
      cursors: (first) => {
        rounds.push([...first]);
        return {};
      },
      ask: () => {
        const next = answers.shift() ?? new Error('no more answers');
        return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
      },
      apply: () => {
        applied += 1;
      },
      hopeless: (error) => error instanceof SignedOut,
    });
    return { healer, rounds, applied: () => applied };
  };
  const about = (id: string, complete: boolean): SyncResponse['conversations'][number] => ({
    id,
    status: 'ok',
    conversation: null,
    events: [],
    complete,
  });
  const complete: SyncResponse = { conversations: [], complete: true };

  it('asks once for gaps that come together', async () => {
    const { healer, rounds } = setup([complete, complete]);
    healer.gap('a');
    healer.gap('b');
    healer.gap('b');
    await clock.pass(1_000);
    expect(rounds).toEqual([['a'], ['b']]);
  });

  it('asks on until the answer is complete, through failures', async () => {
    const { healer, applied } = setup([
      new NoAnswer(),
      { conversations: [about('a', false)], complete: false },
      complete,
    ]);
    healer.gap('a');
    await clock.pass(10_000);
    expect(applied()).toBe(2);
  });

  it('asks again only about what it asked and was not told in full', async () => {
    const rest = { ...about('new', false), status: 'new' as const };
    const { healer, rounds } = setup([
      { conversations: [about('a', true), about('b', false), rest], complete: false },
      { conversations: [about('b', true), rest], complete: false },
      complete,
    ]);
    healer.gap('b');
    await clock.pass(60_000);
    expect(rounds).toEqual([['b'], ['b']]);
  });

  it('stops when nobody is signed in any more', async () => {
    const { healer, rounds } = setup([new SignedOut(), complete]);
    healer.gap('a');
    await clock.pass(60_000);
    expect(rounds).toHaveLength(1);
    healer.gap('a');
    await settle();
    expect(rounds).toHaveLength(2);
  });
});

describe('uuid', () => {
  it('is a version 4 UUID, and never the same', () => {
    const ids = new Set(Array.from({ length: 100 }, uuid));
    expect(ids.size).toBe(100);
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });
});
