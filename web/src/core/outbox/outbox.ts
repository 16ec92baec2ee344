import type { SendAck } from '../../gen/wire';
import type { Clock } from '../clock';
import { Backoff } from '../wire/backoff';
import { Refused } from '../wire/session';

/** What survives a reload and a crash. */
export interface Letter {
  client_msg_id: string;
  conversation_id: string;
  body: string;
  /** Milliseconds since the epoch, and the order of sending: no two are equal. */
  at: number;
  /** Why the server refused it, for good. */
  refused?: string;
}

export interface Pending extends Letter {
  /** `sent` has its place in the log, and waits here until the log has come that far. */
  state: 'waiting' | 'sending' | 'sent' | 'failed';
  seq?: number;
}

/** Where letters are kept; every change is stored before anything else happens. */
export interface Shelf {
  all(): Letter[];
  put(letter: Letter): void;
  remove(clientMessageId: string): void;
}

export interface OutboxEnvironment {
  clock: Clock;
  shelf: Shelf;
  uuid(): string;
  live(): boolean;
  /** Up to where this conversation's log is applied here. */
  applied(conversation: string): number;
  send(letter: Letter): Promise<SendAck>;
  changed(conversation: string): void;
}

interface Rest {
  backoff: Backoff;
  cancel: (() => void) | undefined;
}

/** Refusals of the connection, not of the message. */
const NOT_ABOUT_THE_MESSAGE = new Set(['unauthenticated', 'token_expired', 'signed_out']);

/**
 * Messages on their way. *A message leaves only by a definite answer:* until then it is sent again
 * with the same `client_msg_id`, of which the server keeps one. One is in flight per conversation,
 * so the order of writing is the order of the log.
 */
export class Outbox {
  private readonly items = new Map<string, Pending>();
  /** Conversations whose last attempt failed; while `cancel` is there, they wait. */
  private readonly rests = new Map<string, Rest>();
  private lastAt = 0;

  constructor(private readonly env: OutboxEnvironment) {
    for (const letter of env.shelf.all().toSorted((a, b) => a.at - b.at)) {
      const state = letter.refused === undefined ? 'waiting' : 'failed';
      this.items.set(letter.client_msg_id, { ...letter, state });
      this.lastAt = letter.at;
    }
  }

  /** What is on its way in this conversation, in order. */
  of(conversation: string): Pending[] {
    return [...this.items.values()].filter((item) => item.conversation_id === conversation);
  }

  /** How many messages have not reached the server. */
  get unsent(): number {
    return [...this.items.values()].filter((item) => item.state !== 'sent').length;
  }

  add(conversation: string, body: string): void {
    this.lastAt = Math.max(this.env.clock.now(), this.lastAt + 1);
    const letter = {
      client_msg_id: this.env.uuid(),
      conversation_id: conversation,
      body,
      at: this.lastAt,
    };
    this.env.shelf.put(letter);
    this.change({ ...letter, state: 'waiting' });
    this.flush(conversation);
  }

  /** Tries everything that waits: the connection is live. */
  flushAll(): void {
    for (const { cancel } of this.rests.values()) cancel?.();
    this.rests.clear();
    const conversations = new Set([...this.items.values()].map((item) => item.conversation_id));
    for (const conversation of conversations) this.flush(conversation);
  }

  /** A refused message, once more. */
  retry(id: string): void {
    const item = this.items.get(id);
    if (item?.state !== 'failed') return;
    const { refused: _, seq: __, ...letter } = item;
    this.env.shelf.put(this.letterOf(letter));
    this.change({ ...letter, state: 'waiting' });
    this.flush(item.conversation_id);
  }

  /** Drops a refused message; what may have been committed is never dropped. */
  discard(id: string): void {
    if (this.items.get(id)?.state === 'failed') this.drop(id);
  }

  /** Another tab has had the definite answer. */
  settledElsewhere(id: string): void {
    const item = this.items.get(id);
    if (item === undefined || item.state === 'sent') return;
    this.items.delete(id);
    this.env.changed(item.conversation_id);
    this.flush(item.conversation_id);
  }

  /** The message itself came down the log. */
  echoed(id: string): void {
    const item = this.items.get(id);
    if (item === undefined) return;
    this.drop(id);
    this.flush(item.conversation_id);
  }

  /** The log of a conversation is now applied up to `seq`. */
  reached(conversation: string, seq: number): void {
    for (const item of this.of(conversation)) {
      if (item.seq !== undefined && item.seq <= seq) this.drop(item.client_msg_id);
    }
  }

  private flush(conversation: string): void {
    if (!this.env.live() || this.rests.get(conversation)?.cancel !== undefined) return;
    const items = this.of(conversation);
    if (items.some((item) => item.state === 'sending')) return;
    const next = items.find((item) => item.state === 'waiting');
    if (next === undefined) return;
    this.change({ ...next, state: 'sending' });
    this.env.send(this.letterOf(next)).then(
      (ack) => this.acked(next.client_msg_id, ack),
      (error: unknown) => this.unsettled(next.client_msg_id, error),
    );
  }

  private acked(id: string, ack: SendAck): void {
    this.env.shelf.remove(id);
    this.rests.delete(ack.conversation_id);
    const item = this.items.get(id);
    if (item === undefined) return;
    if (ack.seq <= this.env.applied(item.conversation_id)) this.drop(id);
    else this.change({ ...item, state: 'sent', seq: ack.seq });
    this.flush(item.conversation_id);
  }

  private unsettled(id: string, error: unknown): void {
    const item = this.items.get(id);
    if (item?.state !== 'sending') return;
    const refused = error instanceof Refused ? error : undefined;
    const final =
      refused !== undefined && !refused.retryable && !NOT_ABOUT_THE_MESSAGE.has(refused.code);
    if (final) {
      const failed = { ...item, refused: refused.message };
      this.env.shelf.put(this.letterOf(failed));
      this.change({ ...failed, state: 'failed' });
      this.flush(item.conversation_id);
    } else {
      this.change({ ...item, state: 'waiting' });
      this.rest(item.conversation_id, refused?.retryAfterMs);
    }
  }

  private rest(conversation: string, asked: number | undefined): void {
    const { clock } = this.env;
    const rest = this.rests.get(conversation) ?? { backoff: new Backoff(), cancel: undefined };
    this.rests.set(conversation, rest);
    rest.backoff.attempted(clock.now());
    rest.cancel = clock.after(rest.backoff.next(clock.now(), asked), () => {
      rest.cancel = undefined;
      this.flush(conversation);
    });
  }

  private change(item: Pending): void {
    this.items.set(item.client_msg_id, item);
    this.env.changed(item.conversation_id);
  }

  private drop(id: string): void {
    const item = this.items.get(id);
    this.items.delete(id);
    this.env.shelf.remove(id);
    if (item !== undefined) this.env.changed(item.conversation_id);
  }

  private letterOf({ client_msg_id, conversation_id, body, at, refused }: Letter): Letter {
    const letter = { client_msg_id, conversation_id, body, at };
    return refused === undefined ? letter : { ...letter, refused };
  }
}
