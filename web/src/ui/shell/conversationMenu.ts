import type { Chat } from '../../core/sync/chat';
import type { PatchMembership } from '../../gen/wire';
import type { Model } from '../../state/model';
import { text } from '../../strings/en';
import type { MenuItem } from '../kit/Menu';

/** What can be done with a conversation, in the sidebar and in its header. */
export function conversationMenu(model: Model, chat: Chat): MenuItem[] {
  const { id, meta } = chat;
  const set = (change: PatchMembership): void => {
    model.client.api.settings(id, change).then(
      (settings) =>
        model.client.chats.update(id, (held) => {
          held.meta = { ...held.meta, ...settings };
        }),
      () => model.toasts.notice({ text: text.noAnswer }),
    );
  };
  const items: MenuItem[] = [
    { label: meta.pinned ? text.unpin : text.pin, run: () => set({ pinned: !meta.pinned }) },
    { label: meta.muted ? text.unmute : text.mute, run: () => set({ muted: !meta.muted }) },
  ];
  if (model.reading.unread(id) > 0) {
    const run = (): void => {
      model.reading.unmark(id);
      model.reading.read(id);
    };
    items.push({ label: text.markRead, run });
  }
  return items;
}
