// What a message of a load test says: of which run it is, whose, which of theirs, and when it should
// have been sent; and what a recipient can tell from that.

/** Numbers that are remembered of one sender in one conversation. */
const REMEMBERED = 512;

/**
 * `after`: all messages of this sender in this conversation up to this number were answered before
 * this one was sent, so they stand before it in the log.
 */
export function write({ run, from, number, after, at, stage }, size) {
  const text = JSON.stringify({ run, from, number, after, at, stage });
  const short = size - text.length - 9;
  return short > 0 ? `${text.slice(0, -1)},"pad":"${'x'.repeat(short)}"}` : text;
}

/** Null for what nobody of a load test wrote. */
export function read(body) {
  if (typeof body !== 'string' || !body.startsWith('{"run":')) return null;
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

/** The messages of one sender in one conversation, as one recipient hears them. */
export class Sender {
  constructor() {
    this.numbers = new Set();
    this.floor = 0;
  }

  /** What is wrong with it: 'duplicated', 'out of order', or null. */
  heard({ number, after }) {
    if (this.numbers.has(number)) return 'duplicated';
    this.numbers.add(number);
    if (this.numbers.size > REMEMBERED) this.numbers.delete(this.numbers.values().next().value);
    const late = number <= this.floor;
    this.floor = Math.max(this.floor, after);
    return late ? 'out of order' : null;
  }
}
