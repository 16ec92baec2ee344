import X from 'lucide-solid/icons/x';
import { createEffect, For, Show } from 'solid-js';
import { useModel } from '../../state/app';
import { go, pathOf } from '../../state/router';
import type { Toast } from '../../state/toasts';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { IconButton } from '../kit/IconButton';

/** Says what came in elsewhere. Never takes the focus. */
export function Toasts() {
  const model = useModel();
  createEffect(() => {
    const id = model.openId();
    if (id !== undefined) model.toasts.dismiss(id);
  });
  return (
    <section class="toasts" aria-label={text.notifications} aria-live="polite">
      <For each={model.toasts.list()}>{(toast) => <ToastCard toast={toast} />}</For>
    </section>
  );
}

function ToastCard(props: { toast: Toast }) {
  const model = useModel();
  const id = (): string => props.toast.conversation;
  const sender = (): string => model.nameOf(props.toast.sender);
  /** Where it was said, if the sender's name does not tell. */
  const place = (): string | undefined => {
    const chat = model.chat(id());
    return chat?.meta.kind === 'group' ? model.titleOf(chat) : undefined;
  };
  const hold = (): void => model.toasts.hold(id());
  const release = (): void => model.toasts.release(id());
  return (
    <div
      class="toast"
      onPointerEnter={hold}
      onPointerLeave={release}
      onFocusIn={hold}
      onFocusOut={release}
    >
      <button type="button" class="toast-open" onClick={() => go(pathOf(id()))}>
        <Avatar id={props.toast.sender} name={sender()} />
        <span class="name">
          {sender()}
          <Show when={place()}>{(group) => <span class="hint"> · {group()}</span>}</Show>
        </span>
        <span class="preview">{props.toast.preview}</span>
      </button>
      <IconButton label={text.close} onClick={() => model.toasts.dismiss(id())}>
        <X size={16} />
      </IconButton>
    </div>
  );
}
