import { createMemo, createRoot, createSignal, onCleanup } from 'solid-js';
import type { Auth } from '../core/api/auth';
import { Client, topic } from '../core/client';
import { realClock } from '../core/clock';
import { uuid } from '../core/id';
import { isNews } from '../core/notify';
import type { Chat } from '../core/sync/chat';
import { onWake } from '../core/wire/wake';
import type { Message, PresenceStatus, User } from '../gen/wire';
import { account, onLetterRemoved, shelf } from '../storage/account';
import { text } from '../strings/en';
import { page } from './page';
import { route } from './router';
import { createToasts } from './toasts';
import { Topics } from './topics';

const socketUrl = (ticket: string): string =>
  `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws?token=${encodeURIComponent(ticket)}`;

/** A signed-in user's client, as signals. */
export function createModel(user: User, auth: Auth) {
  return createRoot((dispose) => {
    const topics = new Topics();
    const toasts = createToasts(realClock);
    const [me, setMe] = createSignal(user);
    const [troubled, setTroubled] = createSignal(false);
    const [announcement, announce] = createSignal('');
    /** Whether the snapshot has been here once: before that, nothing can be called missing. */
    const [known, setKnown] = createSignal(false);

    const client = new Client(user, {
      clock: realClock,
      auth,
      uuid,
      shelf: shelf(user.id),
      open: (ticket) => new WebSocket(socketUrl(ticket)),
      touch: (name) => topics.touch(name),
      troubled: setTroubled,
      phase: ({ name }) => {
        topics.touch('phase');
        if (name === 'live') setKnown(true);
      },
      identified(self) {
        account.remember(self);
        if (self.id === user.id) setMe(self);
        else location.reload();
      },
      arrived,
    });

    onCleanup(onWake(realClock, () => client.session.nudge()));
    onCleanup(onLetterRemoved(user.id, (id) => client.outbox.settledElsewhere(id)));
    onCleanup(() => client.stop());
    onCleanup(() => toasts.clear());

    const phase = () => {
      topics.track('phase');
      return client.session.phase;
    };
    const chat = (id: string): Chat | undefined => {
      topics.track(topic.chat(id));
      return client.chats.find(id);
    };
    const person = (id: string): User | undefined => {
      topics.track(topic.user(id));
      return client.people.find(id);
    };
    const nameOf = (id: string): string => person(id)?.display_name ?? text.someone;
    const status = (id: string): PresenceStatus => {
      topics.track(topic.user(id));
      return client.people.status(id);
    };
    const partner = (held: Chat): string | undefined =>
      held.meta.kind === 'direct'
        ? held.meta.participants.find((member) => member.user.id !== user.id)?.user.id
        : undefined;
    const titleOf = (held: Chat): string => {
      const { title, participants } = held.meta;
      const other = partner(held);
      if (other !== undefined) return nameOf(other);
      if (title !== null) return title;
      const others = participants.filter((member) => member.user.id !== user.id);
      return others.map((member) => nameOf(member.user.id)).join(', ') || text.you;
    };
    const list = createMemo(() => {
      topics.track(topic.list);
      return client.chats.ordered().map((held) => held.id);
    });
    const unreadTotal = createMemo(() =>
      list().reduce((sum, id) => {
        const held = chat(id);
        return held === undefined || held.meta.muted ? sum : sum + held.unread.count;
      }, 0),
    );
    const openId = createMemo(() => {
      const place = route();
      return place.name === 'conversation' ? place.id : undefined;
    });

    function arrived(held: Chat, message: Message): void {
      const situation = {
        me: user.id,
        live: client.live,
        connectedAt: client.connectedAt,
        muted: held.meta.muted,
      };
      const watching = openId() === held.id && page.visible();
      const preview = message.body ?? '';
      if (isNews(message, { ...situation, watching })) {
        toasts.show({ conversation: held.id, sender: message.sender_id, preview });
      } else if (watching && isNews(message, { ...situation, watching: false })) {
        announce(`${nameOf(message.sender_id)}: ${preview}`);
      }
    }

    return {
      client,
      toasts,
      me,
      phase,
      known,
      troubled,
      announcement,
      openId,
      list,
      chat,
      nameOf,
      status,
      partner,
      titleOf,
      unreadTotal,
      start: () => client.session.start(),
      dispose,
    };
  });
}

export type Model = ReturnType<typeof createModel>;
