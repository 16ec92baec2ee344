import { createSignal } from 'solid-js';
import type { Client } from '../core/client';
import type { Chat } from '../core/sync/chat';

/** What is unread as this page shows it: the server's count, and what the reader wants to see. */
export function createReading(client: Client, chat: (id: string) => Chat | undefined) {
  /** "Mark unread from here": where, by conversation; a state of this page, not of the mark. */
  const [marked, setMarked] = createSignal(new Map<string, number>());
  /** Shown as read, and told to the server when it can no longer be undone. */
  const [clearing, setClearing] = createSignal(new Set<string>());

  const without = <T>(entries: Iterable<[string, T]>, id: string): Map<string, T> =>
    new Map([...entries].filter(([other]) => other !== id));

  const read = (id: string): void => {
    const held = client.chats.find(id);
    if (held !== undefined) client.read(id, held.newest);
  };

  const unread = (id: string): number => {
    const held = chat(id);
    if (held === undefined || clearing().has(id)) return 0;
    const from = marked().get(id);
    if (from === undefined) return held.unread.count;
    const texts = held.timeline?.slice(from, Number.POSITIVE_INFINITY) ?? [];
    const others = texts.filter(
      (message) =>
        message.kind === 'text' &&
        message.deleted_at === null &&
        message.sender_id !== client.chats.me,
    );
    return Math.max(others.length, held.unread.count);
  };

  return {
    markedAt: (id: string): number | undefined => marked().get(id),

    unread,

    mark(id: string, from: number): void {
      setMarked(new Map([...marked(), [id, from]]));
    },

    unmark(id: string): void {
      if (marked().has(id)) setMarked(without(marked(), id));
    },

    read,

    /** Shows these as read; `settle` tells the server, `undo` brings the counts back. */
    clear(ids: string[]): { settle: () => void; undo: () => void } {
      setClearing(new Set([...clearing(), ...ids]));
      const undo = (): void => {
        setClearing(new Set([...clearing()].filter((id) => !ids.includes(id))));
      };
      const settle = (): void => {
        for (const id of ids) {
          read(id);
          this.unmark(id);
        }
        undo();
      };
      return { settle, undo };
    },
  };
}

export type Reading = ReturnType<typeof createReading>;
