import type { Conversation, Cursor, Message, ServerFrame, SyncResponse } from '../../gen/wire';
import { isLogFrame, type LogFrame } from '../wire/frames';
import { Chat } from './chat';

/** As many cursors as a `hello` or a `/sync` may carry. */
export const MAX_CURSORS = 500;

/** What applying an event leads to outside of the conversations themselves. */
export interface Effects {
  /** Something shown of this conversation changed. */
  changed(id: string): void;
  /** The set of conversations changed, or their order. */
  listed(): void;
  /** A message took its place in the log. */
  arrived(chat: Chat, message: Message): void;
  /** An event is missing below the one that came. */
  gap(id: string): void;
  /** Only the server can tell how this conversation stands now. */
  stale(id: string): void;
}

/** Every conversation of this user, kept in step with the server by snapshots and events. */
export class Chats {
  private readonly chats = new Map<string, Chat>();
  /** What the last `hello` named; the others start at their snapshot. */
  private resumed = new Set<string>();
  /** Conversations of the snapshot that is coming in. */
  private listed = new Set<string>();

  constructor(
    readonly me: string,
    private readonly effects: Effects,
  ) {}

  get all(): Iterable<Chat> {
    return this.chats.values();
  }

  find(id: string): Chat | undefined {
    return this.chats.get(id);
  }

  /** Newest activity first, which is what a resumption needs first too. */
  ordered(): Chat[] {
    return [...this.chats.values()].toSorted((a, b) => (activity(a) < activity(b) ? 1 : -1));
  }

  /** Where this device is, for a `hello` that starts a connection. */
  hello(): Record<string, Cursor> {
    const cursors = this.cursors();
    this.resumed = new Set(Object.keys(cursors));
    this.listed.clear();
    return cursors;
  }

  /** `first` are named whatever the limit leaves out. */
  cursors(first: Iterable<string> = []): Record<string, Cursor> {
    const urgent = [...first].flatMap((id) => this.chats.get(id) ?? []);
    const chats = [...new Set([...urgent, ...this.ordered()])].slice(0, MAX_CURSORS);
    return Object.fromEntries(chats.map((chat) => [chat.id, chat.applied]));
  }

  /** Applies one frame of the server; frames that say nothing about conversations pass. */
  apply(frame: ServerFrame): void {
    if (isLogFrame(frame)) {
      this.log(frame);
      return;
    }
    switch (frame.type) {
      case 'conversations':
        for (const conversation of frame.payload.items) this.snapshot(conversation);
        if (frame.payload.done) this.dropUnlisted();
        this.effects.listed();
        return;
      case 'conversation.added':
        this.added(frame.payload);
        return;
      case 'conversation.removed':
        this.remove(frame.conversation_id);
        return;
      case 'conversation.reset':
        this.reset(frame.payload.conversation);
        return;
      case 'conversation.settings':
        this.update(frame.conversation_id, (chat) => {
          chat.meta = { ...chat.meta, ...frame.payload };
        });
        return;
      case 'conversation.read':
        this.update(frame.conversation_id, (chat) => {
          const { user_id, last_read_seq: read, last_read_at, unread_count: count } = frame.payload;
          chat.advance(user_id, { seq: read, at: last_read_at });
          const asOf = frame.payload.unread_as_of_seq;
          if (user_id !== this.me || count === undefined || asOf === undefined) return;
          chat.unread.rebase({ count, asOf, read });
        });
        return;
      default:
    }
  }

  /** A conversation as an earlier visit left it; what the server has told since is newer. */
  restore(chat: Chat): void {
    if (!this.chats.has(chat.id)) this.chats.set(chat.id, chat);
  }

  /** A conversation the server told of, by REST or by an event. */
  added(conversation: Conversation): void {
    const chat = this.chats.get(conversation.id);
    if (chat === undefined) this.chats.set(conversation.id, new Chat(conversation, this.me));
    else if (chat.applied.seq < conversation.joined_seq - 1) this.reset(conversation);
    else chat.refresh(conversation);
    this.settle(conversation.id);
    this.effects.listed();
  }

  remove(id: string): void {
    if (!this.chats.delete(id)) return;
    this.effects.changed(id);
    this.effects.listed();
  }

  /** The answer to `POST /sync`, in the shapes of the socket. */
  sync(response: SyncResponse): void {
    for (const { id, status, conversation, events } of response.conversations) {
      if (status === 'gone') this.remove(id);
      else if (conversation !== null && status === 'reset') this.reset(conversation);
      else if (conversation !== null) this.added(conversation);
      for (const event of events) this.apply(event);
    }
  }

  /** Changes one conversation in place and tells whoever shows it. */
  update(id: string, change: (chat: Chat) => void): void {
    const chat = this.chats.get(id);
    if (chat === undefined) return;
    change(chat);
    this.settle(id);
  }

  private log(frame: LogFrame): void {
    const chat = this.chats.get(frame.conversation_id);
    if (chat === undefined) return;
    const outcome = chat.apply(frame);
    if (outcome === 'gap') this.effects.gap(chat.id);
    if (outcome !== 'applied') return;
    this.settle(chat.id);
    if (frame.type === 'message.new') {
      this.effects.arrived(chat, frame.payload);
      this.effects.listed();
    }
  }

  private snapshot(conversation: Conversation): void {
    const { id } = conversation;
    this.listed.add(id);
    const chat = this.chats.get(id);
    // Without a cursor in the `hello`, no event will lead from what is held to this snapshot.
    const bridged = chat !== undefined && this.resumed.has(id);
    if (chat === undefined) this.chats.set(id, new Chat(conversation, this.me));
    else if (bridged || chat.applied.seq >= conversation.last_seq) chat.refresh(conversation);
    else this.reset(conversation);
    this.settle(id);
  }

  private dropUnlisted(): void {
    for (const id of this.chats.keys()) if (!this.listed.has(id)) this.remove(id);
    this.listed.clear();
  }

  private reset(conversation: Conversation): void {
    const chat = this.chats.get(conversation.id);
    if (chat === undefined) this.chats.set(conversation.id, new Chat(conversation, this.me));
    else chat.reset(conversation);
    this.settle(conversation.id);
    this.effects.listed();
  }

  private settle(id: string): void {
    const chat = this.chats.get(id);
    if (chat === undefined) return;
    if (chat.stale || chat.unread.unsure) {
      chat.stale = chat.unread.unsure = false;
      this.effects.stale(id);
    }
    this.effects.changed(id);
  }
}

const activity = (chat: Chat): string => chat.meta.last_message?.created_at ?? chat.meta.created_at;
