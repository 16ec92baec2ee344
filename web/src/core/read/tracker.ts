import type { Clock } from '../clock';

/** How long the page must have been visible and focused before anything counts as read. */
export const READ_AFTER_MS = 1_000;

export interface Watched {
  /** The page is visible and focused. */
  attentive: boolean;
  /** Up to where the conversation is on screen: the newest entry whose end can be seen. */
  seen: number;
  /** The newest entry of the conversation. */
  newest: number;
}

/**
 * Decides when the open conversation has been read. Opening it reads all there is after a second
 * of attention; what comes later is read once its end was on screen for a second. A glance, a
 * background tab, a scroll that passes by reads nothing.
 */
export class ReadTracker {
  private watched: Watched = { attentive: false, seen: 0, newest: 0 };
  private opened = false;
  private reached = 0;
  /** What the running second will have read. */
  private watching = 0;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly read: (seq: number) => void,
  ) {}

  update(watched: Watched): void {
    this.watched = watched;
    this.consider();
  }

  /** The conversation is no longer the open one. */
  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private consider(): void {
    const { attentive, newest } = this.watched;
    const seen = this.opened ? this.watched.seen : newest;
    if (!attentive || seen < this.watching) this.stop();
    if (attentive && this.cancel === undefined && seen > this.reached) {
      this.watching = seen;
      this.cancel = this.clock.after(READ_AFTER_MS, () => this.fire());
    }
  }

  private fire(): void {
    this.cancel = undefined;
    // Opening reads up to the newest of this moment; later on, what has been there for the second.
    this.reached = this.opened ? this.watching : this.watched.newest;
    this.opened = true;
    this.watching = 0;
    this.read(this.reached);
    this.consider();
  }
}
