import { afterEach, beforeEach, expect, it } from 'vitest';
import { onWake } from '../../src/core/wire/wake';
import { watchIdle } from '../../src/state/idle';
import { FakeClock } from '../helpers/clock';

let clock: FakeClock;
let nudges: number;
let stop = (): void => {};

beforeEach(() => {
  clock = new FakeClock();
  nudges = 0;
  stop = onWake(clock, () => {
    nudges += 1;
  });
});
afterEach(() => stop());

it('a hole of twenty seconds in the clock means that the machine slept', async () => {
  await clock.pass(60_000);
  expect(nudges).toBe(0);
  clock.sleep(20_000);
  await clock.pass(5_000);
  expect(nudges).toBe(1);
});

it('networks, pages and tabs that come back are good moments too', () => {
  for (const event of ['online', 'offline', 'pageshow', 'focus'])
    window.dispatchEvent(new Event(event));
  document.dispatchEvent(new Event('resume'));
  document.dispatchEvent(new Event('visibilitychange'));
  expect(nudges).toBe(6);
  stop();
  window.dispatchEvent(new Event('online'));
  expect(nudges).toBe(6);
});

it('five minutes without a sign of life are away, and the next one is back', async () => {
  const told: boolean[] = [];
  const end = watchIdle(clock, (away) => told.push(away));
  await clock.pass(4 * 60_000);
  window.dispatchEvent(new Event('keydown'));
  await clock.pass(4 * 60_000);
  expect(told).toEqual([]);
  await clock.pass(60_000);
  window.dispatchEvent(new Event('pointermove'));
  expect(told).toEqual([true, false]);
  end();
});
