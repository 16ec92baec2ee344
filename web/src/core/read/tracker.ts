import type { Clock } from '../clock';

/** How long the page must have been visible and focused before anything counts as read. */
export const READ_AFTER_MS = 1_000;

export interface Watched {
  /** The page is visible and focused. */
  attentive: boolean;
  /** The end of the conversation is on screen. */
  atBottom: boolean;
  /** The newest entry of the conversation. */
  newest: number;
}

/**
 * Decides when the open conversation has been read. Opening it reads all there is after a second
 * of attention; what comes later is read once its end was on screen for a second. A glance, a
 * background tab, a scroll of the program's own read nothing.
 */
export class ReadTracker {
  private watched: Watched = { attentive: false, atBottom: false, newest: 0 };
  private opened = false;
  private reached = 0;
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
    const { attentive, atBottom, newest } = this.watched;
    if (!attentive || (this.opened && !atBottom)) {
      this.stop();
    } else if (this.cancel === undefined && newest > this.reached) {
      this.cancel = this.clock.after(READ_AFTER_MS, () => this.fire(newest));
    }
  }

  private fire(seen: number): void {
    this.cancel = undefined;
    // Opening reads up to the newest of this moment; later on, what has been there for the second.
    this.reached = this.opened ? seen : this.watched.newest;
    this.opened = true;
    this.read(this.reached);
    this.consider();
  }
}
