import type { Clock } from '../../src/core/clock';

/** A clock that stands until it is told to go on. */
export class FakeClock implements Clock {
  private time = 1_000_000;
  private tasks: { at: number; task: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(ms: number, task: () => void): () => void {
    const entry = { at: this.time + ms, task };
    this.tasks.push(entry);
    return () => {
      this.tasks = this.tasks.filter((other) => other !== entry);
    };
  }

  /** Time goes on, and nothing runs: as when the machine sleeps. */
  sleep(ms: number): void {
    this.time += ms;
  }

  /** Runs all that is due within `ms`, in order, and lets promises settle in between. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const [next] = this.tasks.filter((entry) => entry.at <= end).toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.tasks = this.tasks.filter((other) => other !== next);
      this.time = Math.max(this.time, next.at);
      next.task();
      await settle();
    }
    this.time = end;
  }
}

/** Lets everything that waits for a promise run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
