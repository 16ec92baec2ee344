// Random interleavings of events, pages, answers of `/sync` and resets: however they come, what is
// shown in the end is the server's log, and the count of unread messages is the server's count.
import { array, assert, constantFrom, nat, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Chats } from '../../src/core/sync/chats';
import { keep, restore } from '../../src/core/sync/kept';
import { Timeline } from '../../src/core/timeline/timeline';
import type { Conversation, History, Message, ServerFrame } from '../../src/gen/wire';
import { ADA, C1, conversation, eventId, ME, message } from '../helpers/wire';

type Entry = { seq: number; frame: ServerFrame };

/** The server's side: a log of one conversation, and what it would answer. */
class Server {
  readonly log: Entry[] = [];
  readonly messages = new Map<number, Message>();
  read = 0;

  constructor() {
    this.append('mine');
  }

  get last(): number {
    return this.log.length;
  }

  append(kind: 'mine' | 'theirs' | 'edit' | 'delete', target = 0): void {
    const seq = this.last + 1;
    const texts = [...this.messages.values()].filter((m) => m.deleted_at === null);
    const chosen = texts[target % Math.max(1, texts.length)];
    if (kind === 'mine' || kind === 'theirs' || chosen === undefined) {
      const sent = message(seq, { sender_id: kind === 'mine' ? ME : ADA });
      this.messages.set(seq, sent);
      this.push(seq, {
        type: 'message.new',
        conversation_id: C1,
        seq,
        event_id: eventId(seq),
        payload: sent,
      });
      return;
    }
    const change = kind === 'edit' ? 'edited' : 'deleted';
    const next: Message = {
      ...chosen,
      updated_seq: seq,
      ...(kind === 'edit'
        ? { body: `edited at ${seq}`, edited_at: chosen.created_at }
        : { body: null, deleted_at: chosen.created_at }),
    };
    this.messages.set(chosen.seq, next);
    const payload = { ...next, change } as const;
    this.push(seq, {
      type: 'message.updated',
      conversation_id: C1,
      seq,
      event_id: eventId(seq),
      payload,
    });
  }

  /** As it is now, or was when the log ended earlier. */
  snapshot(): Conversation {
    return conversation({
      last_seq: this.last,
      last_read_seq: this.read,
      unread_count: this.unread,
      unread_as_of_seq: this.last,
    });
  }

  get unread(): number {
    const counted = [...this.messages.values()].filter(
      (m) => m.sender_id !== ME && m.deleted_at === null && m.seq > this.read,
    );
    return Math.min(100, counted.length);
  }

  page(from: number, to: number): History {
    const low = Math.max(1, from);
    const high = Math.min(this.last, to);
    return {
      messages: [...this.messages.values()]
        .filter(({ seq }) => low <= seq && seq <= high)
        .toSorted((a, b) => a.seq - b.seq),
      range: { from_seq: low, to_seq: high },
      has_more_before: low > 1,
      has_more_after: high < this.last,
    };
  }

  private push(seq: number, frame: ServerFrame): void {
    this.log.push({ seq, frame });
  }
}

const step = record({
  kind: constantFrom(
    'theirs',
    'mine',
    'edit',
    'delete',
    'deliver',
    'repeat',
    'skip one',
    'sync',
    'newest page',
    'page',
    'read here',
    'reset',
    'reconnect',
    'write to disk',
    'reload',
    'reload in the middle',
  ),
  pick: nat(1_000),
});

function play(steps: { kind: string; pick: number }[]) {
  const server = new Server();
  let gaps = 0;
  const newChats = (): Chats => {
    const made: Chats = new Chats(ME, {
      changed: () => {},
      listed: () => {},
      arrived: () => {},
      gap: () => {
        gaps += 1;
      },
      // What the client asks the server for when it cannot know; answered at once.
      stale: () => made.added(server.snapshot()),
    });
    return made;
  };
  let chats = newChats();
  chats.added(server.snapshot());
  let sent = server.last;
  const held = () => {
    const chat = chats.find(C1);
    if (chat === undefined) throw new Error('the conversation is gone');
    chat.timeline ??= new Timeline(chat.applied.seq);
    return chat;
  };
  const deliver = (seq: number): void => {
    const entry = server.log[seq - 1];
    if (entry !== undefined) chats.apply(entry.frame);
  };
  const sync = (): void => {
    for (let seq = held().applied.seq + 1; seq <= server.last; seq += 1) deliver(seq);
    sent = server.last;
  };
  const connect = (): void => {
    chats.hello();
    chats.apply({ type: 'conversations', payload: { items: [server.snapshot()], done: true } });
  };
  /** What is on the disk: it may be older than what was in memory. */
  let disk = keep(held(), () => undefined);
  for (const { kind, pick } of steps) {
    const { timeline } = held();
    switch (kind) {
      case 'theirs':
      case 'mine':
      case 'edit':
      case 'delete':
        server.append(kind, pick);
        break;
      case 'deliver':
        sent = Math.min(server.last, sent + 1);
        deliver(sent);
        break;
      case 'repeat':
        deliver(1 + (pick % server.last));
        break;
      case 'skip one':
        sent = Math.min(server.last, sent + 2);
        deliver(sent);
        break;
      case 'sync':
        sync();
        break;
      case 'newest page':
        timeline?.take(server.page(server.last - 4, server.last), true);
        break;
      case 'page': {
        const from = 1 + (pick % server.last);
        timeline?.take(server.page(from, from + 3));
        break;
      }
      case 'read here':
        server.read = Math.max(server.read, held().applied.seq);
        chats.apply({
          type: 'conversation.read',
          conversation_id: C1,
          payload: {
            user_id: ME,
            last_read_seq: server.read,
            last_read_at: null,
            unread_count: server.unread,
            unread_as_of_seq: server.last,
          },
        });
        break;
      case 'reset':
        chats.apply({
          type: 'conversation.reset',
          conversation_id: C1,
          payload: { reason: 'fork', conversation: server.snapshot() },
        });
        sent = server.last;
        break;
      case 'reconnect':
        connect();
        sync();
        break;
      case 'write to disk':
        disk = structuredClone(keep(held(), () => undefined));
        break;
      case 'reload':
      case 'reload in the middle':
        chats = newChats();
        chats.restore(restore(disk, ME));
        connect();
        if (kind === 'reload') sync();
        else sent = held().applied.seq;
        break;
      default:
        throw new Error(kind);
    }
    // At every moment: no hole is hidden, nothing stands twice, and once up to date the count is
    // the server's.
    const chat = held();
    const shown = chat.timeline?.messages ?? [];
    expect(new Set(shown.map(({ seq }) => seq)).size).toBe(shown.length);
    const known = [...server.messages.keys()].filter(
      (seq) => seq <= chat.applied.seq && chat.timeline?.covers(seq) === true,
    );
    expect(shown.map(({ seq }) => seq)).toEqual(known.toSorted((a, b) => a - b));
    expect(chat.timeline?.covers(chat.applied.seq + 1)).not.toBe(true);
    for (const gap of chat.timeline?.gaps ?? [])
      expect(gap.to_seq).toBeGreaterThanOrEqual(gap.from_seq);
    if (chat.applied.seq === server.last) expect(chat.unread.count).toBe(server.unread);
  }
  sync();
  const { timeline } = held();
  for (let from = 1; from <= server.last; from += 5) timeline?.take(server.page(from, from + 4));
  return { server, chat: held(), gaps };
}

describe('whatever comes in whatever order', () => {
  it('ends in the log of the server, and its count', () => {
    assert(
      property(array(step, { maxLength: 80 }), (steps) => {
        const { server, chat } = play(steps);
        const log = [...server.messages.values()].toSorted((a, b) => a.seq - b.seq);
        expect(chat.applied.seq).toBe(server.last);
        expect(chat.timeline?.messages.map(({ seq, body }) => [seq, body])).toEqual(
          log.map(({ seq, body }) => [seq, body]),
        );
        expect(chat.timeline?.gaps).toEqual([]);
        expect(chat.timeline?.hasMoreBefore).toBe(false);
        expect(chat.unread.count).toBe(server.unread);
      }),
      { numRuns: 400 },
    );
  });
});
