import type { Client } from '../core/client';
import type { Clock } from '../core/clock';
import { isNews } from '../core/notify';
import type { Chat } from '../core/sync/chat';
import type { Message } from '../gen/wire';
import { text } from '../strings/en';
import { createAnnouncer } from './announcer';
import { createDesktop } from './desktop';
import { page } from './page';
import { settings } from './settings';
import { createSound } from './sound';
import type { Toasts } from './toasts';

interface Surroundings {
  clock: Clock;
  client(): Client;
  toasts: Toasts;
  /** The conversation that is open. */
  open(): string | undefined;
  nameOf(user: string): string;
  titleOf(chat: Chat): string;
  unread(id: string): number;
  /** This tab is the one that sounds and notifies. */
  speaks(): boolean;
  show(id: string): void;
}

/** Who is told of a message, and how: a toast, a notification, a sound, or only read aloud. */
export function createAttention(around: Surroundings) {
  const announcer = createAnnouncer(around.clock);
  const desktop = createDesktop((id) => around.show(id));
  const sound = createSound(around.clock);
  /** Came while the connection was being resumed: one line for all of it. */
  let missed = 0;

  const placeOf = (chat: Chat): string => (chat.meta.kind === 'group' ? around.titleOf(chat) : '');

  return {
    announcement: announcer.said,

    arrived(chat: Chat, message: Message): void {
      const client = around.client();
      const { me } = client.chats;
      const situation = {
        me,
        live: client.live,
        connectedAt: client.connectedAt,
        muted: chat.meta.muted,
      };
      const watching = around.open() === chat.id && page.visible();
      const said = { ...situation, watching: false };
      if (!client.live) {
        const counts = isNews(message, { ...said, live: true, connectedAt: message.created_at });
        if (counts && !watching) missed += 1;
        return;
      }
      if (!isNews(message, said)) return;
      const sender = around.nameOf(message.sender_id);
      const preview = message.body ?? '';
      if (watching) announcer.say(text.said(sender, preview));
      else {
        around.toasts.incoming({ conversation: chat.id, sender: message.sender_id, preview });
      }
      if (!around.speaks()) return;
      if (settings().sound && !(watching && page.focused())) sound.play();
      if (settings().desktop && !page.focusedAnywhere()) {
        desktop.show(chat.id, sender, placeOf(chat), preview);
      }
    },

    /** The connection is live, for the first time on this page or again after a while. */
    resumed(again: boolean): void {
      if (again && missed > 0) around.toasts.notice({ text: text.missed(missed) });
      missed = 0;
    },

    /** What was read elsewhere needs nobody's attention any more. */
    readElsewhere(id: string): void {
      if (around.unread(id) > 0) return;
      around.toasts.dismiss(id);
      desktop.close(id);
    },

    dispose(): void {
      desktop.closeAll();
    },
  };
}
