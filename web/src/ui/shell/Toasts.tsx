import X from 'lucide-solid/icons/x';
import { createEffect, For, Show } from 'solid-js';
import { preview } from '../../core/text/markup';
import { useModel } from '../../state/app';
import { go, pathOf } from '../../state/router';
import type { Toast } from '../../state/toasts';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { IconButton } from '../kit/IconButton';

/** A swipe this long throws a toast away. */
const SWIPE_PX = 60;

type Incoming = Extract<Toast, { kind: 'incoming' }>;
type Notice = Extract<Toast, { kind: 'notice' }>;

/** Says what came in elsewhere. Never takes the focus. */
export function Toasts() {
  const model = useModel();
  createEffect(() => {
    const id = model.openId();
    if (id !== undefined) model.toasts.dismiss(id);
  });
  return (
    <section
      class="toasts"
      aria-label={text.notifications}
      aria-live="polite"
      aria-relevant="additions"
    >
      <For each={model.toasts.list()}>{(toast) => <ToastCard toast={toast} />}</For>
    </section>
  );
}

function ToastCard(props: { toast: Toast }) {
  const { toasts } = useModel();
  const { id } = props.toast;
  let from: number | undefined;
  return (
    <article
      class="toast"
      onPointerEnter={() => toasts.hold(id)}
      onPointerLeave={() => toasts.release(id)}
      onFocusIn={() => toasts.hold(id)}
      onFocusOut={() => toasts.release(id)}
      onPointerDown={(event) => {
        from = event.clientX;
      }}
      onPointerUp={(event) => {
        if (from !== undefined && Math.abs(event.clientX - from) > SWIPE_PX) toasts.dismiss(id);
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        toasts.dismiss(id);
        document.querySelector<HTMLElement>('.composer textarea')?.focus();
      }}
    >
      {props.toast.kind === 'incoming' ? (
        <IncomingCard toast={props.toast} />
      ) : (
        <NoticeCard toast={props.toast} />
      )}
      <IconButton label={text.close} onClick={() => toasts.dismiss(id)}>
        <X size={16} strokeWidth={1.75} />
      </IconButton>
      <span class="toast-time" classList={{ paused: toasts.paused() }} />
    </article>
  );
}

function IncomingCard(props: { toast: Incoming }) {
  const model = useModel();
  const sender = (): string => model.nameOf(props.toast.sender);
  const title = (): string =>
    props.toast.count > 1 ? text.messagesFrom(props.toast.count, place() ?? sender()) : sender();
  /** Where it was said, if the sender's name does not tell. */
  const place = (): string | undefined => {
    const chat = model.chat(props.toast.conversation);
    return chat?.meta.kind === 'group' ? model.titleOf(chat) : undefined;
  };
  return (
    <button type="button" class="toast-open" onClick={() => go(pathOf(props.toast.conversation))}>
      <Avatar id={props.toast.sender} name={sender()} />
      <span class="name">
        {title()}
        <Show when={props.toast.count === 1 && place()}>
          {(group) => <span class="hint"> · {group()}</span>}
        </Show>
      </span>
      <span class="preview">{preview(props.toast.preview)}</span>
    </button>
  );
}

function NoticeCard(props: { toast: Notice }) {
  return (
    <p class="toast-text">
      {props.toast.text}{' '}
      <Show when={props.toast.action}>
        {(action) => (
          <button type="button" class="link" onClick={() => action().run()}>
            {action().label}
          </button>
        )}
      </Show>
    </p>
  );
}
