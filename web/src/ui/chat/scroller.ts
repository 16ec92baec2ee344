import { type Accessor, createEffect, createSignal, onCleanup } from 'solid-js';

/** Within this many pixels of the end, the end is where the reader is. */
const NEAR_PX = 80;
/** So many screens before the first row, older ones are asked for. */
const AHEAD_SCREENS = 3;
/** No scroll event for this long: nobody is scrolling. */
const IDLE_MS = 120;
/** Where the "New" divider stands when a conversation opens. */
const OPEN_AT = 0.25;

interface Anchor {
  element: Element;
  top: number;
}

export interface ScrollerOptions<Row> {
  /** What is to be shown, top to bottom. */
  rows: Accessor<Map<string, Row>>;
  /** The first row is near. */
  nearTop: () => void;
}

/**
 * Keeps the rows a reader looks at where they are. The scroller is a `column-reverse` box with one
 * child, so its origin is the end of the conversation: what is put above needs no correction at
 * all. What changes below is corrected by the first visible row, and waits while somebody scrolls,
 * because a scroll position written during a gesture breaks the gesture.
 */
export function createScroller<Row>({ rows, nearTop }: ScrollerOptions<Row>) {
  const [shown, setShown] = createSignal(new Map<string, Row>());
  const [atBottom, setAtBottom] = createSignal(true);
  let box: HTMLElement | undefined;
  let scrolling = false;
  let opened = false;
  let queued: Map<string, Row> | undefined;
  let anchor: Anchor | undefined;
  let idle: ReturnType<typeof setTimeout> | undefined;

  const below = (): number => -(box?.scrollTop ?? 0);
  const list = (): Element | null | undefined => box?.firstElementChild?.querySelector('.rows');

  /** The first row that reaches into view, and where it stands. */
  const capture = (): Anchor | undefined => {
    const children = list()?.children;
    if (box === undefined || children === undefined) return undefined;
    const edge = box.getBoundingClientRect().top;
    let low = 0;
    let high = children.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((children[middle]?.getBoundingClientRect().bottom ?? 0) <= edge) low = middle + 1;
      else high = middle;
    }
    const element = children[low];
    return element && { element, top: element.getBoundingClientRect().top - edge };
  };

  const restore = (held: Anchor | undefined): void => {
    if (box === undefined || held?.element.isConnected !== true) return;
    const top = held.element.getBoundingClientRect().top - box.getBoundingClientRect().top;
    if (Math.abs(top - held.top) >= 0.5) box.scrollTop += top - held.top;
  };

  const look = (): void => {
    if (box === undefined) return;
    setAtBottom(below() <= NEAR_PX);
    const above = box.scrollHeight - box.clientHeight - below();
    if (shown().size > 0 && above < AHEAD_SCREENS * box.clientHeight) nearTop();
  };

  const commit = (): void => {
    const next = queued;
    if (next === undefined || box === undefined) return;
    const staying = atBottom();
    const appended = lastKey(next) !== lastKey(shown());
    if (scrolling && !staying && appended) return;
    queued = undefined;
    const held = staying || scrolling ? undefined : capture();
    setShown(next);
    if (!opened && next.size > 0) open();
    else if (held !== undefined) restore(held);
    else if (staying && !scrolling) box.scrollTop = 0;
    look();
    anchor = capture();
  };

  /** Unread messages open at their divider, everything else at the end. */
  const open = (): void => {
    opened = true;
    const divider = box?.querySelector('[data-row="new"]');
    if (box === undefined || divider === null || divider === undefined) return;
    const edge = box.getBoundingClientRect().top + box.clientHeight * OPEN_AT;
    const beyond = divider.getBoundingClientRect().top - edge;
    if (beyond < 0) box.scrollTop += beyond;
  };

  const onScroll = (): void => {
    scrolling = true;
    clearTimeout(idle);
    idle = setTimeout(() => {
      scrolling = false;
      anchor = capture();
      commit();
    }, IDLE_MS);
    look();
  };

  /** The box has another size: the reader's rows stay, and the end stays the end. */
  const resized = new ResizeObserver(() => {
    if (!scrolling && !atBottom()) restore(anchor);
    look();
  });

  createEffect(() => {
    queued = rows();
    // After this batch, so that the rows are in the document when they are measured.
    queueMicrotask(commit);
  });
  onCleanup(() => {
    clearTimeout(idle);
    resized.disconnect();
  });

  return {
    shown,
    atBottom,
    attach: (element: HTMLElement): void => {
      box = element;
      element.addEventListener('scroll', onScroll, { passive: true });
      resized.observe(element);
    },
    toBottom: (): void => {
      scrolling = false;
      clearTimeout(idle);
      if (box !== undefined) box.scrollTop = 0;
      setAtBottom(true);
      commit();
    },
  };
}

const lastKey = (rows: Map<string, unknown>): string | undefined => [...rows.keys()].at(-1);
