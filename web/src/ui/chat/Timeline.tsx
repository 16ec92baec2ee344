import ArrowDown from 'lucide-solid/icons/arrow-down';
import { createEffect, createMemo, For, onCleanup, Show } from 'solid-js';
import { realClock } from '../../core/clock';
import { ReadTracker } from '../../core/read/tracker';
import type { Chat } from '../../core/sync/chat';
import { buildRows, type Row, reuseRows } from '../../core/timeline/rows';
import { useModel } from '../../state/app';
import { page } from '../../state/page';
import { text } from '../../strings/en';
import { RowView } from './RowView';
import { createScroller } from './scroller';

export interface TimelineHandle {
  toBottom(): void;
}

/** The messages of one conversation, and what scrolling and looking at them means. */
export function Timeline(props: { chat: Chat; handle(handle: TimelineHandle): void }) {
  const model = useModel();
  const { client } = model;
  const { id } = props.chat;
  const me = model.me().id;
  const chat = (): Chat => model.chat(id) ?? props.chat;
  const partner = model.partner(props.chat);

  // Frozen when the conversation opens: the divider does not move while somebody reads.
  const newAfter = props.chat.unread.count > 0 ? props.chat.unread.read : undefined;

  const loaded = createMemo(() => chat().timeline?.loaded === true);
  const rows = createMemo((before: Map<string, Row>) => {
    const { timeline, marks } = chat();
    const source = {
      me,
      messages: timeline?.messages ?? [],
      pending: client.outbox.of(id),
      complete: timeline?.loaded === true && !timeline.hasMoreBefore,
      newAfter,
      partner: partner === undefined ? undefined : marks.get(partner),
    };
    return reuseRows(before, loaded() ? buildRows(source) : []);
  }, new Map<string, Row>());

  const loadOlder = (): void => client.pages.older(chat());
  const failed = (): boolean => client.pages.state(chat()) === 'failed';
  const scroller = createScroller({
    rows,
    nearTop: () => {
      if (!failed()) loadOlder();
    },
  });
  props.handle({ toBottom: scroller.toBottom });

  const tracker = new ReadTracker(realClock, (seq) => client.read(id, seq));
  createEffect(() => {
    tracker.update({
      attentive: page.attentive() && loaded(),
      atBottom: scroller.atBottom(),
      newest: chat().applied.seq,
    });
  });
  onCleanup(() => tracker.stop());

  /** Texts of others that came after the reader left the end. */
  const below = createMemo(
    (before: { left: number; count: number }) => {
      const { applied, timeline } = chat();
      if (scroller.atBottom()) return { left: applied.seq, count: 0 };
      const count = (timeline?.messages ?? []).filter(
        (message) =>
          message.seq > before.left && message.kind === 'text' && message.sender_id !== me,
      ).length;
      return { left: before.left, count };
    },
    { left: 0, count: 0 },
  );

  return (
    <div class="timeline">
      <section class="scroller" tabindex="0" aria-label={text.messages} ref={scroller.attach}>
        <div>
          <Show
            when={loaded()}
            fallback={<Opening failed={failed()} retry={() => client.pages.open(chat())} />}
          >
            <Show when={chat().timeline?.hasMoreBefore === true}>
              <div class="older">
                <Show when={failed()}>
                  <p class="error">{text.loadFailed}</p>
                </Show>
                <button type="button" class="button" onClick={loadOlder}>
                  {text.loadOlder}
                </button>
              </div>
            </Show>
          </Show>
          <ol class="rows">
            <For each={[...scroller.shown().keys()]}>
              {(key) => <RowView rowKey={key} rows={scroller.shown} chat={props.chat} />}
            </For>
          </ol>
        </div>
      </section>
      <Show when={!scroller.atBottom()}>
        <button type="button" class="pill" onClick={() => scroller.toBottom()}>
          <Show when={below().count > 0} fallback={text.toLatest}>
            <span class="ember-dot" />
            {text.newBelow(below().count)}
          </Show>
          <ArrowDown size={16} strokeWidth={1.75} />
        </button>
      </Show>
    </div>
  );
}

function Opening(props: { failed: boolean; retry: () => void }) {
  return (
    <div class="opening">
      <Show when={props.failed} fallback={<p class="late">{text.loading}</p>}>
        <p class="error">{text.openFailed}</p>
        <button type="button" class="button" onClick={props.retry}>
          {text.tryAgain}
        </button>
      </Show>
    </div>
  );
}
