import { describe, expect, it } from 'vitest';
import { dayOf, onDay, shortly, timeOf } from '../../src/core/time/format';

const now = new Date(2026, 10, 25, 15, 30).getTime();
const at = (month: number, day: number, hour = 12, year = 2026): string =>
  new Date(year, month - 1, day, hour).toISOString();
const intl = (time: string, style: Intl.DateTimeFormatOptions): string =>
  new Intl.DateTimeFormat(undefined, style).format(new Date(time));

describe('days', () => {
  it('are told from one another by the reader’s midnight', () => {
    expect(dayOf(at(11, 25, 0), now)).toBe('Today');
    expect(dayOf(at(11, 24, 23), now)).toBe('Yesterday');
    expect(onDay(at(11, 24, 23), now)).toBe('yesterday');
  });

  it('are weekdays within a week, dates before that, with their year if it is another', () => {
    const long = { day: 'numeric', month: 'long' } as const;
    expect(dayOf(at(11, 19), now)).toBe(intl(at(11, 19), { weekday: 'long' }));
    expect(dayOf(at(11, 18), now)).toBe(intl(at(11, 18), long));
    expect(dayOf(at(11, 18, 12, 2025), now)).toBe(
      intl(at(11, 18, 12, 2025), { dateStyle: 'long' }),
    );
  });

  it('are times in the sidebar, on the day itself', () => {
    expect(shortly(at(11, 25, 9), now)).toBe(timeOf(at(11, 25, 9)));
    expect(shortly(at(11, 24, 9), now)).not.toContain(':');
  });
});
