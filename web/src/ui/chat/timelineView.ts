import { createEffect, createMemo, createSignal, on, onCleanup, untrack } from 'solid-js';
import { realClock } from '../../core/clock';
import { ReadTracker } from '../../core/read/tracker';
import type { Chat } from '../../core/sync/chat';
import { buildRows, type Row, reuseRows } from '../../core/timeline/rows';
import type { Timeline } from '../../core/timeline/timeline';
import { TimelineWindow } from '../../core/timeline/window';
import { useModel } from '../../state/app';
import { page } from '../../state/page';
import { jump, type Position, pathOf, route } from '../../state/router';
import { text } from '../../strings/en';
import { createScroller, type Scroller } from './scroller';

/** How long a message that was jumped to stays marked. */
const MARKED_MS = 1_200;
/** A gap so many screens away is loaded. */
const AHEAD_SCREENS = 2;
/** How long the floating date outlasts the scrolling. */
const DATE_MS = 2_000;
/** How many messages the newest page has; with as many unread, it may not reach down to the first. */
const NEWEST_PAGE = 45;
/** More unsent messages than these are not worth their rows. */
const MOST_PENDING = 40;
const NOBODY = new Map();

const seqOf = (row: Row | undefined): number | undefined =>
  row?.kind === 'message' || row?.kind === 'system' ? row.seq : undefined;

/** What is shown of a conversation, where the reader is in it, and what that means. */
export function createTimelineView(held: Chat) {
  const model = useModel();
  const { client, reading } = model;
  const { id } = held;
  const me = model.me().id;
  const chat = (): Chat => model.chat(id) ?? held;
  const partner = model.partner(held);

  // Frozen when the conversation opens: the divider does not move while somebody reads.
  const [newAfter, setNewAfter] = createSignal(
    held.unread.count > 0 ? held.unread.read : undefined,
  );
  const [marked, setMarked] = createSignal<string>();
  const [moved, setMoved] = createSignal(0, { equals: false });
  const [seen, setSeen] = createSignal(0);

  /** Made further down, from the rows that ask it whether the reader is at the end. */
  let placed: Scroller | undefined;
  let view: { timeline: Timeline; window: TimelineWindow } | undefined;
  const windowOf = (timeline: Timeline): TimelineWindow => {
    // After a reset the timeline is another one.
    if (view?.timeline !== timeline) view = { timeline, window: new TimelineWindow(timeline) };
    return view.window;
  };
  const windowNow = (): TimelineWindow | undefined => {
    const { timeline } = chat();
    return timeline === undefined ? undefined : windowOf(timeline);
  };
  const atEnd = (): boolean => windowNow()?.atEnd === true;

  /** Where the reader is, for a window that has become too long. */
  const reader = (): number | 'end' =>
    untrack(() => {
      if (placed === undefined || placed.atBottom()) return 'end';
      return seqOf(rows().get(placed.position()?.key ?? '')) ?? 0;
    });

  const loaded = createMemo(() => chat().timeline?.shown === true);
  const rows = createMemo((before: Map<string, Row>) => {
    moved();
    const { timeline, marks, meta } = chat();
    if (timeline?.shown !== true) return new Map<string, Row>();
    const window = windowOf(timeline);
    const { entries, before: previous } = window.shown(reader);
    const built = buildRows({
      me,
      entries,
      before: previous,
      pending: window.atEnd ? client.outbox.of(id).slice(-MOST_PENDING) : [],
      complete: window.atStart && !timeline.hasMoreBefore,
      newAfter: newAfter(),
      partner: partner === undefined ? undefined : marks.get(partner),
      readers: meta.kind === 'group' ? marks : NOBODY,
      find: (seq) => timeline.find(seq),
    });
    return reuseRows(before, built);
  }, new Map<string, Row>());

  /** Loads what is missing between two stretches, when the reader comes near. */
  const fillGaps = (): void => {
    for (const row of rows().values()) {
      if (row.kind !== 'gap' || client.pages.gap(chat(), row.gap) !== 'idle') continue;
      const element = placed?.find(row.key);
      if (element === undefined) continue;
      const { top } = element.getBoundingClientRect();
      if (top < -AHEAD_SCREENS * innerHeight || top > AHEAD_SCREENS * innerHeight) continue;
      const from = top > innerHeight / 2 ? 'above' : 'below';
      client.pages.fill(chat(), row.gap, from);
    }
  };

  const [day, setDay] = createSignal<string>();
  let hideDay = (): void => {};
  onCleanup(() => hideDay());
  /** The date of what is at the upper edge, while the reader is in history. */
  const showDay = (): void => {
    const [first] = placed?.inView() ?? [];
    const row = rows().get(first?.dataset.key ?? '');
    if (placed === undefined || placed.atBottom() || row === undefined || !('at' in row)) {
      setDay(undefined);
      return;
    }
    setDay(row.at);
    hideDay();
    hideDay = realClock.after(DATE_MS, () => setDay(undefined));
  };

  const failed = (): boolean => client.pages.older(chat()) === 'failed';
  const scroller = createScroller<Row>({
    rows,
    atEnd,
    full: () => windowNow()?.full === true,
    nearTop() {
      const window = windowNow();
      const at = reader();
      // However long somebody scrolls, only so much stays in memory.
      if (at !== 'end') chat().timeline?.narrow(at);
      if (window?.up() === true) setMoved(0);
      if (window?.nearStart === true && !failed()) client.pages.loadOlder(chat());
    },
    nearBottom() {
      if (windowNow()?.down() === true) setMoved(0);
    },
    looked() {
      const last = placed?.lastSeen();
      const row = last === undefined ? undefined : rows().get(last.dataset.key ?? '');
      const end = atEnd() && last !== undefined && last.nextElementSibling === null;
      setSeen(end ? chat().applied.seq : (seqOf(row) ?? 0));
      fillGaps();
      showDay();
    },
  });
  placed = scroller;

  const position = (): Position | undefined => {
    const at = scroller.position();
    const rest = at === undefined ? undefined : [...rows()];
    const from = rest?.findIndex(([key]) => key === at?.key) ?? -1;
    const first = rest?.slice(from).find(([, row]) => seqOf(row) !== undefined);
    const seq = seqOf(first?.[1]);
    if (at === undefined || seq === undefined || first === undefined) return undefined;
    const element = scroller.find(first[0]);
    return {
      seq,
      top: at.top + (element?.offsetTop ?? 0) - (scroller.find(at.key)?.offsetTop ?? 0),
    };
  };

  const keyOf = (seq: number): string | undefined =>
    [...rows()].find(([, row]) => seqOf(row) === seq)?.[0];

  /** Brings a message to the page: where it was, or in the middle and marked for a moment. */
  const show = async (seq: number, top?: number): Promise<void> => {
    const here = await client.pages.around(chat(), seq);
    if (!here) {
      model.toasts.notice({ text: text.notHere });
      return;
    }
    if (keyOf(seq) === undefined) {
      windowNow()?.around(seq);
      setMoved(0);
    }
    const key = keyOf(seq);
    if (key === undefined) return;
    scroller.aim(top === undefined ? { at: 'row', key } : { at: 'row', key, top });
    if (top !== undefined) return;
    setMarked(key);
    realClock.after(MARKED_MS, () => setMarked((now) => (now === key ? undefined : now)));
  };

  let goingToEnd = false;
  const toEnd = (): void => {
    const { timeline } = chat();
    if (timeline?.loaded === true) {
      windowNow()?.end();
      setMoved(0);
      scroller.aim({ at: 'end' });
      return;
    }
    client.pages.open(chat());
    goingToEnd = true;
  };
  createEffect(() => {
    if (goingToEnd && chat().timeline?.loaded === true) {
      goingToEnd = false;
      toEnd();
    }
  });

  /** At the first unread message, which may be many pages from the end. */
  const openAtDivider = async (after: number): Promise<void> => {
    scroller.aim({ at: 'divider' });
    const last = Math.max(after, held.meta.visible_from_seq);
    if (chat().timeline?.covers(last) === true) return;
    // The newest page may well reach down to it; only where it does not, another one is needed.
    const many = held.unread.count >= NEWEST_PAGE;
    if (!many || !(await client.pages.around(chat(), last))) return;
    windowNow()?.around(last);
    setMoved(0);
    scroller.aim({ at: 'divider' });
  };
  const start = model.positions.get(id);
  const unreadAfter = newAfter();
  if (start !== undefined) void show(start.seq, start.top);
  else if (unreadAfter === undefined) scroller.aim({ at: 'end' });
  else void openAtDivider(unreadAfter);
  // What was shown before the server had answered is of an earlier visit: this one begins now.
  createEffect(
    on(
      model.known,
      () => {
        const { unread } = chat();
        const after = unread.count > 0 ? unread.read : undefined;
        if (after !== newAfter()) setNewAfter(after);
        if (after !== undefined && scroller.atBottom()) void openAtDivider(after);
      },
      { defer: true },
    ),
  );
  createEffect(
    on(route, (place) => {
      if (place.name !== 'conversation' || place.id !== id) return;
      if (place.position === 'end') toEnd();
      else if (place.position !== undefined) void show(place.position.seq, place.position.top);
      else if (place.seq !== undefined) void show(place.seq);
    }),
  );

  const tracker = new ReadTracker(realClock, (seq) => {
    if (reading.markedAt(id) === undefined) client.read(id, seq);
  });
  createEffect(() => {
    tracker.update({
      attentive: page.attentive() && loaded() && model.known(),
      seen: seen(),
      newest: chat().applied.seq,
    });
  });
  onCleanup(() => {
    tracker.stop();
    const at = position();
    if (at === undefined) model.positions.delete(id);
    else model.positions.set(id, at);
  });

  /** Texts of others that came after the reader left the end. */
  const below = createMemo(
    (before: { left: number; count: number }) => {
      const { applied, timeline } = chat();
      if (scroller.atBottom()) return { left: applied.seq, count: 0 };
      const since = timeline?.slice(before.left + 1, Number.POSITIVE_INFINITY) ?? [];
      const texts = since.filter((m) => m.kind === 'text' && m.sender_id !== me);
      return { left: before.left, count: texts.length };
    },
    { left: held.applied.seq, count: 0 },
  );

  return {
    chat,
    loaded,
    rows,
    scroller,
    failed,
    marked,
    day,
    below: () => below().count,
    position,
    toEnd,
    jumpTo: (seq: number) => jump(pathOf(id, seq), position() ?? 'end'),
    markUnread(seq: number): void {
      setNewAfter(seq - 1);
      reading.mark(id, seq);
    },
    /** The reader has seen it all. */
    readAll(): void {
      reading.unmark(id);
      setNewAfter(undefined);
      reading.read(id);
      toEnd();
    },
  };
}

export type TimelineView = ReturnType<typeof createTimelineView>;
