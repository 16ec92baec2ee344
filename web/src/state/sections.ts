import { createMemo } from 'solid-js';
import type { Chat } from '../core/sync/chat';

export type Section = 'unread' | 'pinned' | 'rest';

export const SECTIONS: Section[] = ['unread', 'pinned', 'rest'];

interface Surroundings {
  list: () => string[];
  chat: (id: string) => Chat | undefined;
  unread: (id: string) => number;
  openId: () => string | undefined;
}

/** The sidebar: what needs the reader first, then what they pinned, then the rest. */
export function createSections({ list, chat, unread, openId }: Surroundings) {
  // A conversation that is opened from among the unread ones stays there while it is open: reading
  // it does not move it away from under the pointer.
  const kept = createMemo((before: { open?: string | undefined; kept?: string | undefined }) => {
    const open = openId();
    if (open === before.open) return before;
    return { open, kept: open !== undefined && unread(open) > 0 ? open : undefined };
  }, {});
  const sectionOf = (id: string): Section => {
    const held = chat(id);
    const needs = unread(id) > 0 && held?.meta.muted === false;
    if (needs || id === kept().kept) return 'unread';
    return held?.meta.pinned === true ? 'pinned' : 'rest';
  };
  const sections = createMemo(() => {
    const all: Record<Section, string[]> = { unread: [], pinned: [], rest: [] };
    for (const id of list()) all[sectionOf(id)].push(id);
    return all;
  });
  return {
    sections,
    /** All conversations as the sidebar lists them. */
    order: () => SECTIONS.flatMap((section) => sections()[section]),
  };
}
