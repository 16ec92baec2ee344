import { createSignal } from 'solid-js';
import type { Clock } from '../core/clock';

export const TOAST_MS = 4_000;
const MOST = 3;

/** What came in elsewhere… */
export interface Incoming {
  conversation: string;
  sender: string;
  preview: string;
  /** How many messages it stands for. */
  count: number;
}

/** …or something the page has to say. */
export interface Notice {
  text: string;
  action?: { label: string; run: () => void };
}

export type Toast = { id: string; lasts: number } & (
  | ({ kind: 'incoming' } & Incoming)
  | ({ kind: 'notice' } & Notice)
);

/** Cards that go by themselves, three at most; a conversation has one, with its newest message. */
export function createToasts(clock: Clock) {
  const [list, setList] = createSignal<Toast[]>([]);
  const [paused, setPaused] = createSignal(false);
  const timers = new Map<string, () => void>();
  const ends = new Map<string, () => void>();
  let notices = 0;

  const hold = (id: string): void => {
    timers.get(id)?.();
    timers.delete(id);
  };
  const dismiss = (id: string): void => {
    hold(id);
    setList((toasts) => toasts.filter((toast) => toast.id !== id));
    ends.get(id)?.();
    ends.delete(id);
  };
  const release = (id: string): void => {
    hold(id);
    const lasts = list().find((toast) => toast.id === id)?.lasts;
    if (lasts === undefined || paused()) return;
    timers.set(
      id,
      clock.after(lasts, () => dismiss(id)),
    );
  };
  const show = (toast: Toast): void => {
    const others = list().filter(({ id }) => id !== toast.id);
    for (const { id } of others.slice(0, Math.max(0, others.length + 1 - MOST))) dismiss(id);
    setList([...others.slice(-(MOST - 1)), toast]);
    release(toast.id);
  };

  return {
    list,
    paused,
    dismiss,
    /** Stays while somebody reads it… */
    hold,
    /** …and then for the full time again. */
    release,
    /** While nobody can see the page, nothing goes. */
    pause(hidden: boolean): void {
      setPaused(hidden);
      for (const { id } of list()) (hidden ? hold : release)(id);
    },
    incoming(message: Omit<Incoming, 'count'>): void {
      const id = message.conversation;
      const before = list().find((toast) => toast.id === id);
      const count = before?.kind === 'incoming' ? before.count + 1 : 1;
      show({ kind: 'incoming', id, lasts: TOAST_MS, ...message, count });
    },
    /** `ended` is called when it goes, unless its action was taken. */
    notice(notice: Notice, ended?: () => void, lasts = TOAST_MS): void {
      notices += 1;
      const id = `notice:${notices}`;
      const { action } = notice;
      if (ended !== undefined) ends.set(id, ended);
      const taken = action && {
        label: action.label,
        run: () => {
          ends.delete(id);
          action.run();
          dismiss(id);
        },
      };
      show({ kind: 'notice', id, lasts, text: notice.text, ...(taken && { action: taken }) });
    },
    clear(): void {
      for (const { id } of list()) dismiss(id);
    },
  };
}

export type Toasts = ReturnType<typeof createToasts>;
