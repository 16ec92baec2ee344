import { createSignal } from 'solid-js';
import type { Clock } from '../core/clock';

export const TOAST_MS = 4_000;
const MOST = 3;

export interface Toast {
  conversation: string;
  sender: string;
  preview: string;
}

/** What came in elsewhere; a conversation has one toast at most, and it shows its newest message. */
export function createToasts(clock: Clock) {
  const [list, setList] = createSignal<Toast[]>([]);
  const timers = new Map<string, () => void>();

  const hold = (conversation: string): void => timers.get(conversation)?.();
  const dismiss = (conversation: string): void => {
    hold(conversation);
    timers.delete(conversation);
    setList((toasts) => toasts.filter((toast) => toast.conversation !== conversation));
  };
  const release = (conversation: string): void => {
    hold(conversation);
    timers.set(
      conversation,
      clock.after(TOAST_MS, () => dismiss(conversation)),
    );
  };

  return {
    list,
    dismiss,
    /** Stays while somebody reads it… */
    hold,
    /** …and then for the full time again. */
    release,
    show(toast: Toast): void {
      const others = list().filter((other) => other.conversation !== toast.conversation);
      for (const old of others.slice(0, Math.max(0, others.length + 1 - MOST))) {
        dismiss(old.conversation);
      }
      setList([...others.slice(-(MOST - 1)), toast]);
      release(toast.conversation);
    },
    clear(): void {
      for (const { conversation } of list()) dismiss(conversation);
    },
  };
}

export type Toasts = ReturnType<typeof createToasts>;
