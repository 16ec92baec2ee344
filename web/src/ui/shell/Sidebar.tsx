import Search from 'lucide-solid/icons/search';
import SquarePen from 'lucide-solid/icons/square-pen';
import { For, Show } from 'solid-js';
import { useModel } from '../../state/app';
import { setOverlay } from '../../state/overlay';
import { SECTIONS } from '../../state/sections';
import { text } from '../../strings/en';
import { IconButton } from '../kit/IconButton';
import { Kbd } from '../kit/Kbd';
import { AccountMenu } from './AccountMenu';
import { ConversationRow } from './ConversationRow';
import { createListKeys, keepFocus } from './listKeys';
import { Resizer } from './Resizer';
import { UpdateRow } from './UpdateRow';

export function Sidebar() {
  const model = useModel();
  const { sections } = model.sidebar;
  return (
    <nav class="sidebar" aria-label={text.conversations}>
      <div class="sidebar-bar">
        <AccountMenu />
        <button type="button" class="search" onClick={() => setOverlay('switcher')}>
          <Search size={14} strokeWidth={1.75} />
          <span class="name">{text.search}</span>
          <Kbd action="switcher" />
        </button>
        <IconButton label={text.newConversation} onClick={() => setOverlay('new')}>
          <SquarePen size={16} strokeWidth={1.75} />
        </IconButton>
      </div>
      <Show when={model.list().length > 0} fallback={<Nobody />}>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the links within have the focus */}
        <div
          ref={keepFocus(sections)}
          class="sidebar-list"
          data-keys=""
          onKeyDown={createListKeys()}
        >
          <For each={SECTIONS}>
            {(section) => (
              <Show when={sections()[section].length > 0}>
                <h2>{text.sections[section]}</h2>
                <ul>
                  <For each={sections()[section]}>{(id) => <ConversationRow id={id} />}</For>
                </ul>
              </Show>
            )}
          </For>
        </div>
      </Show>
      <UpdateRow />
      <Resizer />
    </nav>
  );
}

function Nobody() {
  const model = useModel();
  return (
    <div class="sidebar-empty">
      <Show
        when={model.known()}
        fallback={
          <div class="skeleton late" role="status" aria-label={text.loading}>
            <span />
            <span />
            <span />
          </div>
        }
      >
        <p>{text.noConversations}</p>
        <p class="hint">
          {text.noConversationsHint} <Kbd action="switcher" />
        </p>
      </Show>
    </div>
  );
}
