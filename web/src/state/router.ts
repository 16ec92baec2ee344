import { createSignal } from 'solid-js';

/** Where a reader was in a conversation: a row, and how far it stood below the upper edge. */
export interface Position {
  seq: number;
  top: number;
}

export type Route =
  | { name: 'home' | 'login' | 'register' }
  | { name: 'settings'; section: string }
  /** `seq` is the message to show; `position` where Back leads to. */
  | {
      name: 'conversation';
      id: string;
      seq: number | undefined;
      position: Position | 'end' | undefined;
    };

const CONVERSATION = /^\/c\/([0-9a-f-]{36})(?:\/m\/(\d+))?\/?$/i;
const SETTINGS = /^\/settings(?:\/([a-z]+))?\/?$/;

interface State {
  position?: Position | 'end';
}

const read = (): Route => {
  const { pathname } = location;
  if (pathname === '/login') return { name: 'login' };
  if (pathname === '/register') return { name: 'register' };
  const settings = SETTINGS.exec(pathname);
  if (settings !== null) return { name: 'settings', section: settings[1] ?? 'profile' };
  const [, id, seq] = CONVERSATION.exec(pathname) ?? [];
  if (id === undefined) return { name: 'home' };
  const { position } = (history.state ?? {}) as State;
  return {
    name: 'conversation',
    id: id.toLowerCase(),
    seq: seq === undefined ? undefined : Number(seq),
    position,
  };
};

// Every navigation is news, even one to where we are: a message may be jumped to twice.
const [route, setRoute] = createSignal<Route>(read());
window.addEventListener('popstate', () => setRoute(read()));

export { route };

export const pathOf = (id: string, seq?: number): string =>
  seq === undefined ? `/c/${id}` : `/c/${id}/m/${seq}`;

export function go(path: string, replace = false): void {
  if (path === location.pathname) return;
  if (replace) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  setRoute(read());
}

/** To a message; Back returns to where the reader was. */
export function jump(path: string, from: Position | 'end'): void {
  history.replaceState({ position: from } satisfies State, '');
  history.pushState(null, '', path);
  setRoute(read());
}

/** Follows a link within the page; a click that asks for another tab stays the browser's. */
export function follow(event: MouseEvent & { currentTarget: HTMLAnchorElement }): void {
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (!plain || event.altKey) return;
  event.preventDefault();
  go(event.currentTarget.pathname);
}
