import { onCleanup } from 'solid-js';
import { type Action, actionOf } from './keymap';

export type Handlers = Partial<Record<Action, () => void>>;

/** A dialog keeps the keyboard to itself. */
const dialogOpen = (): boolean => document.querySelector('dialog[open]') !== null;
const popoverOpen = (): boolean => document.querySelector(':popover-open') !== null;

const isField = (target: Element): boolean =>
  target.closest('input, textarea, select, [contenteditable]') !== null;

/** Runs the actions of the page's keys, and sends what is typed elsewhere to the composer. */
export function listenForKeys(handlers: Handlers): void {
  const listener = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing || dialogOpen()) return;
    const action = actionOf(event);
    const run = action === undefined ? undefined : handlers[action];
    if (action === 'readAll' && popoverOpen()) return;
    if (run !== undefined) {
      event.preventDefault();
      run();
    } else {
      toComposer(event);
    }
  };
  window.addEventListener('keydown', listener);
  onCleanup(() => window.removeEventListener('keydown', listener));
}

/** A printable key that nobody wanted moves the focus to the composer, before it is typed there. */
function toComposer(event: KeyboardEvent): void {
  const target = event.target as Element;
  const printable = event.key.length === 1 && event.key !== ' ';
  if (!printable || event.ctrlKey || event.metaKey || event.altKey || popoverOpen()) return;
  const taken = isField(target) || target.closest('[data-keys]') !== null;
  if (taken || document.getSelection()?.isCollapsed === false) return;
  document.querySelector<HTMLElement>('.composer textarea')?.focus();
}
