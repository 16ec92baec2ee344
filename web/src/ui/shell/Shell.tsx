import { createEffect, Show } from 'solid-js';
import { useModel } from '../../state/app';
import { text } from '../../strings/en';
import { ChatPage } from '../chat/ChatPage';
import { Sidebar } from './Sidebar';
import { Toasts } from './Toasts';

export function Shell() {
  const model = useModel();
  createEffect(() => model.client.open(model.openId()));
  createEffect(() => {
    const id = model.openId();
    const chat = id === undefined ? undefined : model.chat(id);
    const place = chat === undefined ? text.product : `${model.titleOf(chat)} · ${text.product}`;
    const unread = model.unreadTotal();
    document.title = unread === 0 ? place : `(${unread}) ${place}`;
  });
  return (
    <div class="shell" data-screen={model.openId() === undefined ? 'list' : 'chat'}>
      <Sidebar />
      <Show when={model.openId()} keyed fallback={<NothingOpen />}>
        {(id) => <ChatPage id={id} />}
      </Show>
      <Toasts />
      <p class="visually-hidden" aria-live="polite">
        {model.announcement()}
      </p>
    </div>
  );
}

function NothingOpen() {
  return (
    <main class="chat empty">
      <p>{text.nothingOpen}</p>
    </main>
  );
}
