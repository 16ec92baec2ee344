const BASE_MS = 500;
const CAP_MS = 20_000;
/** Two attempts never start closer together than this. */
const FLOOR_MS = 1_000;
/** Attempts start over after a connection has been live for this long. */
const STABLE_MS = 10_000;

/** How long to wait before the next attempt: full jitter, doubling to a cap. */
export class Backoff {
  private failures = 0;
  private lastAttempt = Number.NEGATIVE_INFINITY;

  constructor(private readonly random: () => number = Math.random) {}

  attempted(now: number): void {
    this.lastAttempt = now;
  }

  /** A connection that was live for `ms` has ended. */
  ended(ms: number): void {
    if (ms >= STABLE_MS) this.failures = 0;
  }

  /** `asked` is what the server wants; it replaces the draw, never the floor. */
  next(now: number, asked?: number): number {
    const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** this.failures);
    this.failures += 1;
    return Math.max(asked ?? this.random() * ceiling, this.soonest(now));
  }

  /** The delay of an attempt that somebody asked for just now. */
  soonest(now: number): number {
    return Math.max(0, this.lastAttempt + FLOOR_MS - now);
  }
}
