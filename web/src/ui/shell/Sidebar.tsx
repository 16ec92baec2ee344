import SquarePen from 'lucide-solid/icons/square-pen';
import { createSignal, For, Show } from 'solid-js';
import { useModel } from '../../state/app';
import { text } from '../../strings/en';
import { IconButton } from '../kit/IconButton';
import { NewConversation } from '../people/NewConversation';
import { AccountMenu } from './AccountMenu';
import { ConversationRow } from './ConversationRow';

export function Sidebar() {
  const model = useModel();
  const [starting, setStarting] = createSignal(false);
  return (
    <nav class="sidebar" aria-label={text.conversations}>
      <div class="sidebar-bar">
        <AccountMenu />
        <IconButton label={text.newConversation} onClick={() => setStarting(true)}>
          <SquarePen size={16} strokeWidth={1.75} />
        </IconButton>
      </div>
      <Show when={model.list().length > 0} fallback={<Nobody />}>
        <h2>{text.conversations}</h2>
        <ul>
          <For each={model.list()}>{(id) => <ConversationRow id={id} />}</For>
        </ul>
      </Show>
      <Show when={starting()}>
        <NewConversation onClose={() => setStarting(false)} />
      </Show>
    </nav>
  );
}

function Nobody() {
  const model = useModel();
  return (
    <div class="sidebar-empty">
      <Show when={model.known()} fallback={<p>{text.loading}</p>}>
        <p>{text.noConversations}</p>
        <p class="hint">{text.noConversationsHint}</p>
      </Show>
    </div>
  );
}
