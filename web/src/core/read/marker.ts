import type { Ack, ReadAck } from '../../gen/wire';
import type { Chats } from '../sync/chats';

/** Tells the server how far I have read; a mark that found no answer is told again when live. */
export class Marker {
  private readonly wanted = new Map<string, number>();
  private readonly asking = new Set<string>();

  constructor(
    private readonly chats: Chats,
    private readonly tell: (conversation: string, seq: number) => Promise<Ack>,
  ) {}

  mark(conversation: string, seq: number): void {
    const unread = this.chats.find(conversation)?.unread;
    // With nothing of others to read, a mark would tell nobody anything.
    if (unread === undefined || unread.count === 0 || seq <= unread.read) return;
    this.wanted.set(conversation, Math.max(seq, this.wanted.get(conversation) ?? 0));
    this.flush(conversation);
  }

  flushAll(): void {
    for (const conversation of this.wanted.keys()) this.flush(conversation);
  }

  private flush(conversation: string): void {
    const seq = this.wanted.get(conversation);
    if (seq === undefined || this.asking.has(conversation)) return;
    this.asking.add(conversation);
    this.tell(conversation, seq).then(
      (ack) => {
        this.asking.delete(conversation);
        if (this.wanted.get(conversation) === seq) this.wanted.delete(conversation);
        if (isReadAck(ack)) {
          const { unread_count: count, unread_as_of_seq: asOf, last_read_seq: read } = ack;
          this.chats.update(conversation, (chat) => chat.unread.rebase({ count, asOf, read }));
        }
        this.flush(conversation);
      },
      () => this.asking.delete(conversation),
    );
  }
}

const isReadAck = (ack: Ack): ack is ReadAck => 'last_read_seq' in ack;
