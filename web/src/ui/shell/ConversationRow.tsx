import BellOff from 'lucide-solid/icons/bell-off';
import Pencil from 'lucide-solid/icons/pencil';
import { createMemo, createSignal, Show } from 'solid-js';
import { preview as plain } from '../../core/text/markup';
import { shortly } from '../../core/time/format';
import type { PresenceStatus } from '../../gen/wire';
import { useModel } from '../../state/app';
import { follow, pathOf } from '../../state/router';
import { badge, systemText, text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { Menu } from '../kit/Menu';
import { conversationMenu } from './conversationMenu';

export function ConversationRow(props: { id: string }) {
  const model = useModel();
  const [menu, setMenu] = createSignal<{ anchor: HTMLElement; at: { x: number; y: number } }>();
  const chat = () => model.chat(props.id);
  const title = createMemo(() => {
    const held = chat();
    return held === undefined ? '' : model.titleOf(held);
  });
  const partner = createMemo(() => {
    const held = chat();
    return held === undefined ? undefined : model.partner(held);
  });
  const status = (): PresenceStatus | undefined => {
    const other = partner();
    return other === undefined ? undefined : model.status(other);
  };
  const unread = createMemo(() => model.reading.unread(props.id));
  const muted = (): boolean => chat()?.meta.muted === true;
  const draft = createMemo(() =>
    model.openId() === props.id ? '' : model.drafts.of(props.id).text,
  );
  const at = createMemo(() => {
    const meta = chat()?.meta;
    return meta?.last_message?.created_at ?? meta?.created_at ?? '';
  });
  const preview = createMemo(() => {
    const message = chat()?.meta.last_message ?? undefined;
    if (message === undefined) return '';
    const own = message.sender_id === model.me().id;
    const sender = (): string => (own ? text.you : model.nameOf(message.sender_id));
    if (message.system !== null) {
      return systemText(message.system, sender(), (id) =>
        id === model.me().id ? text.yourself : model.nameOf(id),
      );
    }
    const body = message.body === null ? text.deleted : plain(message.body);
    return own || partner() === undefined ? `${sender()}: ${body}` : body;
  });
  /** What badge, dot and marks say, in words. */
  const state = (): string =>
    [
      unread() === 0 ? '' : text.unread(unread()),
      text.presence[status() ?? 'unknown'],
      draft() === '' ? '' : text.hasDraft,
      muted() ? text.muted : '',
    ]
      .filter((part) => part !== '')
      .join(', ');

  return (
    <li>
      <a
        class="conversation"
        href={pathOf(props.id)}
        aria-current={model.openId() === props.id ? 'page' : undefined}
        classList={{ unread: unread() > 0, muted: muted() }}
        title={title()}
        onClick={follow}
        onContextMenu={(event) => {
          event.preventDefault();
          const { clientX: x, clientY: y, currentTarget: anchor } = event;
          const box = anchor.getBoundingClientRect();
          // The menu key comes without a place.
          const from = x === 0 && y === 0 ? { x: box.left + 48, y: box.bottom } : { x, y };
          setMenu({ anchor, at: from });
        }}
      >
        <Avatar id={partner() ?? props.id} name={title()} status={status()} />
        <span class="name">
          {title()}
          <Show when={state() !== ''}>
            <span class="visually-hidden">, {state()}</span>
          </Show>
        </span>
        <span class="marks" aria-hidden="true">
          <Show when={draft() !== ''}>
            <Pencil size={12} strokeWidth={1.75} />
          </Show>
          <Show when={muted()}>
            <BellOff size={12} strokeWidth={1.75} />
          </Show>
          <Show
            when={unread() > 0}
            fallback={
              <Show when={at() !== ''}>
                <time datetime={at()}>{shortly(at(), Date.now())}</time>
              </Show>
            }
          >
            <span class="badge">{badge(unread())}</span>
          </Show>
        </span>
        <span class="preview" aria-hidden="true">
          <Show when={draft() !== ''} fallback={preview()}>
            <span class="draft">{text.draft}</span> {draft()}
          </Show>
        </span>
      </a>
      <Show when={menu()} keyed>
        {(open) => (
          <Show when={chat()}>
            {(held) => (
              <Menu
                label={text.options(title())}
                anchor={open.anchor}
                at={open.at}
                items={conversationMenu(model, held())}
                onClose={() => setMenu(undefined)}
              />
            )}
          </Show>
        )}
      </Show>
    </li>
  );
}
