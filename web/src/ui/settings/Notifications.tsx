import { Match, Switch } from 'solid-js';
import { askPermission, permission } from '../../state/desktop';
import { change, settings } from '../../state/settings';
import { text } from '../../strings/en';

export function Notifications() {
  const on = (): boolean => settings().desktop && permission() === 'granted';
  return (
    <section>
      <h2>{text.settingsSections.notifications}</h2>
      <Switch>
        <Match when={permission() === 'unavailable'}>
          <p class="dialog-text">{text.notificationsUnavailable}</p>
        </Match>
        <Match when={permission() === 'denied'}>
          <p class="dialog-text">{text.notificationsDenied}</p>
        </Match>
        <Match when={on()}>
          <p class="dialog-text">{text.notificationsOn}</p>
          <button type="button" class="button" onClick={() => change({ desktop: false })}>
            {text.turnOffNotifications}
          </button>
        </Match>
        <Match when={!on()}>
          <p class="dialog-text">{text.notificationsOff}</p>
          <button
            type="button"
            class="button primary"
            onClick={() => {
              void askPermission().then((granted) => change({ desktop: granted }));
            }}
          >
            {text.turnOnNotifications}
          </button>
        </Match>
      </Switch>
      <label class="check">
        <input
          type="checkbox"
          checked={settings().sound}
          onChange={(event) => change({ sound: event.currentTarget.checked })}
        />
        {text.sound}
      </label>
    </section>
  );
}
