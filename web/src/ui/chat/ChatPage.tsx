import ArrowLeft from 'lucide-solid/icons/arrow-left';
import { createMemo, Show } from 'solid-js';
import type { Chat } from '../../core/sync/chat';
import { useModel } from '../../state/app';
import { follow } from '../../state/router';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { ConnectionBar } from '../shell/ConnectionBar';
import { Composer } from './Composer';
import { Timeline, type TimelineHandle } from './Timeline';

export function ChatPage(props: { id: string }) {
  const model = useModel();
  const chat = createMemo(() => model.chat(props.id));
  return (
    <main class="chat">
      <Show when={chat()} fallback={<Missing />}>
        {(held) => <Open chat={held()} />}
      </Show>
    </main>
  );
}

function Open(props: { chat: Chat }) {
  const model = useModel();
  const { id } = props.chat;
  let timeline: TimelineHandle | undefined;
  const chat = (): Chat => model.chat(id) ?? props.chat;
  const title = createMemo(() => model.titleOf(chat()));
  const subtitle = createMemo(() => {
    const partner = model.partner(chat());
    if (partner !== undefined) return text.presence[model.status(partner)];
    return text.members(chat().meta.participant_count);
  });
  const typing = createMemo(() => {
    chat();
    return text.typing(model.client.typing.in(id).map(model.nameOf));
  });
  return (
    <>
      <header class="chat-header">
        <a class="back icon-button" href="/" aria-label={text.backToList} onClick={follow}>
          <ArrowLeft size={16} strokeWidth={1.75} />
        </a>
        <Avatar id={model.partner(chat()) ?? id} name={title()} />
        <h1>{title()}</h1>
        <span class="hint">{subtitle()}</span>
      </header>
      <ConnectionBar />
      <Timeline
        chat={props.chat}
        handle={(handle) => {
          timeline = handle;
        }}
      />
      <p class="status-line" role="status">
        {typing()}
      </p>
      <Composer conversation={id} title={title()} onSent={() => timeline?.toBottom()} />
    </>
  );
}

function Missing() {
  const model = useModel();
  return (
    <div class="empty">
      <ConnectionBar />
      <Show when={model.known()} fallback={<p class="late">{text.loading}</p>}>
        <p>{text.notMember}</p>
        <a href="/" onClick={follow}>
          {text.backToList}
        </a>
      </Show>
    </div>
  );
}
