import { createEffect } from 'solid-js';
import plain from '../icon.svg';
import dotted from '../icon-unread.svg';

interface Badging {
  setAppBadge?(count: number): Promise<void>;
  clearAppBadge?(): Promise<void>;
}

/** Title, favicon and app badge, from one count and one name. */
export function showBadge(unread: () => number, place: () => string): void {
  createEffect(() => {
    document.title = unread() === 0 ? place() : `(${unread()}) ${place()}`;
  });
  createEffect(() => {
    const href = unread() === 0 ? plain : dotted;
    document.querySelector('link[rel="icon"]')?.setAttribute('href', href);
    const app = navigator as Badging;
    const set = unread() === 0 ? app.clearAppBadge?.() : app.setAppBadge?.(unread());
    set?.catch(() => {});
  });
}
