import { describe, expect, it } from 'vitest';
import { Backoff } from '../../src/core/wire/backoff';

describe('Backoff', () => {
  it('doubles its ceiling up to twenty seconds', () => {
    const backoff = new Backoff(() => 1);
    const delays = Array.from({ length: 8 }, () => backoff.next(0));
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
  });

  it('draws from zero to the ceiling', () => {
    const backoff = new Backoff(() => 0.25);
    backoff.next(0);
    expect(backoff.next(0)).toBe(250);
  });

  it('starts over after a connection that was live for ten seconds, not before', () => {
    const backoff = new Backoff(() => 1);
    backoff.next(0);
    backoff.next(0);
    backoff.ended(9_999);
    expect(backoff.next(0)).toBe(2_000);
    backoff.ended(10_000);
    expect(backoff.next(0)).toBe(500);
  });

  it('takes the delay that the server asks for, but never two attempts within a second', () => {
    const backoff = new Backoff(() => 0);
    backoff.attempted(5_000);
    expect(backoff.next(5_000, 7_000)).toBe(7_000);
    expect(backoff.next(5_000, 0)).toBe(1_000);
    expect(backoff.next(5_400)).toBe(600);
    expect(backoff.next(9_000)).toBe(0);
  });
});
