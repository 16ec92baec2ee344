import type { SendAck } from '../../gen/wire';
import type { Clock } from '../clock';
import { Backoff } from '../wire/backoff';
import { Refused } from '../wire/session';

/** What survives a reload and a crash. */
export interface Letter {
  client_msg_id: string;
  conversation_id: string;
  body: string;
  reply_to_seq?: number;
  /** Milliseconds since the epoch, and the order of sending: no two of a tab are equal. */
  at: number;
  /** Why the server refused it, for good. */
  refused?: string;
}

export interface Pending extends Letter {
  /** `sent` has its place in the log, and waits here until the log has come that far. */
  state: 'waiting' | 'sending' | 'sent' | 'failed';
  seq?: number;
}

/** Where letters are kept, for all tabs; a letter is there before it leaves. */
export interface Shelf {
  all(): Promise<Letter[]>;
  put(letter: Letter): Promise<void>;
  remove(clientMessageId: string): Promise<void>;
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
  /** Runs the task while no other tab flushes the same shelf. */
  exclusively(task: () => Promise<void>): Promise<void>;
  /** Tells the other tabs: a letter as it is now, or the id of one that is gone. */
  tell(news: Letter | string): void;
}

interface Rest {
  backoff: Backoff;
  cancel: (() => void) | undefined;
}

/** So many messages of mine that came down the log are remembered by their client ids. */
const MOST_ECHOES = 1_000;

/** Refusals of the connection, not of the message. */
const NOT_ABOUT_THE_MESSAGE = new Set(['unauthenticated', 'token_expired', 'signed_out']);

/**
 * Messages on their way. *A message leaves only by a definite answer:* until then it is sent again
 * with the same `client_msg_id`, of which the server keeps one. One is in flight per conversation,
 * so the order of writing is the order of the log. One tab at a time sends, the letters of all.
 */
export class Outbox {
  private readonly items = new Map<string, Pending>();
  /** Conversations whose last attempt failed; while `cancel` is there, they wait. */
  private readonly rests = new Map<string, Rest>();
  /** The log may be faster than another tab that tells of the letter. */
  private readonly echoes = new Set<string>();
  private lastAt = 0;
  /** It is this tab's turn to send; called when there is nothing left to do. */
  private endTurn: (() => void) | undefined;
  private asking = false;
  private stopped = false;
  /** What the earlier visits left is known. */
  readonly loaded: Promise<void>;

  constructor(private readonly env: OutboxEnvironment) {
    this.loaded = this.reload();
  }

  /** What is on its way in this conversation, in order. */
  of(conversation: string): Pending[] {
    return [...this.items.values()]
      .filter((item) => item.conversation_id === conversation)
      .toSorted(byAge);
  }

  /** How many messages have not reached the server. */
  get unsent(): number {
    return [...this.items.values()].filter((item) => item.state !== 'sent').length;
  }

  get failed(): Pending[] {
    return [...this.items.values()].filter((item) => item.state === 'failed');
  }

  /** Resolves when the message would survive a crash. */
  add(conversation: string, body: string, replyTo?: number): Promise<void> {
    this.lastAt = Math.max(this.env.clock.now(), this.lastAt + 1);
    const letter: Letter = {
      client_msg_id: this.env.uuid(),
      conversation_id: conversation,
      body,
      at: this.lastAt,
      ...(replyTo === undefined ? {} : { reply_to_seq: replyTo }),
    };
    return this.post(letter);
  }

  /** Tries everything that waits: the connection is live. */
  flushAll(): void {
    for (const { cancel } of this.rests.values()) cancel?.();
    this.rests.clear();
    this.flush();
  }

  /** A refused message, once more, at its place. */
  retry(id: string): void {
    const item = this.items.get(id);
    if (item?.state === 'failed') void this.post(letterOf({ ...item, refused: undefined }));
  }

  retryAll(): void {
    for (const { client_msg_id: id } of this.failed) this.retry(id);
  }

  /** Drops a refused message; what may have been committed is never dropped. */
  discard(id: string): void {
    if (this.items.get(id)?.state === 'failed') this.drop(id);
  }

  /** The message itself came down the log. */
  echoed(id: string): void {
    if (!this.items.has(id)) {
      this.echoes.add(id);
      for (const oldest of this.echoes) {
        if (this.echoes.size <= MOST_ECHOES) break;
        this.echoes.delete(oldest);
      }
      return;
    }
    this.drop(id);
    this.flush();
  }

  /** The log of a conversation is now applied up to `seq`. */
  reached(conversation: string, seq: number): void {
    for (const item of this.of(conversation)) {
      if (item.seq !== undefined && item.seq <= seq) this.drop(item.client_msg_id);
    }
  }

  /** What another tab tells. */
  heard(news: Letter | string): void {
    const id = typeof news === 'string' ? news : news.client_msg_id;
    const held = this.items.get(id);
    if (held?.state === 'sent' || this.echoes.has(id)) return;
    if (typeof news === 'string') {
      this.items.delete(id);
      if (held !== undefined) this.env.changed(held.conversation_id);
    } else if (held?.state !== 'sending') {
      this.change(arrived(news));
    }
    this.flush();
  }

  stop(): void {
    this.stopped = true;
    for (const { cancel } of this.rests.values()) cancel?.();
    this.endTurn?.();
  }

  private async reload(): Promise<void> {
    const letters = await this.env.shelf.all().catch(() => []);
    for (const letter of letters.toSorted(byAge)) {
      this.lastAt = Math.max(this.lastAt, letter.at);
      const { client_msg_id: id } = letter;
      if (!this.items.has(id) && !this.echoes.has(id)) this.change(arrived(letter));
    }
    this.flush();
  }

  private async post(letter: Letter): Promise<void> {
    this.change({ ...letter, state: 'waiting' });
    // A storage that is full or forbidden must not keep a message from being sent.
    await this.env.shelf.put(letter).catch(() => {});
    this.flush();
    this.env.tell(letter);
  }

  private get hasWork(): boolean {
    const busy = [...this.items.values()].some(
      ({ state }) => state === 'waiting' || state === 'sending',
    );
    return busy && this.env.live() && !this.stopped;
  }

  private flush(): void {
    if (!this.hasWork) {
      this.endTurn?.();
    } else if (this.endTurn !== undefined) {
      const conversations = new Set([...this.items.values()].map((item) => item.conversation_id));
      for (const conversation of conversations) this.sendNext(conversation);
    } else if (!this.asking) {
      this.asking = true;
      void this.env.exclusively(() => this.takeTurn()).finally(() => this.asked());
    }
  }

  private asked(): void {
    this.asking = false;
    this.endTurn = undefined;
    // What was written while the turn ended.
    if (this.hasWork) this.flush();
  }

  private async takeTurn(): Promise<void> {
    await this.loaded;
    const over = new Promise<void>((resolve) => {
      this.endTurn = resolve;
    });
    this.flush();
    await over;
  }

  private sendNext(conversation: string): void {
    if (this.rests.get(conversation)?.cancel !== undefined) return;
    const items = this.of(conversation);
    if (items.some((item) => item.state === 'sending')) return;
    const next = items.find((item) => item.state === 'waiting');
    if (next === undefined) return;
    this.change({ ...next, state: 'sending' });
    this.env.send(letterOf(next)).then(
      (ack) => this.acked(next.client_msg_id, ack),
      (error: unknown) => this.unsettled(next.client_msg_id, error),
    );
  }

  private acked(id: string, ack: SendAck): void {
    this.forget(id);
    this.rests.delete(ack.conversation_id);
    const item = this.items.get(id);
    if (item !== undefined) {
      if (ack.seq <= this.env.applied(item.conversation_id)) this.remove(item);
      else this.change({ ...item, state: 'sent', seq: ack.seq });
    }
    this.flush();
  }

  private unsettled(id: string, error: unknown): void {
    const item = this.items.get(id);
    if (item?.state !== 'sending') return;
    const refused = error instanceof Refused ? error : undefined;
    const final =
      refused !== undefined && !refused.retryable && !NOT_ABOUT_THE_MESSAGE.has(refused.code);
    if (final) {
      const failed = { ...item, refused: refused.message };
      const letter = letterOf(failed);
      this.env.shelf.put(letter).catch(() => {});
      this.env.tell(letter);
      this.change({ ...failed, state: 'failed' });
    } else {
      this.change({ ...item, state: 'waiting' });
      this.rest(item.conversation_id, refused?.retryAfterMs);
    }
    this.flush();
  }

  private rest(conversation: string, asked: number | undefined): void {
    const { clock } = this.env;
    const rest = this.rests.get(conversation) ?? { backoff: new Backoff(), cancel: undefined };
    this.rests.set(conversation, rest);
    rest.backoff.attempted(clock.now());
    rest.cancel = clock.after(rest.backoff.next(clock.now(), asked), () => {
      rest.cancel = undefined;
      this.flush();
    });
  }

  private change(item: Pending): void {
    this.items.set(item.client_msg_id, item);
    this.env.changed(item.conversation_id);
  }

  private drop(id: string): void {
    const item = this.items.get(id);
    this.forget(id);
    if (item !== undefined) this.remove(item);
  }

  private remove(item: Pending): void {
    this.items.delete(item.client_msg_id);
    this.env.changed(item.conversation_id);
  }

  private forget(id: string): void {
    this.env.shelf.remove(id).catch(() => {});
    this.env.tell(id);
  }
}

/** The order of sending, the same in every tab. */
const byAge = (a: Letter, b: Letter): number =>
  a.at - b.at || (a.client_msg_id < b.client_msg_id ? -1 : 1);

const arrived = (letter: Letter): Pending => ({
  ...letter,
  state: letter.refused === undefined ? 'waiting' : 'failed',
});

function letterOf(item: Omit<Pending, 'state' | 'refused'> & { refused?: string | undefined }) {
  const { client_msg_id, conversation_id, body, at, reply_to_seq, refused } = item;
  const letter: Letter = { client_msg_id, conversation_id, body, at };
  if (reply_to_seq !== undefined) letter.reply_to_seq = reply_to_seq;
  if (refused !== undefined) letter.refused = refused;
  return letter;
}
