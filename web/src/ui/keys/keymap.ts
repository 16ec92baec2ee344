import type { text } from '../../strings/en';

export type Action = keyof typeof text.keyNames;

const mac = /Mac|iP(?:hone|ad|od)/.test(navigator.userAgent);

/** The keys of each action, as `KeyboardEvent.key`; `Mod` is Cmd on a Mac and Ctrl elsewhere. */
const KEYS: Record<Action, string> = {
  switcher: 'Mod+k',
  previous: 'Alt+ArrowUp',
  next: 'Alt+ArrowDown',
  previousUnread: 'Alt+Shift+ArrowUp',
  nextUnread: 'Alt+Shift+ArrowDown',
  settings: 'Mod+,',
  shortcuts: 'Mod+/',
  nextRegion: 'F6',
  previousRegion: 'Shift+F6',
  toasts: 'F8',
  readAll: 'Escape',
  everythingRead: 'Shift+Escape',
};

export const ACTIONS = Object.keys(KEYS) as Action[];

/** What the keys held down with this one, and it, mean. */
export function actionOf(event: KeyboardEvent): Action | undefined {
  const held = [
    (mac ? event.metaKey : event.ctrlKey) ? 'Mod' : '',
    (mac ? event.ctrlKey : event.metaKey) ? 'Other' : '',
    event.altKey ? 'Alt' : '',
    event.shiftKey ? 'Shift' : '',
  ].filter((part) => part !== '');
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const combination = [...held, key].join('+');
  // Some layouts need Shift for a slash.
  const plain = combination.replace(/Shift\+(?=[/,]$)/, '');
  return ACTIONS.find((action) => KEYS[action] === combination || KEYS[action] === plain);
}

const NAMES: Record<string, string> = {
  Mod: mac ? '⌘' : 'Ctrl',
  Alt: mac ? '⌥' : 'Alt',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
};

/** The keys as they stand on the keyboard. */
export const capsOf = (action: Action): string[] =>
  KEYS[action].split('+').map((key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key));
