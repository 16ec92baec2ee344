import type { Clock } from '../core/clock';
import type { Chat } from '../core/sync/chat';
import { fingerprint, KEPT_CHATS, type Kept, keep } from '../core/sync/kept';
import type { User } from '../gen/wire';

/** Where conversations are kept between visits. */
export interface ChatShelf {
  all(): Promise<Kept[]>;
  /** Writes these, and drops whatever is not among `ids`. */
  write(changed: Kept[], ids: ReadonlySet<string>): Promise<void>;
}

export interface PersistEnvironment {
  clock: Clock;
  shelf: ChatShelf;
  find(id: string): Chat | undefined;
  /** All conversations, the newest activity first. */
  ordered(): Chat[];
  known(user: string): User | undefined;
  /** The server has told which conversations there are: what is not among them is gone. */
  complete(): boolean;
  /** Whether this user is still signed in here; nothing is written of one who left. */
  signedIn(): boolean;
}

/** What changes is written when nothing has changed for this long… */
const IDLE_MS = 500;
/** …and after this long at the latest. */
const LATEST_MS = 5_000;
/** A database that has not answered by then is not waited for. */
const LOAD_MS = 3_000;

/** Keeps the newest conversations on the disk, behind what is in memory. */
export class Persist {
  private readonly dirty = new Set<string>();
  private readonly written = new Map<string, string>();
  private dirtySince = 0;
  private cancel: (() => void) | undefined;
  private stopped = false;

  constructor(private readonly env: PersistEnvironment) {
    window.addEventListener('pagehide', this.flush);
    document.addEventListener('visibilitychange', this.hidden);
  }

  /** What the last visit left, or nothing if that takes too long. */
  load(): Promise<Kept[]> {
    return new Promise((resolve) => {
      const giveUp = this.env.clock.after(LOAD_MS, () => resolve([]));
      const loaded = (kept: Kept[]): void => {
        giveUp();
        resolve(kept);
      };
      this.env.shelf.all().then(loaded, () => loaded([]));
    });
  }

  /** This conversation is as it stands on the disk. */
  restored(chat: Chat): void {
    this.written.set(chat.id, fingerprint(chat));
  }

  /** Something of this conversation may have changed. */
  changed(id: string): void {
    const now = this.env.clock.now();
    if (this.dirty.size === 0) this.dirtySince = now;
    this.dirty.add(id);
    this.cancel?.();
    const wait = Math.min(IDLE_MS, Math.max(0, this.dirtySince + LATEST_MS - now));
    this.cancel = this.env.clock.after(wait, this.flush);
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
    window.removeEventListener('pagehide', this.flush);
    document.removeEventListener('visibilitychange', this.hidden);
  }

  private readonly hidden = (): void => {
    // A phone may end the page without another word.
    if (document.visibilityState === 'hidden') this.flush();
  };

  private readonly flush = (): void => {
    this.cancel?.();
    this.cancel = undefined;
    if (this.stopped || this.dirty.size === 0) return;
    // Before that, what is on the disk is all there is.
    if (!this.env.complete() || !this.env.signedIn()) return;
    const newest = this.env.ordered().slice(0, KEPT_CHATS);
    const changed = newest.filter((chat) => this.differs(chat));
    const gone = [...this.dirty].some((id) => this.env.find(id) === undefined);
    this.dirty.clear();
    if (changed.length === 0 && !gone) return;
    const kept = changed.map((chat) => keep(chat, (user) => this.env.known(user)));
    for (const chat of changed) this.written.set(chat.id, fingerprint(chat));
    this.env.shelf.write(kept, new Set(newest.map(({ id }) => id))).catch(() => {
      // Full or forbidden: the next change tries again.
      for (const { id } of changed) this.written.delete(id);
    });
  };

  private differs(chat: Chat): boolean {
    return this.dirty.has(chat.id) && this.written.get(chat.id) !== fingerprint(chat);
  }
}
