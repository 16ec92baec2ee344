import type { Ack, Message, Participant, SendAck, ServerFrame, User } from '../gen/wire';
import { type Auth, SignedOut } from './api/auth';
import { Api } from './api/client';
import { ApiError } from './api/http';
import { type Clock, sleep } from './clock';
import { type Letter, Outbox, type Shelf } from './outbox/outbox';
import { People } from './people';
import { TypingList, TypingSignal } from './presence/typing';
import { Marker } from './read/marker';
import type { Chat } from './sync/chat';
import { Chats } from './sync/chats';
import { Healer } from './sync/healer';
import { KEPT_CHATS, type Kept, restore } from './sync/kept';
import { Pages } from './timeline/pages';
import type { Socket } from './wire/connection';
import { type Phase, Session, Unanswered } from './wire/session';

export interface ClientEnvironment {
  clock: Clock;
  auth: Auth;
  shelf: Shelf;
  /** The outbox of all tabs; see `Outbox`. */
  exclusively(task: () => Promise<void>): Promise<void>;
  tell(news: Letter | string): void;
  uuid(): string;
  open(ticket: string): Socket;
  /** Something shown has changed; see `topic`. */
  touch(topic: string): void;
  /** Of this conversation something may have changed that outlasts the visit. */
  changed(id: string): void;
  /** A message took its place in the log. */
  arrived(chat: Chat, message: Message): void;
  phase(phase: Phase): void;
  /** Not live for so long that people should be told; or live again. */
  troubled(troubled: boolean): void;
  /** The server knows me by another name, or as somebody else. */
  identified(user: User): void;
}

/** A connection that is back by then was never missed. */
const TROUBLE_MS = 3_000;
const PRELOADED = 10;
const PRELOAD_PAUSE_MS = 150;

export const topic = {
  list: 'list',
  chat: (id: string): string => `chat:${id}`,
  user: (id: string): string => `user:${id}`,
};

/** Everything a signed-in user has, wired together. Knows no framework and no page. */
export class Client {
  readonly api: Api;
  readonly chats: Chats;
  readonly outbox: Outbox;
  readonly people: People;
  readonly pages: Pages;
  readonly session: Session;
  readonly typing: TypingList;
  readonly typingSignal: TypingSignal;
  /** The server's clock when the connection began: what is older is no news. */
  connectedAt = '';
  private readonly marker: Marker;
  private readonly healer: Healer;
  private readonly refreshing = new Set<string>();
  private openId: string | undefined;
  /** Conversations that were open, the last one first. */
  private recent: string[] = [];
  private away = false;
  private cancelTrouble: (() => void) | undefined;

  constructor(
    me: User,
    private readonly env: ClientEnvironment,
  ) {
    const { auth, clock } = env;
    const changed = (id: string): void => this.changed(id);
    this.api = new Api(auth);
    this.people = new People(
      (id) => this.api.user(id),
      (id) => env.touch(topic.user(id)),
    );
    this.people.put(me);
    this.chats = new Chats(me.id, {
      changed,
      listed: () => env.touch(topic.list),
      arrived: (chat, message) => this.arrived(chat, message),
      gap: (id) => this.healer.gap(id),
      stale: (id) => this.refresh(id),
    });
    this.session = new Session({
      clock,
      ticket: async () => (await this.api.ticket()).ticket,
      open: (ticket) => env.open(ticket),
      hello: () => ({ cursors: this.chats.hello(), client: 'web' }),
      tokenExpired: () => auth.invalidate(),
      frame: (frame) => this.received(frame),
      phase: (phase) => this.entered(phase),
    });
    auth.onRenewed = (token) => this.session.renew(token);
    this.healer = new Healer({
      clock,
      cursors: (first) => this.chats.cursors(first),
      ask: (cursors) => this.api.sync(cursors),
      apply: (response) => this.chats.sync(response),
      hopeless: (error) =>
        error instanceof SignedOut || (error instanceof ApiError && !error.retryable),
    });
    this.pages = new Pages(clock, (id, query) => this.api.history(id, query), changed);
    this.outbox = new Outbox({
      clock,
      shelf: env.shelf,
      exclusively: (task) => env.exclusively(task),
      tell: (news) => env.tell(news),
      uuid: () => env.uuid(),
      live: () => this.live,
      applied: (id) => this.chats.find(id)?.applied.seq ?? 0,
      send: async ({ conversation_id, client_msg_id, body, reply_to_seq = null }) => {
        const payload = { conversation_id, client_msg_id, body, reply_to_seq };
        return sendAck(await this.session.ask({ type: 'message.send', payload }));
      },
      changed,
    });
    this.marker = new Marker(this.chats, (conversation_id, seq) =>
      this.session.ask({ type: 'conversation.read', payload: { conversation_id, seq } }),
    );
    this.typing = new TypingList(clock, changed);
    this.typingSignal = new TypingSignal(clock, (conversation_id, typing) =>
      this.session.tell({ type: 'user.typing', payload: { conversation_id, typing } }),
    );
  }

  get live(): boolean {
    return this.session.phase.name === 'live';
  }

  /** Shows what an earlier visit left, until the server tells what has become of it. */
  restore(kept: readonly Kept[]): void {
    for (const one of kept) {
      for (const user of one.people) this.people.put(user);
      const chat = restore(one, this.chats.me);
      this.chats.restore(chat);
      this.changed(chat.id);
    }
    this.env.touch(topic.list);
  }

  /** Shows a conversation; the one shown before keeps only its newest messages. */
  open(id: string | undefined): void {
    if (this.openId === id) return;
    if (this.openId !== undefined) this.leave(this.openId);
    this.openId = id;
    if (id === undefined) return;
    this.recent = this.recent.filter((other) => other !== id);
    this.changed(id);
    this.meet(id);
  }

  /** Resolves when the message would survive a crash. */
  send(conversation: string, body: string, replyTo?: number): Promise<void> {
    this.typingSignal.stop();
    return this.outbox.add(conversation, body, replyTo);
  }

  read(conversation: string, seq: number): void {
    this.marker.mark(conversation, seq);
  }

  /** Tells the others whether somebody is here. */
  setAway(away: boolean): void {
    this.away = away;
    this.session.tell({ type: 'presence.set', payload: { status: away ? 'away' : 'online' } });
  }

  /** Leaves nothing running. */
  stop(): void {
    this.outbox.stop();
    this.session.stop();
    this.cancelTrouble?.();
    this.env.auth.onRenewed = () => {};
    this.env.auth.forget();
  }

  private leave(id: string): void {
    this.chats.find(id)?.timeline?.trim();
    this.recent.unshift(id);
    for (const old of this.recent.splice(KEPT_CHATS)) {
      const chat = this.chats.find(old);
      if (chat !== undefined) chat.timeline = undefined;
    }
  }

  /** Who is in an open group, how far they have read, and whether they are here. */
  private meet(id: string): void {
    const chat = this.chats.find(id);
    if (chat === undefined || chat.meta.kind === 'direct') return;
    const watch = (members: Participant[]): void => {
      const user_ids = members.map(({ user }) => user.id).filter((user) => user !== this.chats.me);
      this.session.tell({ type: 'presence.watch', payload: { user_ids } });
    };
    watch(chat.meta.participants);
    if (chat.meta.participant_count <= chat.meta.participants.length) return;
    this.api.participants(id).then(
      ({ items }) => {
        for (const { user } of items) this.people.put(user);
        this.chats.update(id, (held) => held.met(items));
        if (this.openId === id) watch(items);
      },
      // Those that the snapshot names are known all the same.
      () => {},
    );
  }

  /** Loads what is likely to be opened next, one after the other. */
  private async preload(): Promise<void> {
    const first = this.chats.ordered().slice(0, PRELOADED);
    for (const { id } of first) {
      await sleep(this.env.clock, PRELOAD_PAUSE_MS);
      const chat = this.chats.find(id);
      if (!this.live) return;
      if (chat !== undefined && this.pages.newest(chat) === 'idle') this.pages.open(chat);
    }
  }

  private changed(id: string): void {
    const chat = this.chats.find(id);
    if (chat !== undefined) {
      this.people.learn(chat.meta);
      this.outbox.reached(id, chat.applied.seq);
      if (id === this.openId && this.pages.newest(chat) !== 'failed') this.pages.open(chat);
    }
    this.env.touch(topic.chat(id));
    this.env.changed(id);
  }

  private arrived(chat: Chat, message: Message): void {
    this.typing.stopped(chat.id, message.sender_id);
    if (message.sender_id === this.chats.me && message.client_msg_id !== null) {
      this.outbox.echoed(message.client_msg_id);
    }
    this.env.arrived(chat, message);
  }

  private received(frame: ServerFrame): void {
    switch (frame.type) {
      case 'ready':
        if (!this.live) this.connectedAt = frame.payload.server_time;
        this.people.put(frame.payload.user);
        this.env.identified(frame.payload.user);
        return;
      case 'user.updated':
        this.people.put(frame.payload);
        if (frame.payload.id === this.chats.me) this.env.identified(frame.payload);
        return;
      case 'user.typing':
        if (frame.payload.user_id !== this.chats.me) {
          this.typing.heard(frame.conversation_id, frame.payload);
        }
        return;
      case 'presence.updated':
        this.people.heard(frame.payload);
        return;
      default:
        this.chats.apply(frame);
    }
  }

  private entered(phase: Phase): void {
    if (phase.name === 'live') {
      this.cancelTrouble?.();
      this.cancelTrouble = undefined;
      this.env.troubled(false);
      this.outbox.flushAll();
      this.marker.flushAll();
      if (this.away) this.setAway(true);
      const open = this.openId === undefined ? undefined : this.chats.find(this.openId);
      if (open !== undefined) {
        this.pages.open(open);
        this.meet(open.id);
      }
      void this.preload();
    } else {
      this.cancelTrouble ??= this.env.clock.after(TROUBLE_MS, () => {
        this.typing.clear();
        this.people.clearPresence();
        this.env.troubled(true);
      });
    }
    this.env.phase(phase);
  }

  private refresh(id: string): void {
    if (this.refreshing.has(id)) return;
    this.refreshing.add(id);
    this.api.conversation(id).then(
      (conversation) => {
        this.refreshing.delete(id);
        this.chats.added(conversation);
        // The log went on while the answer was made: it may miss what made it necessary.
        if (conversation.last_seq < (this.chats.find(id)?.meta.last_seq ?? 0)) this.refresh(id);
      },
      // Gone: the socket tells. Not reached: the next snapshot tells.
      () => this.refreshing.delete(id),
    );
  }
}

function sendAck(ack: Ack): SendAck {
  if ('message_id' in ack) return ack;
  // Another ack than the one asked for says nothing about this message.
  throw new Unanswered();
}
