import type { Conversation, Cursor, Message, Participant, SystemEvent } from '../../gen/wire';
import { baseOf, Unread } from '../read/unread';
import type { Timeline } from '../timeline/timeline';
import type { LogFrame } from '../wire/frames';

export interface Mark {
  seq: number;
  at: string | null;
}

/** One conversation as this device holds it: a snapshot, and the log applied on top of it. */
export class Chat {
  /** As of its own `last_seq`, which may be ahead of `applied` while events are on their way. */
  meta: Conversation;
  /** The highest entry applied without a hole. */
  applied: Cursor;
  unread: Unread;
  timeline: Timeline | undefined;
  /** How far each member has read; marks only grow. */
  readonly marks = new Map<string, Mark>();
  /** Something happened that only the server can tell in full. */
  stale = false;

  constructor(
    conversation: Conversation,
    private readonly me: string,
  ) {
    this.meta = conversation;
    this.applied = endOf(conversation);
    this.unread = new Unread(conversation, me);
    this.takeMarks(conversation);
  }

  get id(): string {
    return this.meta.id;
  }

  /** The newest place in the log that is known to exist. */
  get newest(): number {
    return Math.max(this.meta.last_seq, this.applied.seq);
  }

  /** A newer snapshot of the same log; the events up to it still come, or came already. */
  refresh(conversation: Conversation): void {
    this.takeMarks(conversation);
    this.unread.rebase(baseOf(conversation));
    if (conversation.last_seq < this.meta.last_seq) return;
    this.meta = conversation;
    this.stale = false;
  }

  /** Another log than the one held, or too far away from it: everything starts at the snapshot. */
  reset(conversation: Conversation): void {
    this.meta = conversation;
    this.applied = endOf(conversation);
    this.unread = new Unread(conversation, this.me);
    this.timeline = undefined;
    this.stale = false;
    this.marks.clear();
    this.takeMarks(conversation);
  }

  /** The one rule of the log: the next entry is applied, a known one ignored, a later one is a gap. */
  apply(frame: LogFrame): 'applied' | 'known' | 'gap' {
    if (frame.seq <= this.applied.seq) return 'known';
    if (frame.seq > this.applied.seq + 1) return 'gap';
    this.applied = { seq: frame.seq, event_id: frame.event_id };
    const news = frame.seq > this.meta.last_seq;
    if (news) {
      this.meta = { ...this.meta, last_seq: frame.seq, last_event_id: frame.event_id };
    }
    if (frame.type === 'message.new') this.added(frame.payload, news);
    if (frame.type === 'message.updated') {
      this.updated(frame.payload, frame.seq, frame.payload.change === 'deleted', news);
    }
    this.timeline?.advance(frame.seq);
    return 'applied';
  }

  /** The members as the server lists them now. */
  met(members: Participant[]): void {
    for (const { user, last_read_seq, last_read_at } of members) {
      this.advance(user.id, { seq: last_read_seq, at: last_read_at });
    }
  }

  /** Somebody has read up to `mark`. */
  advance(user: string, mark: Mark): void {
    if (mark.seq > (this.marks.get(user)?.seq ?? 0)) this.marks.set(user, mark);
  }

  private added(message: Message, news: boolean): void {
    this.timeline?.put(message);
    this.unread.added(message);
    if (!news) return;
    this.meta = { ...this.meta, last_message: message };
    if (message.system !== null) this.membership(message.system);
  }

  private updated(message: Message, at: number, deleted: boolean, news: boolean): void {
    this.timeline?.put(message);
    if (deleted) this.unread.deleted(message, at, this.meta.visible_from_seq);
    if (news && this.meta.last_message?.seq === message.seq) {
      this.meta = { ...this.meta, last_message: message };
    }
  }

  private membership(system: SystemEvent): void {
    if (system.event === 'title_changed') this.meta = { ...this.meta, title: system.title };
    else if (system.event !== 'created') this.stale = true;
  }

  private takeMarks(conversation: Conversation): void {
    this.met(conversation.participants);
  }
}

const endOf = (conversation: Conversation): Cursor => ({
  seq: conversation.last_seq,
  event_id: conversation.last_event_id,
});
