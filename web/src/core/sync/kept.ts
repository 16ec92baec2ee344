import type { Conversation, Cursor, History, User } from '../../gen/wire';
import { Timeline } from '../timeline/timeline';
import { Chat } from './chat';

/** So many messages of each of so many conversations outlast a visit. */
const KEPT_MESSAGES = 100;
export const KEPT_CHATS = 50;

/**
 * A conversation as it was when its log was applied up to `applied`. *All of it is as of that place:*
 * a connection that starts there brings whatever has happened since, or a reset that replaces it.
 */
export interface Kept {
  conversation: Conversation;
  applied: Cursor;
  /** The newest stretch of the log; absent if it was not in memory. */
  history: History | undefined;
  /** Who wrote in it, where the conversation itself does not name them. */
  people: User[];
}

export function keep(chat: Chat, known: (user: string) => User | undefined): Kept {
  const history = chat.timeline?.newest(KEPT_MESSAGES);
  const named = new Set(chat.meta.participants.map(({ user }) => user.id));
  const senders = new Set(history?.messages.map((message) => message.sender_id));
  const people = [...senders].filter((id) => !named.has(id)).flatMap((id) => known(id) ?? []);
  return { conversation: current(chat), applied: chat.applied, history, people };
}

export function restore({ conversation, applied, history }: Kept, me: string): Chat {
  const chat = new Chat(conversation, me);
  chat.applied = applied;
  if (history !== undefined) {
    chat.timeline = new Timeline(applied.seq);
    chat.timeline.take(history, true);
  }
  return chat;
}

/** Differs whenever what would be kept does. */
export const fingerprint = (chat: Chat): string =>
  JSON.stringify([current(chat), chat.applied, chat.timeline?.version ?? null]);

/** The snapshot, with what events have told since. */
function current({ meta, applied, unread, marks }: Chat): Conversation {
  return {
    ...meta,
    participants: meta.participants.map((member) => {
      const { seq = member.last_read_seq, at = member.last_read_at } =
        marks.get(member.user.id) ?? {};
      return { ...member, last_read_seq: seq, last_read_at: at };
    }),
    unread_count: unread.count,
    unread_as_of_seq: Math.max(unread.asOf, applied.seq),
    last_read_seq: unread.read,
  };
}
