import { type Accessor, createEffect, createSignal, onCleanup } from 'solid-js';

/** Within this many pixels of the end, the end is where the reader is. */
const NEAR_PX = 80;
/** So many screens before an edge, more rows are asked for. */
const AHEAD_SCREENS = 3;
/** The same, as a share of all that is above and below, when no more rows may be shown at once. */
const AHEAD_SHARE = 0.2;
/** No scroll event for this long: nobody is scrolling. */
const IDLE_MS = 120;
/** Where the "New" divider stands when a conversation opens. */
const OPEN_AT = 0.25;

/** Where to begin, when the rows are there. */
export type Target =
  | { at: 'end' }
  | { at: 'divider' }
  /** A row, this far below the upper edge; without `top` in the middle, and marked. */
  | { at: 'row'; key: string; top?: number };

interface Anchor {
  element: HTMLElement;
  top: number;
}

export interface ScrollerOptions<Row> {
  /** What is to be shown, top to bottom. */
  rows: Accessor<Map<string, Row>>;
  /** Whether the last of them is the end of the conversation. */
  atEnd: () => boolean;
  /** As many as there may be. */
  full: () => boolean;
  /** The first, or the last, row is near. */
  nearTop: () => void;
  nearBottom: () => void;
  /** The view has moved or changed: what is to be seen of it may have, too. */
  looked: () => void;
}

/**
 * Keeps the rows a reader looks at where they are. The scroller is a `column-reverse` box with one
 * child, so its origin is the end: what is put above needs no correction at all. What changes below
 * is made up for by a spacer at the end, so that nothing is written to the scroll position during a
 * gesture; only where the spacer cannot give, the change waits until nobody scrolls.
 */
export function createScroller<Row>(options: ScrollerOptions<Row>) {
  const { rows, atEnd } = options;
  const [shown, setShown] = createSignal(new Map<string, Row>());
  const [atBottom, setAtBottom] = createSignal(true);
  const [far, setFar] = createSignal(false);
  let box: HTMLElement | undefined;
  let list: HTMLElement | undefined;
  let spacer: HTMLElement | undefined;
  let space = 0;
  let scrolling = false;
  let target: Target | undefined = { at: 'end' };
  let queued: Map<string, Row> | undefined;
  let anchor: Anchor | undefined;
  let idle: ReturnType<typeof setTimeout> | undefined;

  const below = (): number => -(box?.scrollTop ?? 0) - space;
  const topOf = (element: Element): number =>
    element.getBoundingClientRect().top - (box?.getBoundingClientRect().top ?? 0);
  const find = (key: string): HTMLElement | undefined =>
    (list?.querySelector(`[data-key="${CSS.escape(key)}"]`) as HTMLElement | null) ?? undefined;

  const setSpace = (px: number): void => {
    space = px;
    if (spacer !== undefined) spacer.style.height = `${px}px`;
  };

  /** The index of the first row whose lower edge is below `line`. */
  const rowAt = (line: number): number => {
    const children = list?.children ?? [];
    let low = 0;
    let high = children.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const row = children[middle];
      if (row !== undefined && row.getBoundingClientRect().bottom <= line) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  /** The first row that reaches into view and will still be there, and where it stands. */
  const capture = (next?: Map<string, Row>): Anchor | undefined => {
    if (box === undefined || list === undefined) return undefined;
    const { top, height } = box.getBoundingClientRect();
    const children = [...list.children];
    // Who has come up to a gap reads what is below it.
    const gap = children.findLastIndex((row) => row.className === 'gap' && topOf(row) < height / 2);
    for (let at = Math.max(rowAt(top), gap + 1); at < list.children.length; at += 1) {
      const element = list.children[at] as HTMLElement;
      if (next === undefined || next.has(element.dataset.key ?? '')) {
        return { element, top: topOf(element) };
      }
    }
    return undefined;
  };

  const restore = (held: Anchor | undefined): void => {
    if (box === undefined || held?.element.isConnected !== true) return;
    const moved = topOf(held.element) - held.top;
    if (Math.abs(moved) < 0.5) return;
    const rest = space + moved;
    setSpace(Math.max(0, rest));
    if (rest < 0) box.scrollTop += rest;
  };

  const look = (): void => {
    if (box === undefined) return;
    setAtBottom(atEnd() && below() <= NEAR_PX);
    setFar(!atEnd() || below() > box.clientHeight);
    const room = box.scrollHeight - box.clientHeight - space;
    const above = room - below();
    // Rows that come at one edge may push rows out at the other, which must not call them back.
    const most = options.full() ? room * AHEAD_SHARE : Number.POSITIVE_INFINITY;
    const ahead = Math.min(AHEAD_SCREENS * box.clientHeight, most);
    if (shown().size > 0 && target === undefined) {
      if (above < ahead) options.nearTop();
      if (below() < ahead && !atEnd()) options.nearBottom();
    }
    options.looked();
  };

  /** Whether the change can be made now without a jump under somebody's finger. */
  const mustWait = (next: Map<string, Row>): boolean =>
    scrolling && !atBottom() && space === 0 && lastKey(next) !== lastKey(shown());

  const commit = (): void => {
    const next = queued;
    if (next === undefined || box === undefined || (target === undefined && mustWait(next))) return;
    queued = undefined;
    const staying = atBottom() && atEnd();
    const held = staying ? undefined : capture(next);
    setShown(next);
    if (target !== undefined) arrive();
    else if (held !== undefined) restore(held);
    else if (staying && !scrolling) settleAtEnd();
    look();
    anchor = capture();
  };

  const settleAtEnd = (): void => {
    setSpace(0);
    if (box !== undefined && box.scrollTop !== 0) box.scrollTop = 0;
  };

  const arrive = (): void => {
    if (box === undefined || shown().size === 0 || target === undefined) return;
    const { clientHeight } = box;
    if (target.at === 'end') {
      settleAtEnd();
    } else if (target.at === 'divider') {
      settleAtEnd();
      const divider = find('new');
      const beyond = divider === undefined ? 0 : topOf(divider) - clientHeight * OPEN_AT;
      // Few unread messages leave it where the end of the conversation puts it.
      if (beyond < 0) box.scrollTop += beyond;
    } else {
      const row = find(target.key);
      if (row === undefined) return;
      setSpace(0);
      const middle = Math.max(0, (clientHeight - row.offsetHeight) / 2);
      box.scrollTop += topOf(row) - (target.top ?? middle);
    }
    target = undefined;
  };

  const rest = (): void => {
    scrolling = false;
    if (box !== undefined && space > 0 && atEnd()) {
      const { scrollTop } = box;
      const gone = space;
      setSpace(0);
      box.scrollTop = Math.min(0, scrollTop + gone);
    }
    anchor = capture();
    commit();
    look();
  };

  const onScroll = (): void => {
    scrolling = true;
    clearTimeout(idle);
    idle = setTimeout(rest, IDLE_MS);
    look();
    anchor = capture();
  };

  /** The box or what is in it has another size: the reader's rows stay, the end stays the end. */
  const resized = new ResizeObserver(() => {
    if (atBottom()) {
      if (!scrolling) settleAtEnd();
    } else if (!scrolling) restore(anchor);
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
    /** More than a screen away from the end. */
    far,
    find,

    attach(elements: { box: HTMLElement; list: HTMLElement; spacer: HTMLElement }): void {
      ({ box, list, spacer } = elements);
      box.addEventListener('scroll', onScroll, { passive: true });
      resized.observe(box);
      resized.observe(list);
    },

    /** Shows this as soon as it is among the rows. */
    aim(next: Target): void {
      target = next;
      scrolling = false;
      clearTimeout(idle);
      queued ??= shown();
      if (next.at === 'end') setAtBottom(true);
      queueMicrotask(commit);
    },

    /** The row at the upper edge and where it stands; undefined at the end. */
    position(): { key: string; top: number } | undefined {
      const held = atBottom() ? undefined : capture();
      const key = held?.element.dataset.key;
      return held === undefined || key === undefined ? undefined : { key, top: held.top };
    },

    /** The last row whose lower edge is in view. */
    lastSeen(): HTMLElement | undefined {
      if (box === undefined || list === undefined) return undefined;
      // A pixel of grace: rows stand at fractions of one.
      const at = rowAt(box.getBoundingClientRect().bottom + 1) - 1;
      return (list.children[at] as HTMLElement | undefined) ?? undefined;
    },

    /** The rows in view, top to bottom. */
    inView(): HTMLElement[] {
      if (box === undefined || list === undefined) return [];
      const { top, bottom } = box.getBoundingClientRect();
      return ([...list.children] as HTMLElement[])
        .slice(rowAt(top), rowAt(bottom) + 1)
        .filter((row) => row.getBoundingClientRect().top < bottom);
    },
  };
}

export type Scroller = Omit<ReturnType<typeof createScroller>, 'shown'>;

const lastKey = (rows: Map<string, unknown>): string | undefined => [...rows.keys()].at(-1);
