import { createSignal } from 'solid-js';
import type { Clock } from '../core/clock';
import { text } from '../strings/en';

/** What comes within this time is said in one go. */
const BATCH_MS = 500;
/** Beyond so many, their number says more than their words. */
const MOST = 3;

/** What a screen reader is told of by itself. */
export function createAnnouncer(clock: Clock) {
  const [said, setSaid] = createSignal('');
  let waiting: string[] = [];
  return {
    said,
    say(line: string): void {
      waiting.push(line);
      if (waiting.length > 1) return;
      clock.after(BATCH_MS, () => {
        setSaid(waiting.length > MOST ? text.newBelow(waiting.length) : waiting.join('. '));
        waiting = [];
      });
    },
  };
}
