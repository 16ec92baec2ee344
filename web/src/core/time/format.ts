/** Formatters are slow to make and fast to use, so each is made once. */
const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long' });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' });
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

const DAY_MS = 86_400_000;

const midnight = (at: Date): number => new Date(at).setHours(0, 0, 0, 0);
const daysAgo = (at: Date, now: number): number =>
  Math.round((midnight(new Date(now)) - midnight(at)) / DAY_MS);

/** The local day of a moment; equal for all moments of that day. */
export const dayKey = (at: string): number => midnight(new Date(at));

export const timeOf = (at: string): string => time.format(new Date(at));
export const fullDate = (at: string): string => full.format(new Date(at));

/** "Today", "Yesterday", "Monday", "3 March", "3 March 2024". */
export const dayOf = (at: string, now: number): string => capital(onDay(at, now));

/** The same within a sentence. */
export function onDay(at: string, now: number): string {
  const day = new Date(at);
  const ago = daysAgo(day, now);
  if (ago === 0 || ago === 1) return relative.format(-ago, 'day');
  if (ago > 1 && ago < 7) return weekday.format(day);
  return (day.getFullYear() === new Date(now).getFullYear() ? dayOfYear : date).format(day);
}

/** As short as a sidebar needs it: the time today, else the date. */
export const shortly = (at: string, now: number): string =>
  daysAgo(new Date(at), now) === 0 ? timeOf(at) : shortDate.format(new Date(at));

const capital = (text: string): string => text.charAt(0).toLocaleUpperCase() + text.slice(1);
