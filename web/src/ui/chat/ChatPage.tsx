import ArrowLeft from 'lucide-solid/icons/arrow-left';
import BellOff from 'lucide-solid/icons/bell-off';
import Ellipsis from 'lucide-solid/icons/ellipsis';
import Pin from 'lucide-solid/icons/pin';
import Users from 'lucide-solid/icons/users';
import { createMemo, createSignal, lazy, onCleanup, Show, Suspense } from 'solid-js';
import type { Chat } from '../../core/sync/chat';
import { useModel } from '../../state/app';
import { follow } from '../../state/router';
import { text } from '../../strings/en';
import { Composer } from '../composer/Composer';
import { Avatar } from '../kit/Avatar';
import { IconButton } from '../kit/IconButton';
import { Menu } from '../kit/Menu';
import { ConnectionBar } from '../shell/ConnectionBar';
import { conversationMenu } from '../shell/conversationMenu';
import { openViews } from './openView';
import { Timeline } from './Timeline';
import { createTimelineView } from './timelineView';

const GroupInfo = lazy(() => import('../group/GroupInfo'));

export function ChatPage(props: { id: string }) {
  const model = useModel();
  const chat = createMemo(() => model.chat(props.id) !== undefined);
  return (
    <main class="chat">
      <Show when={chat() && model.client.chats.find(props.id)} fallback={<Missing />}>
        {(held) => <Open chat={held()} />}
      </Show>
    </main>
  );
}

function Open(props: { chat: Chat }) {
  const model = useModel();
  const { id } = props.chat;
  const view = createTimelineView(props.chat);
  const { chat } = view;
  openViews.set(id, view);
  onCleanup(() => openViews.delete(id));
  const title = createMemo(() => model.titleOf(chat()));
  const typing = createMemo(() => {
    chat();
    return text.typing(model.client.typing.in(id).map(model.nameOf));
  });
  return (
    <>
      <Header chat={chat()} title={title()} />
      <ConnectionBar />
      <Timeline view={view} />
      <p class="status-line" role="status">
        {typing()}
      </p>
      <Composer view={view} title={title()} />
    </>
  );
}

function Header(props: { chat: Chat; title: string }) {
  const model = useModel();
  const [info, setInfo] = createSignal(false);
  const [menu, setMenu] = createSignal<HTMLElement>();
  const partner = (): string | undefined => model.partner(props.chat);
  const status = () => {
    const other = partner();
    return other === undefined ? undefined : model.status(other);
  };
  const isGroup = (): boolean => props.chat.meta.kind === 'group';
  const subtitle = (): string => {
    const present = status();
    return present === undefined
      ? text.members(props.chat.meta.participant_count)
      : text.presence[present];
  };
  return (
    <header class="chat-header">
      <a class="back icon-button" href="/" aria-label={text.backToList} onClick={follow}>
        <ArrowLeft size={16} strokeWidth={1.75} />
      </a>
      <Avatar id={partner() ?? props.chat.id} name={props.title} status={status()} />
      <h1>{props.title}</h1>
      <span class="hint">{subtitle()}</span>
      <Show when={props.chat.meta.muted}>
        <BellOff size={14} strokeWidth={1.75} aria-label={text.muted} />
      </Show>
      <Show when={props.chat.meta.pinned}>
        <Pin size={14} strokeWidth={1.75} aria-hidden="true" />
      </Show>
      <span class="filler" />
      <Show when={isGroup()}>
        <IconButton label={text.groupInfo} onClick={() => setInfo(true)}>
          <Users size={16} strokeWidth={1.75} />
        </IconButton>
      </Show>
      <IconButton
        label={text.options(props.title)}
        aria-haspopup="menu"
        onClick={(event) => setMenu(event.currentTarget)}
      >
        <Ellipsis size={16} strokeWidth={1.75} />
      </IconButton>
      <Show when={menu()}>
        {(anchor) => (
          <Menu
            label={text.options(props.title)}
            anchor={anchor()}
            items={conversationMenu(model, props.chat)}
            onClose={() => setMenu(undefined)}
          />
        )}
      </Show>
      <Show when={info()}>
        <Suspense>
          <GroupInfo chat={props.chat} onClose={() => setInfo(false)} />
        </Suspense>
      </Show>
    </header>
  );
}

function Missing() {
  const model = useModel();
  return (
    <div class="empty">
      <ConnectionBar />
      <Show when={model.known()} fallback={<p class="late">{text.loading}</p>}>
        <h1>{text.notMember}</h1>
        <a href="/" onClick={follow}>
          {text.backToList}
        </a>
      </Show>
    </div>
  );
}
