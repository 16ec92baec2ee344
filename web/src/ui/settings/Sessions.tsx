import { createResource, For, Show } from 'solid-js';
import { fullDate, onDay } from '../../core/time/format';
import type { Device } from '../../gen/wire';
import { useModel } from '../../state/app';
import { text } from '../../strings/en';
import { createAttempt } from '../kit/attempt';

/** Where I am signed in, and the way to end it. */
export function Sessions() {
  const { api } = useModel().client;
  const attempt = createAttempt();
  const [devices, { mutate }] = createResource(async () => (await api.devices()).items);
  const revoke = (device: Device): void => {
    void attempt.run(async () => {
      await api.revoke(device.id);
      mutate((all) => all?.filter(({ id }) => id !== device.id));
    });
  };
  return (
    <section>
      <h2>{text.settingsSections.sessions}</h2>
      <p class="dialog-text">{text.sessionsHint}</p>
      <Show when={devices.error === undefined} fallback={<p class="error">{text.noAnswer}</p>}>
        <ul class="members">
          <For each={devices.latest}>
            {(device) => (
              <li>
                <span class="name">
                  {device.label}{' '}
                  <span class="hint" title={fullDate(device.last_seen_at)}>
                    {device.current
                      ? text.thisSession
                      : text.lastSeen(onDay(device.last_seen_at, Date.now()))}
                  </span>
                </span>
                <Show when={!device.current}>
                  <button
                    type="button"
                    class="button"
                    aria-label={text.revokeOne(device.label)}
                    aria-disabled={attempt.busy()}
                    onClick={() => revoke(device)}
                  >
                    {text.revoke}
                  </button>
                </Show>
              </li>
            )}
          </For>
        </ul>
      </Show>
      <p class="error form-error" role="alert">
        {attempt.other()}
      </p>
    </section>
  );
}
