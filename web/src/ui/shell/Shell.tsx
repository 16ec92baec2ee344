import { createEffect, lazy, Match, onMount, Show, Suspense, Switch } from 'solid-js';
import { useModel } from '../../state/app';
import { showBadge } from '../../state/badge';
import { overlay, setOverlay } from '../../state/overlay';
import { go, pathOf, route } from '../../state/router';
import { settings } from '../../state/settings';
import { text } from '../../strings/en';
import { ChatPage } from '../chat/ChatPage';
import { openViews } from '../chat/openView';
import { listenForKeys } from '../keys/dispatcher';
import { focusRegion, walkRegions } from '../keys/regions';
import { Kbd } from '../kit/Kbd';
import { Sidebar } from './Sidebar';
import { Skip } from './Skip';
import { Toasts } from './Toasts';

const Settings = lazy(() => import('../settings/Settings'));
const NewConversation = lazy(() => import('../people/NewConversation'));
const Switcher = lazy(() => import('../switcher/Switcher'));
const Shortcuts = lazy(() => import('../keys/Shortcuts'));

/** How long "Mark everything read" can be undone. */
const UNDO_MS = 6_000;
const PRELOAD_MS = 1_000;

export function Shell() {
  const model = useModel();
  createEffect(() => model.client.open(model.openId()));
  showBadge(model.unreadTotal, () => {
    const id = model.openId();
    const chat = id === undefined ? undefined : model.chat(id);
    return chat === undefined ? text.product : `${model.titleOf(chat)} · ${text.product}`;
  });

  const walk = (by: 1 | -1, unreadOnly: boolean): void => {
    const order = model.sidebar.order();
    const here = order.indexOf(model.openId() ?? '');
    const turned = by === 1 ? order : order.toReversed();
    const at = by === 1 ? here : turned.length - 1 - here;
    const next = [...turned.slice(at + 1), ...(unreadOnly ? turned.slice(0, Math.max(0, at)) : [])];
    const id =
      here === -1 && !unreadOnly
        ? order[0]
        : next.find((other) => !unreadOnly || model.reading.unread(other) > 0);
    if (id !== undefined) go(pathOf(id));
  };
  const everythingRead = (): void => {
    const ids = model.list().filter((id) => model.reading.unread(id) > 0);
    if (ids.length === 0) {
      model.toasts.notice({ text: text.caughtUp });
      return;
    }
    const { settle, undo } = model.reading.clear(ids);
    const action = { label: text.undo, run: undo };
    model.toasts.notice({ text: text.allRead, action }, settle, UNDO_MS);
  };
  listenForKeys({
    switcher: () => setOverlay('switcher'),
    shortcuts: () => setOverlay('shortcuts'),
    settings: () => go('/settings'),
    previous: () => walk(-1, false),
    next: () => walk(1, false),
    previousUnread: () => walk(-1, true),
    nextUnread: () => walk(1, true),
    nextRegion: () => walkRegions(1),
    previousRegion: () => walkRegions(-1),
    toasts: () => focusRegion('.toasts'),
    readAll: () => openViews.get(model.openId() ?? '')?.readAll(),
    everythingRead,
  });

  // Fetched before they are asked for: they open at once, also when the server has a newer build.
  onMount(() =>
    setTimeout(() => {
      for (const part of [Switcher, NewConversation, Settings, Shortcuts]) void part.preload();
    }, PRELOAD_MS),
  );
  const close = () => setOverlay(undefined);
  const element = (): CSSStyleDeclaration | undefined =>
    document.querySelector<HTMLElement>('.shell')?.style;
  createEffect(() => element()?.setProperty('--sidebar', `${settings().sidebar}px`));

  return (
    <div class="shell" data-screen={route().name === 'home' ? 'list' : 'chat'}>
      <Skip />
      <Sidebar />
      <Switch fallback={<NothingOpen />}>
        <Match when={route().name === 'settings'}>
          <Suspense fallback={<main class="chat" />}>
            <Settings />
          </Suspense>
        </Match>
        <Match when={model.openId()} keyed>
          {(id) => <ChatPage id={id} />}
        </Match>
      </Switch>
      <Toasts />
      <p class="visually-hidden" aria-live="polite">
        {model.announcement()}
      </p>
      <Suspense>
        <Show when={overlay() === 'switcher'}>
          <Switcher onClose={close} />
        </Show>
        <Show when={overlay() === 'new'}>
          <NewConversation onClose={close} />
        </Show>
        <Show when={overlay() === 'shortcuts'}>
          <Shortcuts onClose={close} />
        </Show>
      </Suspense>
    </div>
  );
}

function NothingOpen() {
  return (
    <main class="chat empty">
      <h1>{text.nothingOpen}</h1>
      <ul class="first-keys">
        <li>
          <Kbd action="switcher" /> {text.keyNames.switcher}
        </li>
        <li>
          <Kbd action="nextUnread" /> {text.keyNames.nextUnread}
        </li>
        <li>
          <Kbd action="shortcuts" /> {text.keyNames.shortcuts}
        </li>
      </ul>
    </main>
  );
}
