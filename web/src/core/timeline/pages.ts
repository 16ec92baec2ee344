import type { History } from '../../gen/wire';
import type { Clock } from '../clock';
import type { Chat } from '../sync/chat';
import { Timeline } from './timeline';

export type PageState = 'idle' | 'loading' | 'failed';

/** A page that ended too early is asked for again after this. */
const AGAIN_MS = 300;

/** Fetches history into timelines: the newest page when one is opened, older ones on demand. */
export class Pages {
  private readonly states = new WeakMap<Timeline, PageState>();

  constructor(
    private readonly clock: Clock,
    private readonly fetch: (conversation: string, before?: number) => Promise<History>,
    private readonly changed: (conversation: string) => void,
  ) {}

  state(chat: Chat): PageState {
    return chat.timeline === undefined ? 'idle' : (this.states.get(chat.timeline) ?? 'idle');
  }

  /** Makes sure that the newest messages are here, or on their way. */
  open(chat: Chat): void {
    chat.timeline ??= new Timeline(chat.applied.seq);
    const { timeline } = chat;
    if (timeline.loaded || this.state(chat) === 'loading') return;
    this.load(chat, timeline, undefined, (page) => {
      if (!timeline.newest(page)) this.clock.after(AGAIN_MS, () => this.open(chat));
    });
  }

  older(chat: Chat): void {
    const { timeline } = chat;
    if (timeline?.oldest === undefined || !timeline.hasMoreBefore) return;
    if (this.state(chat) === 'loading') return;
    this.load(chat, timeline, timeline.oldest, (page) => timeline.older(page));
  }

  private load(
    chat: Chat,
    timeline: Timeline,
    before: number | undefined,
    take: (page: History) => void,
  ): void {
    const enter = (state: PageState): void => {
      this.states.set(timeline, state);
      this.changed(chat.id);
    };
    enter('loading');
    this.fetch(chat.id, before).then(
      (page) => {
        // After a reset the page belongs to a timeline that nobody shows any more.
        take(page);
        enter('idle');
      },
      () => enter('failed'),
    );
  }
}
