import ArrowLeft from 'lucide-solid/icons/arrow-left';
import { For, Match, Switch } from 'solid-js';
import { follow, route } from '../../state/router';
import { text } from '../../strings/en';
import { ShortcutList } from '../keys/ShortcutList';
import { Appearance } from './Appearance';
import { Notifications } from './Notifications';
import { Profile } from './Profile';
import { Sessions } from './Sessions';

type Section = keyof typeof text.settingsSections;
const SECTIONS = Object.keys(text.settingsSections) as Section[];

export default function Settings() {
  const section = (): Section => {
    const place = route();
    const named = place.name === 'settings' ? place.section : '';
    return SECTIONS.find((known) => known === named) ?? 'profile';
  };
  return (
    <main class="chat settings">
      <header class="chat-header">
        <a class="back icon-button" href="/" aria-label={text.backToList} onClick={follow}>
          <ArrowLeft size={16} strokeWidth={1.75} />
        </a>
        <h1>{text.settings}</h1>
      </header>
      <nav class="tabs" aria-label={text.settings}>
        <For each={SECTIONS}>
          {(name) => (
            <a
              href={`/settings/${name}`}
              aria-current={section() === name ? 'page' : undefined}
              onClick={follow}
            >
              {text.settingsSections[name]}
            </a>
          )}
        </For>
      </nav>
      <div class="settings-body">
        <Switch>
          <Match when={section() === 'profile'}>
            <Profile />
          </Match>
          <Match when={section() === 'sessions'}>
            <Sessions />
          </Match>
          <Match when={section() === 'appearance'}>
            <Appearance />
          </Match>
          <Match when={section() === 'notifications'}>
            <Notifications />
          </Match>
          <Match when={section() === 'shortcuts'}>
            <ShortcutList />
          </Match>
        </Switch>
      </div>
    </main>
  );
}
