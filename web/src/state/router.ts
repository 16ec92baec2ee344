import { createSignal } from 'solid-js';

export type Route =
  | { name: 'home' }
  | { name: 'login' }
  | { name: 'register' }
  | { name: 'conversation'; id: string };

const read = (): Route => {
  const { pathname } = location;
  if (pathname === '/login' || pathname === '/register') {
    return { name: pathname === '/login' ? 'login' : 'register' };
  }
  const id = /^\/c\/([0-9a-f-]{36})$/i.exec(pathname)?.[1];
  return id === undefined ? { name: 'home' } : { name: 'conversation', id: id.toLowerCase() };
};

const [route, setRoute] = createSignal<Route>(read());
window.addEventListener('popstate', () => setRoute(read()));

export { route };

export const pathOf = (id: string): string => `/c/${id}`;

export function go(path: string, replace = false): void {
  if (path === location.pathname) return;
  if (replace) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  setRoute(read());
}

/** Follows a link within the page; a click that asks for another tab stays the browser's. */
export function follow(event: MouseEvent & { currentTarget: HTMLAnchorElement }): void {
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (!plain || event.altKey) return;
  event.preventDefault();
  go(event.currentTarget.pathname);
}
