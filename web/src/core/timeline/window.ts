import type { Message, SeqRange } from '../../gen/wire';
import type { Timeline } from './timeline';

/** So many entries are on the page at most… */
export const MOST = 160;
/** …and so many after a jump. */
const FEW = 80;
/** By so many the window moves. */
const STEP = 50;

/** A place in the list: a message, or a stretch of the log that is not here. */
export type Entry = Message | { gap: SeqRange };

export const isGap = (entry: Entry): entry is { gap: SeqRange } => 'gap' in entry;
const seqOf = (entry: Entry): number => (isGap(entry) ? entry.gap.from_seq : entry.seq);

/** Which part of a timeline is on the page. */
export class TimelineWindow {
  private from = 0;
  /** Infinite: whatever comes at the end is shown. */
  private to = Number.POSITIVE_INFINITY;
  private entries: Entry[] = [];
  private seen = -1;

  constructor(private readonly timeline: Timeline) {}

  /**
   * What is shown, and the message before it, which decides how the first one looks. Where that
   * has become too much, what is far from the reader goes: they are at a message, or at the end.
   */
  shown(reader: () => number | 'end'): { entries: Entry[]; before: Message | undefined } {
    this.refresh();
    let first = this.index(this.from);
    let end = this.index(this.to + 1);
    if (end - first > MOST) {
      const at = reader();
      if (at === 'end') first = end - FEW;
      else first = Math.min(Math.max(first, this.index(at) - MOST / 2), end - MOST);
      end = Math.min(end, first + MOST);
      this.hold(first, end);
    }
    const before = this.entries[first - 1];
    return {
      entries: this.entries.slice(first, end),
      before: before === undefined || isGap(before) ? undefined : before,
    };
  }

  /** Nothing older, or newer, is in memory. */
  get atStart(): boolean {
    this.refresh();
    return this.index(this.from) === 0;
  }

  /** Older ones should be on their way. */
  get nearStart(): boolean {
    this.refresh();
    return this.index(this.from) < STEP;
  }

  /** Whatever comes now makes something else go. */
  get full(): boolean {
    this.refresh();
    return this.index(this.to + 1) - this.index(this.from) > MOST - STEP;
  }

  get atEnd(): boolean {
    return this.to === Number.POSITIVE_INFINITY && this.timeline.loaded;
  }

  /** To the end, and whatever comes there. */
  end(): void {
    this.refresh();
    this.hold(this.entries.length - FEW, this.entries.length);
  }

  /** To a message, with some of either side. */
  around(seq: number): void {
    this.refresh();
    const at = this.index(seq);
    this.hold(at - FEW / 2, at + FEW / 2);
  }

  /** Shows older ones too; true if there were any. */
  up(): boolean {
    this.refresh();
    const first = this.index(this.from);
    if (first === 0) return false;
    const start = Math.max(0, first - STEP);
    this.hold(start, Math.min(this.index(this.to + 1), start + MOST));
    return true;
  }

  down(): boolean {
    this.refresh();
    const end = this.index(this.to + 1);
    if (end >= this.entries.length) return false;
    const stop = Math.min(this.entries.length, end + STEP);
    this.hold(Math.max(this.index(this.from), stop - MOST), stop);
    return true;
  }

  private hold(first: number, end: number): void {
    const last = this.entries[end - 1];
    this.from = seqOf(this.entries[Math.max(0, first)] ?? { gap: NOWHERE });
    this.to =
      end >= this.entries.length || last === undefined ? Number.POSITIVE_INFINITY : seqOf(last);
  }

  private refresh(): void {
    const { timeline } = this;
    if (this.seen === timeline.version) return;
    this.seen = timeline.version;
    const gaps = timeline.gaps.map((gap) => ({ gap }));
    this.entries = timeline.shown
      ? [...timeline.messages, ...gaps].toSorted((a, b) => seqOf(a) - seqOf(b))
      : [];
  }

  /** The index of the first entry at or above `seq`. */
  private index(seq: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.entries[middle];
      if (entry !== undefined && seqOf(entry) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const NOWHERE: SeqRange = { from_seq: 0, to_seq: 0 };
