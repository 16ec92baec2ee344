import { uuid } from '../core/id';
import type { Letter } from '../core/outbox/outbox';
import { local } from './local';

interface News {
  outbox: Letter | string;
}

const FOCUSED = 'parley.focused';

/** What the tabs of one user tell each other, beside what their storage tells. */
export class Tabs {
  private readonly channel: BroadcastChannel;
  private readonly id = uuid();
  private leads = false;
  private release = (): void => {};

  constructor(user: string, heard: (news: Letter | string) => void) {
    this.channel = new BroadcastChannel(`parley.${user}`);
    this.channel.onmessage = ({ data }: MessageEvent<News>) => {
      heard(data.outbox);
    };
    if ('locks' in navigator) {
      void navigator.locks.request(`parley.leader.${user}`, () => this.lead()).catch(() => {});
    }
    window.addEventListener('focus', this.focused);
    if (document.hasFocus()) this.focused();
  }

  tell(outbox: Letter | string): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has none
    this.channel.postMessage({ outbox } satisfies News);
  }

  /** Whether this is the one tab that makes a sound and notifies. */
  get speaks(): boolean {
    return 'locks' in navigator ? this.leads : local.get(FOCUSED) === this.id;
  }

  close(): void {
    this.release();
    this.channel.close();
    window.removeEventListener('focus', this.focused);
  }

  private readonly focused = (): void => local.set(FOCUSED, this.id);

  /** Until the tab closes. */
  private lead(): Promise<void> {
    this.leads = true;
    return new Promise((resolve) => {
      this.release = resolve;
    });
  }
}
