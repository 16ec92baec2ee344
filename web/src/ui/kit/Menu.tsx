import { For, onCleanup, onMount } from 'solid-js';

export interface MenuItem {
  label: string;
  /** A key that does the same. */
  key?: string;
  danger?: boolean;
  run(): void;
}

/** Where a pointer asked for it. */
export interface MenuPlace {
  x: number;
  y: number;
  /** The finger is still down: lifting it is not yet a touch beside the menu. */
  held?: boolean;
}

interface MenuProps {
  label: string;
  items: MenuItem[];
  /** What it belongs to: it opens beside it, and gives the focus back to it. */
  anchor: HTMLElement;
  at?: MenuPlace | undefined;
  onClose(): void;
}

const MARGIN = 8;

/** A menu of actions, open as long as it is mounted. */
export function Menu(props: MenuProps) {
  let element: HTMLDivElement | undefined;
  // Held: by the time the menu is gone, whoever opened it may have forgotten.
  const { anchor, at: point } = props;
  const held = point?.held === true;

  const items = (): HTMLElement[] => [
    ...(element?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? []),
  ];
  const step = (by: number): void => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[(at + by + all.length) % all.length]?.focus();
  };

  onMount(() => {
    if (element === undefined) return;
    element.showPopover();
    const { right, bottom, top } = anchor.getBoundingClientRect();
    const { offsetWidth, offsetHeight } = element;
    const x = Math.min(point?.x ?? right - offsetWidth, innerWidth - offsetWidth - MARGIN);
    let y = point?.y ?? bottom;
    if (y + offsetHeight > innerHeight - MARGIN)
      y = Math.max(MARGIN, (point?.y ?? top) - offsetHeight);
    element.style.left = `${Math.max(MARGIN, x)}px`;
    element.style.top = `${y}px`;
    items()[0]?.focus();
  });
  if (held) {
    // What the browser does for the others. The touch may have taken the focus elsewhere.
    const outside = (event: PointerEvent): void => {
      if (element?.contains(event.target as Node) === false) props.onClose();
    };
    const onEscape = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') props.onClose();
    };
    document.addEventListener('pointerdown', outside, true);
    document.addEventListener('keydown', onEscape, true);
    onCleanup(() => {
      document.removeEventListener('pointerdown', outside, true);
      document.removeEventListener('keydown', onEscape, true);
    });
  }
  onCleanup(() => {
    const { activeElement } = document;
    const ours = activeElement === document.body || element?.contains(activeElement) === true;
    if (ours) anchor.focus({ preventScroll: true });
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };
    const by = steps[event.key];
    if (by !== undefined) step(by);
    else if (event.key === 'Home') items()[0]?.focus();
    else if (event.key === 'End') items().at(-1)?.focus();
    else if (event.key === 'Tab') props.onClose();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      ref={element}
      class="menu"
      role="menu"
      tabindex="-1"
      aria-label={props.label}
      popover={held ? 'manual' : 'auto'}
      onKeyDown={onKeyDown}
      onToggle={(event) => {
        if (event.newState === 'closed') props.onClose();
      }}
    >
      <For each={props.items}>
        {(item) => (
          <button
            type="button"
            role="menuitem"
            tabindex="-1"
            classList={{ danger: item.danger === true }}
            onClick={() => {
              // Closing gives the focus back; the action may move it on.
              props.onClose();
              item.run();
            }}
          >
            <span>{item.label}</span>
            {item.key === undefined ? undefined : <kbd>{item.key}</kbd>}
          </button>
        )}
      </For>
    </div>
  );
}
