import type { Typing } from '../../gen/wire';
import type { Clock } from '../clock';

/** Who is typing where; each entry ends by itself. */
export class TypingList {
  private readonly typing = new Map<string, Map<string, () => void>>();

  constructor(
    private readonly clock: Clock,
    private readonly changed: (conversation: string) => void,
  ) {}

  in(conversation: string): string[] {
    return [...(this.typing.get(conversation)?.keys() ?? [])];
  }

  heard(conversation: string, { user_id, typing, expires_in_ms }: Typing): void {
    this.stopped(conversation, user_id);
    if (!typing) return;
    const users = this.typing.get(conversation) ?? new Map<string, () => void>();
    this.typing.set(conversation, users);
    users.set(
      user_id,
      this.clock.after(expires_in_ms, () => this.stopped(conversation, user_id)),
    );
    this.changed(conversation);
  }

  stopped(conversation: string, user: string): void {
    const users = this.typing.get(conversation);
    const cancel = users?.get(user);
    if (users === undefined || cancel === undefined) return;
    cancel();
    users.delete(user);
    if (users.size === 0) this.typing.delete(conversation);
    this.changed(conversation);
  }

  /** Nothing of this is true any more: the connection is gone. */
  clear(): void {
    for (const [conversation, users] of this.typing) {
      for (const user of users.keys()) this.stopped(conversation, user);
    }
  }
}

const REPEAT_MS = 3_000;

/** Tells the others that I am typing, at most every three seconds. */
export class TypingSignal {
  private conversation: string | undefined;
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly tell: (conversation: string, typing: boolean) => void,
  ) {}

  typed(conversation: string): void {
    if (this.conversation !== conversation) this.stop();
    const now = this.clock.now();
    if (this.conversation === conversation && now - this.toldAt < REPEAT_MS) return;
    this.conversation = conversation;
    this.toldAt = now;
    this.tell(conversation, true);
  }

  /** Sent, cleared, left. */
  stop(): void {
    if (this.conversation !== undefined) this.tell(this.conversation, false);
    this.conversation = undefined;
  }
}
