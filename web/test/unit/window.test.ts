import { describe, expect, it } from 'vitest';
import { Timeline } from '../../src/core/timeline/timeline';
import { isGap, MOST, TimelineWindow } from '../../src/core/timeline/window';
import { message } from '../helpers/wire';

const filled = (from: number, to: number, end = to): Timeline => {
  const timeline = new Timeline(end);
  timeline.take({
    messages: Array.from({ length: to - from + 1 }, (_, index) => message(from + index)),
    range: { from_seq: from, to_seq: to },
    has_more_before: from > 1,
    has_more_after: to < end,
  });
  return timeline;
};

const seqs = (window: TimelineWindow, reader: number | 'end' = 0): number[] =>
  window
    .shown(() => reader)
    .entries.map((entry) => (isGap(entry) ? -entry.gap.from_seq : entry.seq));

describe('the window', () => {
  it('follows the end, and never holds more than its measure', () => {
    const timeline = filled(1, 1_000);
    const window = new TimelineWindow(timeline);
    window.end();
    for (let seq = 1_001; seq < 1_400; seq += 1) {
      timeline.put(message(seq));
      timeline.advance(seq);
      const shown = seqs(window, 'end');
      expect(shown.at(-1)).toBe(seq);
      expect(shown.length).toBeLessThanOrEqual(MOST);
    }
  });

  it('slides up and down without losing its place', () => {
    const window = new TimelineWindow(filled(1, 1_000));
    window.end();
    while (window.up());
    expect(seqs(window)[0]).toBe(1);
    expect(seqs(window).length).toBeLessThanOrEqual(MOST);
    expect(window.atEnd).toBe(false);
    while (window.down());
    expect(seqs(window).at(-1)).toBe(1_000);
    expect(window.atEnd).toBe(true);
  });

  it('does not take the reader along when messages come while they read history', () => {
    const timeline = filled(1, 150);
    const window = new TimelineWindow(timeline);
    const before = seqs(window);
    for (let seq = 151; seq < 300; seq += 1) {
      timeline.put(message(seq));
      timeline.advance(seq);
    }
    expect(seqs(window).slice(0, before.length)).toEqual(before);
    expect(seqs(window).length).toBeLessThanOrEqual(MOST);
  });

  it('centres a message, and shows what is missing as an entry of its own', () => {
    const timeline = filled(901, 1_000);
    timeline.take({
      messages: Array.from({ length: 50 }, (_, index) => message(100 + index)),
      range: { from_seq: 100, to_seq: 149 },
      has_more_before: true,
      has_more_after: true,
    });
    const window = new TimelineWindow(timeline);
    window.around(120);
    expect(seqs(window)).toContain(120);
    expect(seqs(window)).toContain(-150);
    expect(window.atEnd).toBe(false);
    expect(window.shown(() => 0).before).toBeUndefined();
  });

  it('keeps the reader where they are when what was missing comes in between', () => {
    const timeline = filled(901, 1_000);
    const page = (from: number, to: number) => ({
      messages: Array.from({ length: to - from + 1 }, (_, index) => message(from + index)),
      range: { from_seq: from, to_seq: to },
      has_more_before: true,
      has_more_after: true,
    });
    timeline.take(page(800, 850));
    const window = new TimelineWindow(timeline);
    window.around(840);
    timeline.take(page(851, 900));
    timeline.take(page(750, 799));
    for (const reader of [805, 840, 880]) expect(seqs(window, reader)).toContain(reader);
    while (window.up());
    expect(seqs(window)[0]).toBe(750);
  });

  it('keeps what is near the reader when memory is to be bounded', () => {
    const timeline = filled(1, 5_000);
    timeline.narrow(2_000);
    expect(timeline.messages.length).toBeLessThan(2_100);
    expect(timeline.covers(2_000)).toBe(true);
    expect(timeline.loaded).toBe(false);
    expect(timeline.gaps).toEqual([{ from_seq: 3_001, to_seq: 5_000 }]);
  });
});
