import type { Ack, ClientFrame, Hello, ServerFrame } from '../../gen/wire';
import { SignedOut } from '../api/auth';
import { ApiError } from '../api/http';
import type { Clock } from '../clock';
import { Backoff } from './backoff';
import { Connection, type Socket } from './connection';
import { encode } from './frames';

/** The server refused a frame. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly retryable: boolean,
    readonly retryAfterMs: number | undefined,
  ) {
    super(message);
    this.name = 'Refused';
  }
}

/** No answer came: whether the frame took effect is unknown. */
export class Unanswered extends Error {
  constructor() {
    super('The connection ended before the answer came.');
    this.name = 'Unanswered';
  }
}

export type Phase =
  | { name: 'idle' }
  | { name: 'connecting' }
  | { name: 'resuming' }
  | { name: 'live' }
  /** `until` is when the next attempt starts, by the session's clock. */
  | { name: 'waiting'; until: number }
  /** Only a new login helps. */
  | { name: 'expired' };

export interface SessionEnvironment {
  clock: Clock;
  random?: () => number;
  ticket(): Promise<string>;
  open(ticket: string): Socket;
  hello(): Hello;
  /** The token behind the socket has expired: the next ticket needs a new one. */
  tokenExpired(): void;
  frame(frame: ServerFrame): void;
  phase(phase: Phase): void;
}

interface Question {
  connection: Connection;
  resolve(ack: Ack): void;
  reject(error: Error): void;
  cancelTimeout(): void;
}

const ANSWER_MS = 10_000;
const CLOSE_TOKEN_EXPIRED = 4401;
const CLOSE_SIGNED_OUT = 4403;

/**
 * Keeps one live connection, whatever happens to the sockets beneath. *Only `live` counts:* a
 * socket that is open but has not said `live` is an attempt.
 */
export class Session {
  phase: Phase = { name: 'idle' };
  /** The live connection. */
  private current: Connection | undefined;
  /** An attempt on its way to become the live one; during a handover both exist. */
  private candidate: Connection | undefined;
  /** Counts attempts, so that what an abandoned one still brings is not used. */
  private attempt = 0;
  /** From asking for a ticket until the candidate is live or lost; one at a time. */
  private attempting = false;
  private liveSince = 0;
  private cancelWait = (): void => {};
  private askedDelay: number | undefined;
  private readonly backoff: Backoff;
  private readonly questions = new Map<string, Question>();
  private lastQuestion = 0;

  constructor(private readonly env: SessionEnvironment) {
    this.backoff = new Backoff(env.random);
  }

  start(): void {
    if (this.phase.name === 'idle' || this.phase.name === 'expired') this.connect();
  }

  stop(): void {
    this.abandon();
    this.enter({ name: 'idle' });
  }

  /** Something suggests that now is a good moment: a wake-up, a network, a click on "Retry now". */
  nudge(): void {
    if (this.current !== undefined) this.current.probe(encode({ type: 'ping', payload: {} }));
    else if (this.phase.name === 'waiting') this.wait(this.backoff.soonest(this.env.clock.now()));
  }

  /** The new token for the connection that stands. */
  renew(accessToken: string): void {
    this.tell({ type: 'auth.renew', payload: { access_token: accessToken } });
  }

  /** Best effort, no answer. */
  tell(frame: ClientFrame): void {
    this.current?.send(encode(frame));
  }

  /** Resolves with the ack; rejects with `Refused` or `Unanswered`. */
  ask(frame: ClientFrame): Promise<Ack> {
    const connection = this.current;
    if (connection === undefined) return Promise.reject(new Unanswered());
    this.lastQuestion += 1;
    const id = String(this.lastQuestion);
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.env.clock.after(ANSWER_MS, () => {
        this.questions.delete(id);
        reject(new Unanswered());
      });
      this.questions.set(id, { connection, resolve, reject, cancelTimeout });
      connection.send(encode(frame, id));
    });
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    this.env.phase(phase);
  }

  private connect(): void {
    this.cancelWait();
    if (this.attempting) return;
    this.attempting = true;
    this.attempt += 1;
    const attempt = this.attempt;
    this.backoff.attempted(this.env.clock.now());
    if (this.current === undefined) this.enter({ name: 'connecting' });
    this.env.ticket().then(
      (ticket) => {
        if (attempt === this.attempt) this.open(ticket);
      },
      (error: unknown) => {
        if (attempt !== this.attempt) return;
        if (error instanceof SignedOut) this.expire();
        else this.retry(error instanceof ApiError ? error.retryAfterMs : undefined);
      },
    );
  }

  private open(ticket: string): void {
    const connection: Connection = new Connection(this.env.open(ticket), this.env.clock, {
      open: () => connection.send(encode({ type: 'hello', payload: this.env.hello() })),
      frame: (frame) => this.received(connection, frame),
      closed: (code) => this.closed(connection, code),
    });
    this.candidate = connection;
  }

  private received(connection: Connection, frame: ServerFrame): void {
    switch (frame.type) {
      case 'ack':
      case 'error':
        this.answered(frame);
        return;
      case 'ready':
        if (this.current === undefined) this.enter({ name: 'resuming' });
        break;
      case 'live':
        this.promote(connection);
        break;
      case 'reconnect':
        // The live socket stays in use until the new one is live: no gap is visible.
        this.askedDelay = frame.payload.after_ms;
        if (connection === this.current && !this.attempting) this.wait(this.askedDelay);
        return;
      default:
    }
    this.env.frame(frame);
  }

  private promote(connection: Connection): void {
    if (connection !== this.candidate) return;
    const before = this.current;
    this.current = connection;
    this.candidate = undefined;
    this.attempting = false;
    this.askedDelay = undefined;
    this.liveSince = this.env.clock.now();
    before?.close();
    this.enter({ name: 'live' });
  }

  private answered(frame: Extract<ServerFrame, { type: 'ack' | 'error' }>): void {
    const id = String(frame.id);
    const question = this.questions.get(id);
    if (question === undefined) return;
    this.questions.delete(id);
    question.cancelTimeout();
    if (frame.type === 'ack') {
      question.resolve(frame.payload);
    } else {
      const { code, message, retryable, retry_after_ms } = frame.payload;
      question.reject(new Refused(code, message, retryable, retry_after_ms));
    }
  }

  private closed(connection: Connection, code: number): void {
    this.unanswered(connection);
    if (connection === this.current) {
      this.current = undefined;
      this.backoff.ended(this.env.clock.now() - this.liveSince);
    } else if (connection === this.candidate) {
      this.candidate = undefined;
      this.attempting = false;
    } else {
      return;
    }
    if (code === CLOSE_TOKEN_EXPIRED) this.env.tokenExpired();
    if (code === CLOSE_SIGNED_OUT) this.expire();
    else if (this.attempting) this.enter({ name: 'connecting' });
    else this.retry(this.askedDelay);
  }

  private unanswered(connection: Connection): void {
    for (const [id, question] of this.questions) {
      if (question.connection !== connection) continue;
      this.questions.delete(id);
      question.cancelTimeout();
      question.reject(new Unanswered());
    }
  }

  private retry(askedDelay: number | undefined): void {
    this.attempting = false;
    this.askedDelay = undefined;
    this.wait(this.backoff.next(this.env.clock.now(), askedDelay));
  }

  private wait(ms: number): void {
    this.cancelWait();
    this.cancelWait = this.env.clock.after(ms, () => this.connect());
    const until = this.env.clock.now() + ms;
    if (this.current === undefined) this.enter({ name: 'waiting', until });
  }

  private expire(): void {
    this.abandon();
    this.enter({ name: 'expired' });
  }

  private abandon(): void {
    this.cancelWait();
    this.attempting = false;
    this.attempt += 1;
    const connections = [this.current, this.candidate];
    this.current = this.candidate = undefined;
    for (const connection of connections) connection?.close();
  }
}
