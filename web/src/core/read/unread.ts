import type { Conversation, Message } from '../../gen/wire';

/** The server stops counting here; shown as "99+". */
export const UNREAD_CAP = 100;

export interface UnreadBase {
  /** Unread messages as the server counted them… */
  count: number;
  /** …when the log ended here… */
  asOf: number;
  /** …and the read mark stood here. */
  read: number;
}

interface Step {
  /** Place in the log of what changed the count. */
  at: number;
  /** Place of the message it was about. */
  seq: number;
  delta: 1 | -1;
}

/**
 * The unread count of one conversation: what the server counted, and every later entry of the log.
 * Nothing is counted twice, because entries at or below `asOf` are in the server's count already.
 */
export class Unread {
  private base: UnreadBase;
  private steps: Step[] = [];
  /** The count cannot be told from what is known here: ask the server again. */
  unsure = false;

  constructor(
    conversation: Conversation,
    private readonly me: string,
  ) {
    this.base = baseOf(conversation);
  }

  get count(): number {
    const total = this.steps.reduce((sum, step) => sum + step.delta, this.base.count);
    return Math.min(UNREAD_CAP, Math.max(0, total));
  }

  /** Where the log ended when the server counted. */
  get asOf(): number {
    return this.base.asOf;
  }

  /** Up to where I have read. */
  get read(): number {
    return this.base.read;
  }

  /** Takes a newer count of the server; an older one is ignored. */
  rebase(base: UnreadBase): void {
    const { read, asOf } = this.base;
    if (base.read < read || (base.read === read && base.asOf < asOf)) return;
    // Counted at an older end of the log than ours: the entries in between were forgotten.
    this.unsure = base.asOf < asOf;
    this.base = base;
    this.steps = this.steps.filter((step) => step.at > base.asOf && step.seq > base.read);
  }

  added(message: Message): void {
    if (this.counts(message)) this.step({ at: message.seq, seq: message.seq, delta: 1 });
  }

  deleted(message: Message, at: number, visibleFrom: number): void {
    if (!this.counts(message) || message.seq < visibleFrom) return;
    this.step({ at, seq: message.seq, delta: -1 });
    // At the cap the server's count says "100 or more": what is left of it is unknown.
    if (this.base.count >= UNREAD_CAP && at > this.base.asOf) this.unsure = true;
  }

  private counts(message: Message): boolean {
    return message.kind === 'text' && message.sender_id !== this.me && message.seq > this.base.read;
  }

  private step(step: Step): void {
    if (step.at > this.base.asOf) this.steps.push(step);
  }
}

export const baseOf = (conversation: Conversation): UnreadBase => ({
  count: conversation.unread_count,
  asOf: conversation.unread_as_of_seq,
  read: conversation.last_read_seq,
});
