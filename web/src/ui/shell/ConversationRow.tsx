import { createMemo, Show } from 'solid-js';
import { shortly } from '../../core/time/format';
import type { PresenceStatus } from '../../gen/wire';
import { useModel } from '../../state/app';
import { follow, pathOf } from '../../state/router';
import { badge, systemText, text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';

export function ConversationRow(props: { id: string }) {
  const model = useModel();
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
  const unread = createMemo(() => chat()?.unread.count ?? 0);
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
    const body = message.body ?? text.deleted;
    return own || partner() === undefined ? `${sender()}: ${body}` : body;
  });
  /** What the badge and the dot say, in words. */
  const state = (): string =>
    [unread() === 0 ? '' : text.unread(unread()), text.presence[status() ?? 'unknown']]
      .filter((part) => part !== '')
      .join(', ');

  return (
    <li>
      <a
        class="conversation"
        href={pathOf(props.id)}
        aria-current={model.openId() === props.id ? 'page' : undefined}
        classList={{ unread: unread() > 0 }}
        onClick={follow}
      >
        <Avatar id={partner() ?? props.id} name={title()} status={status()} />
        <span class="name">
          {title()} <span class="visually-hidden">{state()}</span>
        </span>
        <Show when={at() !== ''}>
          <time datetime={at()}>{shortly(at(), Date.now())}</time>
        </Show>
        <span class="preview">{preview()}</span>
        <Show when={unread() > 0}>
          <span class="badge" aria-hidden="true">
            {badge(unread())}
          </span>
        </Show>
      </a>
    </li>
  );
}
