import type { Socket } from '../../src/core/wire/connection';
import type { ClientFrame, ServerFrame } from '../../src/gen/wire';

export type SentFrame = ClientFrame & { id?: string };

/** The other end of a connection, played by the test. */
export class FakeSocket implements Socket {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly sent: SentFrame[] = [];
  closed = false;

  constructor(readonly ticket: string) {}

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(): void {
    this.closed = true;
  }

  open(): void {
    this.onopen?.(undefined as never);
  }

  receive(frame: ServerFrame): void {
    this.onmessage?.({ data: JSON.stringify(frame) } as MessageEvent);
  }

  drop(code = 1006): void {
    this.onclose?.({ code } as CloseEvent);
  }

  /** From the handshake to `live`. */
  goLive(ready: ServerFrame): void {
    this.open();
    this.receive(ready);
    this.receive({ type: 'live', payload: {} });
  }
}
