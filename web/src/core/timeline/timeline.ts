import type { History, Message, SeqRange } from '../../gen/wire';
import { join, type Place, within } from './ranges';

/** How much of a conversation stays in memory once it is left. */
const KEPT = 200;
/** While it is read: so many on either side of the reader. */
const AROUND = 1_000;

/**
 * One conversation's messages in memory: stretches of the log, each without holes. The last one is
 * open at its end, and grows with the events. Pages and events come in any order; of two copies of
 * a message the one that was touched later stays.
 */
export class Timeline {
  /** Ascending; may hold messages outside of the stretches, that an event brought before a page. */
  private items: Message[] = [];
  private stretches: SeqRange[] = [];
  /** Where the conversation begins for this user; undefined until a page has said so. */
  private first: number | undefined;
  /** Counts changes, so that who has looked knows whether to look again. */
  version = 0;

  /** @param start the end of the log as applied when this timeline began to listen */
  constructor(private start: number) {
    this.stretches = [{ from_seq: start + 1, to_seq: start }];
  }

  /** The newest messages are here. */
  get loaded(): boolean {
    const live = this.live;
    return live.from_seq <= this.start || live.from_seq === this.first;
  }

  /** Anything is here that can be shown. */
  get shown(): boolean {
    return this.loaded || this.stretches.length > 1;
  }

  /** The messages of all stretches, ascending. */
  get messages(): Message[] {
    return this.stretches.flatMap(({ from_seq, to_seq }) => this.slice(from_seq, to_seq));
  }

  /** The oldest place in memory. */
  get oldest(): number | undefined {
    return this.shown ? this.stretches[0]?.from_seq : undefined;
  }

  get hasMoreBefore(): boolean {
    const [oldest] = this.stretches;
    return oldest === undefined || oldest.from_seq !== this.first;
  }

  /** Where the log is not known: between two stretches. */
  get gaps(): SeqRange[] {
    return this.stretches.slice(1).map((next, index) => ({
      from_seq: (this.stretches[index]?.to_seq ?? 0) + 1,
      to_seq: next.from_seq - 1,
    }));
  }

  /** Whether this place of the log is known. */
  covers(seq: number): boolean {
    return this.stretches.some((stretch) => within(stretch, seq));
  }

  find(seq: number): Message | undefined {
    const message = this.items[this.place(seq)];
    return message?.seq === seq ? message : undefined;
  }

  /** The messages from one place to another, both included; unknown places are left out. */
  slice(from: number, to: number): Message[] {
    const part = this.items.slice(this.place(from), this.place(to + 1));
    const whole = this.stretches.some((s) => s.from_seq <= from && to <= s.to_seq);
    return whole ? part : part.filter(({ seq }) => this.covers(seq));
  }

  /** The seq of the message that stands `count` known messages away from `seq`. */
  step(seq: number, count: number): number | undefined {
    const known = this.messages;
    const at = known.findIndex((message) => message.seq >= seq);
    const from = at === -1 ? known.length : at;
    const index = Math.min(known.length - 1, Math.max(0, from + count));
    return known[index]?.seq;
  }

  /** A message as an event tells it. */
  put(message: Message): void {
    const place = this.place(message.seq);
    const held = this.items[place];
    if (held?.seq !== message.seq) this.items.splice(place, 0, message);
    else if (message.updated_seq >= held.updated_seq) this.items[place] = message;
    this.version += 1;
  }

  /** The log is applied up to here. */
  advance(seq: number): void {
    this.live.to_seq = Math.max(this.live.to_seq, seq);
    this.version += 1;
  }

  /** A page. False if it should have reached the newest and does not: ask again. */
  take(page: History, newest = false): boolean {
    if (newest && page.range.to_seq < this.live.from_seq - 1) return false;
    for (const message of page.messages) this.put(message);
    if (!page.has_more_before) this.first = page.range.from_seq;
    const { range } = page;
    // Entries beyond what is applied come as events too, in their order.
    const known = { ...range, to_seq: Math.min(range.to_seq, this.live.to_seq) };
    this.stretches = join(this.stretches, known);
    this.version += 1;
    return true;
  }

  /** The newest messages as a page of them, which `take` takes back; none if they are not here. */
  newest(count: number): History | undefined {
    if (!this.loaded) return undefined;
    const { from_seq, to_seq } = this.live;
    const messages = this.slice(from_seq, to_seq);
    const range = { from_seq: messages.at(-count)?.seq ?? from_seq, to_seq };
    return {
      messages: messages.slice(-count),
      range,
      has_more_before: range.from_seq !== this.first,
      has_more_after: false,
    };
  }

  /** Forgets all but the newest messages. */
  trim(): void {
    const { from_seq, to_seq } = this.live;
    const first = this.slice(from_seq, to_seq).at(-KEPT)?.seq ?? from_seq;
    this.keep({ from_seq: Math.max(first, from_seq), to_seq });
  }

  /** Forgets what is far from the reader, who is at `seq`. */
  narrow(seq: number): void {
    if (this.items.length < 3 * AROUND) return;
    const from_seq = this.step(seq, -AROUND) ?? 0;
    const to_seq = this.step(seq, AROUND) ?? this.live.to_seq;
    this.keep({ from_seq, to_seq });
  }

  private keep(part: SeqRange): void {
    const { to_seq: end } = this.live;
    const cut = this.stretches.map(({ from_seq, to_seq }) => ({
      from_seq: Math.max(from_seq, part.from_seq),
      to_seq: Math.min(to_seq, part.to_seq),
    }));
    const left = cut.filter(({ from_seq, to_seq }) => from_seq <= to_seq);
    // The open end stays, even if nothing is left behind it.
    if (left.at(-1)?.to_seq !== end) {
      this.start = end;
      left.push({ from_seq: end + 1, to_seq: end });
    }
    this.stretches = left;
    this.items = this.items.filter(({ seq }) => this.covers(seq));
    this.version += 1;
  }

  /** The stretch that the events go on with. */
  private get live(): SeqRange {
    const last = this.stretches.at(-1);
    if (last === undefined) throw new Error('a timeline always has an end');
    return last;
  }

  /** The index of the first message at or above `seq`. */
  private place(seq: Place): number {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const message = this.items[middle];
      if (message !== undefined && message.seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
