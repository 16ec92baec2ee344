import type { History, Message } from '../../gen/wire';

/** How much of a conversation stays in memory once it is left. */
const KEPT = 200;

/**
 * One conversation's messages in memory: a single stretch of the log without holes, from `from` to
 * the newest entry applied. Pages and events come in any order; of two copies of a message the one
 * that was touched later stays.
 */
export class Timeline {
  /** Ascending; may hold messages below `from` that an event brought before their page did. */
  private items: Message[] = [];
  /** Where the stretch starts; undefined until the newest page is here. */
  private from: number | undefined;
  hasMoreBefore = true;

  /** @param start the end of the log as applied when this timeline began to listen */
  constructor(private readonly start: number) {}

  get loaded(): boolean {
    return this.from !== undefined;
  }

  get oldest(): number | undefined {
    return this.from;
  }

  get messages(): Message[] {
    const from = this.from;
    return from === undefined ? [] : this.items.filter((message) => message.seq >= from);
  }

  find(seq: number): Message | undefined {
    const message = this.items[this.place(seq)];
    return message?.seq === seq ? message : undefined;
  }

  /** A message as an event tells it. */
  put(message: Message): void {
    const place = this.place(message.seq);
    const held = this.items[place];
    if (held?.seq !== message.seq) this.items.splice(place, 0, message);
    else if (message.updated_seq >= held.updated_seq) this.items[place] = message;
  }

  /** The newest page. False if it ends before the events that are already here: ask again. */
  newest(page: History): boolean {
    if (page.range.to_seq < this.start) return false;
    this.extend(page);
    return true;
  }

  /** The page before the oldest; ignored unless it continues the stretch. */
  older(page: History): void {
    if (this.from === undefined || page.range.to_seq < this.from - 1) return;
    this.extend(page);
  }

  /** Forgets all but the newest messages. */
  trim(): void {
    const first = this.items.at(-KEPT);
    if (this.from === undefined || first === undefined || first.seq <= this.from) return;
    this.from = first.seq;
    this.items = this.items.filter((message) => message.seq >= first.seq);
    this.hasMoreBefore = true;
  }

  private extend(page: History): void {
    for (const message of page.messages) this.put(message);
    this.from = Math.min(this.from ?? Number.POSITIVE_INFINITY, page.range.from_seq);
    this.hasMoreBefore = page.has_more_before;
  }

  /** The index of the first message at or above `seq`. */
  private place(seq: number): number {
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
