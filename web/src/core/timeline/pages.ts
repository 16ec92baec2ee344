import type { History, SeqRange } from '../../gen/wire';
import type { Clock } from '../clock';
import type { Chat } from '../sync/chat';
import { Timeline } from './timeline';

export type PageState = 'idle' | 'loading' | 'failed';

/** Which part of the history: at most one of them, the newest page without. */
export interface PageQuery {
  before?: number;
  after?: number;
  around?: number;
}

/** A page that ended too early is asked for again after this. */
const AGAIN_MS = 300;

const NEWEST = 'newest';
const OLDER = 'older';

/** Fetches history into timelines: the newest page when one is opened, any other on demand. */
export class Pages {
  private readonly states = new WeakMap<Timeline, Map<string, PageState>>();

  constructor(
    private readonly clock: Clock,
    private readonly fetch: (conversation: string, query: PageQuery) => Promise<History>,
    private readonly changed: (conversation: string) => void,
  ) {}

  newest(chat: Chat): PageState {
    return this.state(chat, NEWEST);
  }

  older(chat: Chat): PageState {
    return this.state(chat, OLDER);
  }

  gap(chat: Chat, gap: SeqRange): PageState {
    return this.state(chat, `${gap.from_seq}-${gap.to_seq}`);
  }

  /** Makes sure that the newest messages are here, or on their way. */
  open(chat: Chat): void {
    chat.timeline ??= new Timeline(chat.applied.seq);
    const { timeline } = chat;
    if (timeline.loaded) return;
    void this.load(chat, NEWEST, {}, (page) => {
      if (!timeline.take(page, true)) this.clock.after(AGAIN_MS, () => this.open(chat));
    });
  }

  loadOlder(chat: Chat): void {
    const { timeline } = chat;
    if (timeline?.oldest === undefined || !timeline.hasMoreBefore) return;
    void this.load(chat, OLDER, { before: timeline.oldest }, (page) => timeline.take(page));
  }

  /** Loads into a gap, from the side that the reader comes from. */
  fill(chat: Chat, gap: SeqRange, from: 'above' | 'below'): void {
    const { timeline } = chat;
    const query = from === 'above' ? { after: gap.from_seq - 1 } : { before: gap.to_seq + 1 };
    const key = `${gap.from_seq}-${gap.to_seq}`;
    void this.load(chat, key, query, (page) => timeline?.take(page));
  }

  /** Loads what surrounds one message; true when it is here. */
  async around(chat: Chat, seq: number): Promise<boolean> {
    chat.timeline ??= new Timeline(chat.applied.seq);
    const { timeline } = chat;
    if (!timeline.covers(seq)) {
      await this.load(chat, `around ${seq}`, { around: seq }, (page) => timeline.take(page));
    }
    return timeline.covers(seq);
  }

  private state(chat: Chat, key: string): PageState {
    if (chat.timeline === undefined) return 'idle';
    return this.states.get(chat.timeline)?.get(key) ?? 'idle';
  }

  private async load(
    chat: Chat,
    key: string,
    query: PageQuery,
    take: (page: History) => void,
  ): Promise<void> {
    const { timeline } = chat;
    if (timeline === undefined || this.state(chat, key) === 'loading') return;
    const states = this.states.get(timeline) ?? new Map<string, PageState>();
    this.states.set(timeline, states);
    const enter = (state: PageState): void => {
      if (state === 'idle') states.delete(key);
      else states.set(key, state);
      this.changed(chat.id);
    };
    enter('loading');
    try {
      const page = await this.fetch(chat.id, query);
      // After a reset the page belongs to a timeline that nobody shows any more.
      take(page);
      enter('idle');
    } catch {
      enter('failed');
    }
  }
}
