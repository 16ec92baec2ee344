import ArrowDown from 'lucide-solid/icons/arrow-down';
import { createSignal, For, onMount, Show } from 'solid-js';
import { dayOf } from '../../core/time/format';
import type { MessageRow } from '../../core/timeline/rows';
import { useModel } from '../../state/app';
import { text } from '../../strings/en';
import { Confirm } from '../kit/Confirm';
import { Menu, type MenuItem, type MenuPlace } from '../kit/Menu';
import { copyMessages } from './copyMessages';
import { type RowContext, RowView } from './RowView';
import { actionsOf, menuOf } from './rowActions';
import { createRowKeys } from './rowKeys';
import type { TimelineView } from './timelineView';

/** The messages of one conversation. */
export function Timeline(props: { view: TimelineView }) {
  const model = useModel();
  const { view } = props;
  const { scroller } = view;
  const [menu, setMenu] = createSignal<{
    items: MenuItem[];
    anchor: HTMLElement;
    at: MenuPlace | undefined;
  }>();
  const [removing, setRemoving] = createSignal<() => void>();
  const [hovered, setHovered] = createSignal<string>();
  let box: HTMLElement | undefined;
  let list: HTMLOListElement | undefined;
  let spacer: HTMLDivElement | undefined;

  const ask = (remove: () => void) => setRemoving(() => remove);
  const openMenu = (row: MessageRow, anchor: HTMLElement, at?: MenuPlace): void => {
    const items = menuOf(actionsOf(model, view, row), ask);
    if (items.length > 0) setMenu({ items, anchor, at });
  };
  const keys = createRowKeys({
    view,
    list: () => list,
    openMenu,
    actions: (row) => actionsOf(model, view, row),
    ask,
  });
  const context: RowContext = {
    view,
    current: keys.current,
    active: () => hovered() ?? keys.focused(),
    openMenu,
  };
  onMount(() => {
    if (box !== undefined && list !== undefined && spacer !== undefined) {
      scroller.attach({ box, list, spacer });
    }
  });

  const keyAt = (event: Event): string | undefined =>
    (event.target as Element).closest<HTMLElement>('li[data-row]')?.dataset.key;

  return (
    <div class="timeline">
      <FloatingDate view={view} />
      <section
        id="messages"
        class="scroller"
        tabindex="-1"
        aria-label={text.messages}
        ref={box}
        onCopy={(event) => {
          if (list !== undefined) copyMessages(event, list, view.rows(), model.nameOf);
        }}
      >
        <div>
          <Show when={view.loaded()} fallback={<Opening view={view} />}>
            <Show when={view.chat().timeline?.hasMoreBefore === true}>
              <div class="older">
                <Show when={view.failed()}>
                  <p class="error">{text.loadFailed}</p>
                </Show>
                <button
                  type="button"
                  class="button"
                  onClick={() => model.client.pages.loadOlder(view.chat())}
                >
                  {text.loadOlder}
                </button>
              </div>
            </Show>
          </Show>
          <ol
            class="rows"
            ref={list}
            onKeyDown={keys.onKeyDown}
            onFocusIn={keys.onFocusIn}
            onFocusOut={keys.onFocusOut}
            onPointerOver={(event) =>
              setHovered(event.pointerType === 'touch' ? undefined : keyAt(event))
            }
            onPointerLeave={() => setHovered(undefined)}
          >
            <For each={[...scroller.shown().keys()]}>
              {(key) => <RowView rowKey={key} rows={scroller.shown} context={context} />}
            </For>
          </ol>
          <div ref={spacer} />
        </div>
      </section>
      <Show when={!scroller.atBottom() && (scroller.far() || view.below() > 0)}>
        <button type="button" class="pill" onClick={() => view.toEnd()}>
          <Show when={view.below() > 0} fallback={text.toLatest}>
            <span class="ember-dot" />
            {text.newBelow(view.below())}
          </Show>
          <ArrowDown size={16} strokeWidth={1.75} />
        </button>
      </Show>
      <Show when={menu()} keyed>
        {(open) => (
          <Menu
            label={text.actions}
            items={open.items}
            anchor={open.anchor}
            at={open.at}
            onClose={() => setMenu(undefined)}
          />
        )}
      </Show>
      <Show when={removing()}>
        {(remove) => (
          <Confirm
            title={text.removeTitle}
            text={text.removeText}
            action={text.remove}
            onConfirm={() => remove()()}
            onClose={() => setRemoving(undefined)}
          />
        )}
      </Show>
    </div>
  );
}

/** Which day the reader is at; there while they scroll through history, and a little longer. */
function FloatingDate(props: { view: TimelineView }) {
  return (
    <Show when={props.view.day()}>
      {(at) => (
        <p class="floating-date" aria-hidden="true">
          {dayOf(at(), Date.now())}
        </p>
      )}
    </Show>
  );
}

function Opening(props: { view: TimelineView }) {
  const { pages } = useModel().client;
  const chat = () => props.view.chat();
  return (
    <div class="opening">
      <Show
        when={pages.newest(chat()) === 'failed'}
        fallback={
          <div class="skeleton late" role="status" aria-label={text.loading}>
            <span />
            <span />
            <span />
          </div>
        }
      >
        <p class="error">{text.openFailed}</p>
        <button type="button" class="button" onClick={() => pages.open(chat())}>
          {text.tryAgain}
        </button>
      </Show>
    </div>
  );
}
