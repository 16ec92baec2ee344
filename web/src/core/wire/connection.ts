import type { ServerFrame } from '../../gen/wire';
import type { Clock } from '../clock';
import { decode } from './frames';

/** What this code needs of a WebSocket. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number): void;
}

export interface ConnectionEvents {
  open(): void;
  frame(frame: ServerFrame): void;
  /** Once, and last. 1006 when the network or the watchdog ended it. */
  closed(code: number): void;
}

const OPENING_MS = 15_000;
const PONG_MS = 3_000;
/** A heartbeat may be this late before silence means death. */
const GRACE_MS = 10_000;

/**
 * One socket and its watchdog. A socket whose network is gone stays "open" for minutes, so silence
 * ends it here, and what it might still say afterwards is not heard.
 */
export class Connection {
  private cancelWatch: () => void;
  private silence = OPENING_MS;
  private over = false;

  constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
    private readonly events: ConnectionEvents,
  ) {
    this.cancelWatch = this.watch(OPENING_MS);
    socket.onopen = () => events.open();
    socket.onmessage = (event) => this.received(event.data);
    socket.onclose = (event) => this.end(event.code);
    socket.onerror = () => {};
  }

  send(data: string): void {
    if (!this.over) this.socket.send(data);
  }

  /** Asks for a sign of life, and has little patience. */
  probe(ping: string): void {
    if (this.over) return;
    this.socket.send(ping);
    this.cancelWatch();
    this.cancelWatch = this.watch(PONG_MS);
  }

  close(): void {
    this.end(1000);
  }

  private received(data: unknown): void {
    this.cancelWatch();
    const frame = decode(data);
    if (frame?.type === 'ready') this.silence = frame.payload.heartbeat_interval_ms + GRACE_MS;
    this.cancelWatch = this.watch(this.silence);
    if (frame !== undefined) this.events.frame(frame);
  }

  private watch(ms: number): () => void {
    return this.clock.after(ms, () => this.end(1006));
  }

  private end(code: number): void {
    if (this.over) return;
    this.over = true;
    this.cancelWatch();
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.events.closed(code);
  }
}
