import { createEffect, createMemo, createSignal } from 'solid-js';
import type { MessageRow } from '../../core/timeline/rows';
import type { RowActions } from './rowActions';
import type { TimelineView } from './timelineView';

interface RowKeysOptions {
  view: TimelineView;
  list: () => HTMLElement | undefined;
  openMenu: (row: MessageRow, anchor: HTMLElement) => void;
  actions: (row: MessageRow) => RowActions;
  ask: (remove: () => void) => void;
}

const PAGE = 10;
const STEPS: Record<string, number> = {
  ArrowUp: -1,
  ArrowDown: 1,
  PageUp: -PAGE,
  PageDown: PAGE,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

/** The list of messages by keyboard: one tab stop, arrows within it, letters that act. */
export function createRowKeys({ view, list, openMenu, actions, ask }: RowKeysOptions) {
  const { scroller } = view;
  /** The row that had the focus last. */
  const [last, setLast] = createSignal<string>();
  const [focused, setFocused] = createSignal<string>();
  const isStop = (key: string): boolean => {
    const kind = scroller.shown().get(key)?.kind;
    return kind === 'message' || kind === 'system';
  };
  const stops = (): string[] => [...scroller.shown().keys()].filter(isStop);
  /** The one tab stop: where the focus was, else the newest message. */
  const current = createMemo(() => {
    const held = last();
    return held !== undefined && isStop(held) ? held : stops().at(-1);
  });

  const focus = (key: string | undefined): void => {
    const element = key === undefined ? undefined : scroller.find(key);
    element?.focus({ preventScroll: true });
    element?.scrollIntoView({ block: 'nearest' });
  };

  // The window may slide away from the row that has the focus, and back to it.
  createEffect(() => {
    const has = scroller.shown().has(last() ?? '');
    const box = list()?.closest<HTMLElement>('.scroller');
    if (focused() !== undefined && !has) box?.focus({ preventScroll: true });
    else if (has && document.activeElement === box) {
      queueMicrotask(() => scroller.find(last() ?? '')?.focus({ preventScroll: true }));
    }
  });

  const step = (by: number): void => {
    const all = stops();
    const at = all.indexOf(current() ?? '');
    focus(all[Math.min(all.length - 1, Math.max(0, at + by))]);
  };

  const act = (key: string, row: MessageRow, element: HTMLElement): boolean => {
    const { reply, edit, copy, remove } = actions(row);
    const run = { r: reply, e: edit, c: copy, delete: remove && (() => ask(remove)) }[
      key.toLowerCase()
    ];
    if (key === 'Enter') openMenu(row, element);
    else if (run === undefined) return false;
    else run();
    return true;
  };

  return {
    current,
    focused,

    onKeyDown: (event: KeyboardEvent): void => {
      const element = event.target as HTMLElement;
      if (element.dataset.row === undefined || event.metaKey || event.ctrlKey || event.altKey)
        return;
      const row = scroller.shown().get(element.dataset.key ?? '');
      const by = STEPS[event.key];
      if (by !== undefined) {
        if (event.key === 'End' && !scroller.atBottom()) view.toEnd();
        step(by);
      } else if (row?.kind !== 'message' || !act(event.key, row, element)) return;
      event.preventDefault();
      event.stopPropagation();
    },

    onFocusIn: (event: FocusEvent): void => {
      const { key, row } = (event.target as HTMLElement).dataset;
      if (row === undefined) return;
      setLast(key);
      setFocused(key);
    },

    onFocusOut: () => setFocused(undefined),
  };
}
