import type { Cursor, SyncResponse } from '../../gen/wire';
import { type Clock, sleep } from '../clock';
import { Backoff } from '../wire/backoff';

export interface HealerEnvironment {
  clock: Clock;
  cursors(first: Iterable<string>): Record<string, Cursor>;
  ask(cursors: Record<string, Cursor>): Promise<SyncResponse>;
  apply(response: SyncResponse): void;
  /** An answer that no retry will better. */
  hopeless(error: unknown): boolean;
}

/** Between two rounds, so that an answer that does not help cannot become a storm. */
const PAUSE_MS = 100;

/** Closes gaps in the log by `POST /sync`: one request at a time, until nothing is missing. */
export class Healer {
  private readonly gaps = new Set<string>();
  private running = false;

  constructor(private readonly env: HealerEnvironment) {}

  /** An event came that does not continue this conversation's log. */
  gap(id: string): void {
    this.gaps.add(id);
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    const backoff = new Backoff();
    try {
      while (this.gaps.size > 0) {
        // What arrives during the request may be beyond its answer: it becomes the next round.
        const round = [...this.gaps];
        this.gaps.clear();
        try {
          const response = await this.env.ask(this.env.cursors(round));
          this.env.apply(response);
          // Not `response.complete`: it counts what was not asked about too, which beyond the
          // limit of cursors comes in full each time, and never to an end.
          for (const { id, complete } of response.conversations) {
            if (!complete && round.includes(id)) this.gaps.add(id);
          }
          if (this.gaps.size > 0) await sleep(this.env.clock, PAUSE_MS);
        } catch (error) {
          if (this.env.hopeless(error)) return;
          for (const id of round) this.gaps.add(id);
          await sleep(this.env.clock, backoff.next(this.env.clock.now()));
        }
      }
    } finally {
      this.running = false;
    }
  }
}
