import { createEffect, createMemo, createRoot, createSignal, on, onCleanup } from 'solid-js';
import type { Auth } from '../core/api/auth';
import { Client, topic } from '../core/client';
import { realClock } from '../core/clock';
import { uuid } from '../core/id';
import type { Chat } from '../core/sync/chat';
import { onWake } from '../core/wire/wake';
import type { PresenceStatus, User } from '../gen/wire';
import { account } from '../storage/account';
import { Database } from '../storage/db';
import { exclusively } from '../storage/lock';
import { Persist } from '../storage/persist';
import { Tabs } from '../storage/tabs';
import { text } from '../strings/en';
import { createAttention } from './attention';
import { createDrafts } from './drafts';
import { watchIdle } from './idle';
import { page } from './page';
import { createReading } from './reading';
import { go, type Position, pathOf, route } from './router';
import { createSections } from './sections';
import { createToasts } from './toasts';
import { Topics } from './topics';
import { checkForUpdate } from './update';

const socketUrl = (ticket: string): string =>
  `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws?token=${encodeURIComponent(ticket)}`;

/** What the composer works on, if not on a new message. */
export interface Editing {
  conversation: string;
  seq: number;
  body: string;
}

/** A signed-in user's client, as signals. */
export function createModel(user: User, auth: Auth) {
  return createRoot((dispose) => {
    const topics = new Topics();
    const toasts = createToasts(realClock);
    const [me, setMe] = createSignal(user);
    const [troubled, setTroubled] = createSignal(false);
    const [editing, setEditing] = createSignal<Editing>();
    let disposed = false;

    const tabs = new Tabs(user.id, (news) => client.outbox.heard(news));
    const database = new Database(user.id);
    const client: Client = new Client(user, {
      clock: realClock,
      auth,
      uuid,
      shelf: database.shelf(),
      exclusively: (task) => exclusively(`parley.outbox.${user.id}`, realClock, task),
      tell: (news) => tabs.tell(news),
      open: (ticket) => new WebSocket(socketUrl(ticket)),
      touch: (name) => topics.touch(name),
      changed: (id) => persist.changed(id),
      troubled: setTroubled,
      phase: ({ name }) => {
        topics.touch('phase');
        if (name !== 'live') return;
        attention.resumed(known());
        if (known()) void checkForUpdate();
      },
      identified(self) {
        account.remember(self);
        if (self.id === user.id) setMe(self);
        else location.reload();
      },
      arrived: (held, message) => attention.arrived(held, message),
    });

    const persist = new Persist({
      clock: realClock,
      shelf: database.chats(),
      find: (id) => client.chats.find(id),
      ordered: () => client.chats.ordered(),
      known: (id) => client.people.known(id),
      complete: () => known(),
      signedIn: () => account.user()?.id === user.id,
    });
    /** A connection begins where the last visit ended, so this must be known before. */
    const restored = persist.load().then((kept) => {
      client.restore(kept);
      for (const held of client.chats.all) persist.restored(held);
    });

    const phase = () => {
      topics.track('phase');
      return client.session.phase;
    };
    /** Whether the snapshot has been here once: before that, nothing can be called missing. */
    const known = createMemo(
      (before: boolean): boolean => before || phase().name === 'live',
      false,
    );
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
    const openId = createMemo(() => {
      const place = route();
      return place.name === 'conversation' ? place.id : undefined;
    });
    const reading = createReading(client, chat);
    /** The one number behind title, favicon and app badge. */
    const unreadTotal = createMemo(() =>
      list().reduce(
        (sum, id) => (chat(id)?.meta.muted === true ? sum : sum + reading.unread(id)),
        0,
      ),
    );
    const attention = createAttention({
      clock: realClock,
      client: () => client,
      toasts,
      open: openId,
      nameOf,
      titleOf,
      unread: reading.unread,
      speaks: () => tabs.speaks,
      show: (id) => go(pathOf(id)),
    });

    createEffect(() => {
      for (const id of list()) {
        createEffect(() => {
          if (reading.unread(id) === 0) attention.readElsewhere(id);
        });
      }
    });
    createEffect(() => toasts.pause(!page.visible()));
    createEffect(
      on(openId, (id, before) => {
        // The mark of the page holds until the reader leaves and returns.
        if (id !== undefined && id !== before) reading.unmark(id);
        setEditing(undefined);
      }),
    );
    onCleanup(onWake(realClock, () => client.session.nudge()));
    onCleanup(watchIdle(realClock, (away) => client.setAway(away)));
    onCleanup(() => {
      client.stop();
      persist.stop();
      tabs.close();
      toasts.clear();
      attention.dispose();
    });

    return {
      client,
      toasts,
      me,
      /** I have another name now. */
      rename(self: User): void {
        client.people.put(self);
        account.remember(self);
        setMe(self);
      },
      phase,
      known,
      troubled,
      announcement: attention.announcement,
      openId,
      list,
      chat,
      nameOf,
      person,
      status,
      partner,
      titleOf,
      unreadTotal,
      sidebar: createSections({ list, chat, unread: reading.unread, openId }),
      reading,
      drafts: createDrafts(user.id),
      /** Where the reader left each conversation; absent at the end. */
      positions: new Map<string, Position>(),
      editing,
      setEditing,
      start(): void {
        void restored.then(() => {
          if (!disposed) client.session.start();
        });
      },
      dispose(): void {
        disposed = true;
        dispose();
      },
    };
  });
}

export type Model = ReturnType<typeof createModel>;
