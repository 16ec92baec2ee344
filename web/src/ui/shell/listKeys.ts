import { type Accessor, createEffect, on, onCleanup } from 'solid-js';

/** Letters typed within this time belong to one word. */
const WORD_MS = 700;

/** A list of links by keyboard: arrows, ends, and the first letters of a name. */
export function createListKeys(): (event: KeyboardEvent & { currentTarget: HTMLElement }) => void {
  let word = '';
  let typedAt = 0;
  return (event) => {
    const { key, currentTarget } = event;
    const links = [...currentTarget.querySelectorAll<HTMLElement>('a')];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: links.length - 1,
    };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    let next = steps[key];
    if (next === undefined && key.length === 1) {
      word = event.timeStamp - typedAt > WORD_MS ? key : word + key;
      typedAt = event.timeStamp;
      const names = links.map((link) => link.textContent.trim().toLocaleLowerCase());
      const from = word.length === 1 ? at + 1 : Math.max(0, at);
      const order = [...names.keys()].map((_, index) => (from + index) % links.length);
      next = order.find((index) => names[index]?.includes(word.toLocaleLowerCase()) === true);
    }
    if (next === undefined) return;
    event.preventDefault();
    links[Math.min(links.length - 1, Math.max(0, next))]?.focus();
  };
}

/** A list that sorts itself anew makes its rows anew: the focus stays with the conversation. */
export function keepFocus(order: Accessor<unknown>): (list: HTMLElement) => void {
  return (list) => {
    let held: string | undefined;
    const focused = (event: FocusEvent): void => {
      held = list.contains(event.target as Node)
        ? (event.target as Element).closest('a')?.pathname
        : undefined;
    };
    const clicked = (): void => {
      held = undefined;
    };
    window.addEventListener('focusin', focused);
    window.addEventListener('pointerdown', clicked);
    onCleanup(() => {
      window.removeEventListener('focusin', focused);
      window.removeEventListener('pointerdown', clicked);
    });
    createEffect(
      on(order, () => {
        if (held === undefined || document.activeElement !== document.body) return;
        list.querySelector<HTMLElement>(`a[href="${held}"]`)?.focus({ preventScroll: true });
      }),
    );
  };
}
