import { createSignal, For, Show } from 'solid-js';
import { signOut, useModel } from '../../state/app';
import { setTheme, THEMES, theme } from '../../state/theme';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { Dialog } from '../kit/Dialog';

/** Who I am, how the page looks, and the way out. */
export function AccountMenu() {
  const model = useModel();
  /** How many messages a sign-out would lose; asked for only then. */
  const [losing, setLosing] = createSignal(0);
  const leave = (): void => {
    const unsent = model.client.outbox.unsent;
    if (unsent > 0) setLosing(unsent);
    else void signOut();
  };
  return (
    <>
      <button type="button" class="account" popovertarget="account-menu">
        <Avatar id={model.me().id} name={model.me().display_name} />
        <span class="name">{model.me().display_name}</span>
        <span class="visually-hidden">{text.account}</span>
      </button>
      <div id="account-menu" class="menu" popover>
        <p class="who">
          {model.me().display_name} <span class="hint">@{model.me().username}</span>
        </p>
        <fieldset>
          <legend>{text.theme}</legend>
          <For each={THEMES}>
            {(choice) => (
              <label>
                <input
                  type="radio"
                  name="theme"
                  value={choice}
                  checked={theme() === choice}
                  onChange={() => setTheme(choice)}
                />
                {text.themes[choice]}
              </label>
            )}
          </For>
        </fieldset>
        <button type="button" class="button" onClick={leave}>
          {text.signOut}
        </button>
      </div>
      <Show when={losing() > 0}>
        <Dialog title={text.signOutUnsentTitle} onClose={() => setLosing(0)}>
          <p class="dialog-text">{text.signOutUnsent(losing())}</p>
          <div class="actions">
            <button type="button" class="button" onClick={() => setLosing(0)}>
              {text.cancel}
            </button>
            <button type="button" class="button danger" onClick={() => void signOut()}>
              {text.signOutAnyway}
            </button>
          </div>
        </Dialog>
      </Show>
    </>
  );
}
