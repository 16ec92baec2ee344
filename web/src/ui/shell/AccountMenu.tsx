import { createSignal, Show } from 'solid-js';
import { signOut, useModel } from '../../state/app';
import { setOverlay } from '../../state/overlay';
import { go } from '../../state/router';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { Confirm } from '../kit/Confirm';
import { Menu } from '../kit/Menu';

/** Who I am, and the ways to settings and out. */
export function AccountMenu() {
  const model = useModel();
  const [menu, setMenu] = createSignal<HTMLElement>();
  /** How many messages a sign-out would lose; asked for only then. */
  const [losing, setLosing] = createSignal(0);
  const leave = (): void => {
    const unsent = model.client.outbox.unsent;
    if (unsent > 0) setLosing(unsent);
    else void signOut();
  };
  const own = () => (model.client.live || !model.troubled() ? 'online' : undefined);
  return (
    <>
      <button
        type="button"
        class="account"
        aria-label={`${text.account}: ${model.me().display_name}`}
        aria-haspopup="menu"
        title={model.me().display_name}
        onClick={(event) => setMenu(event.currentTarget)}
      >
        <Avatar id={model.me().id} name={model.me().display_name} status={own()} />
      </button>
      <Show when={menu()}>
        {(anchor) => (
          <Menu
            label={`${model.me().display_name} @${model.me().username}`}
            anchor={anchor()}
            items={[
              { label: text.settings, run: () => go('/settings') },
              { label: text.shortcuts, run: () => setOverlay('shortcuts') },
              { label: text.signOut, run: leave },
            ]}
            onClose={() => setMenu(undefined)}
          />
        )}
      </Show>
      <Show when={losing() > 0}>
        <Confirm
          title={text.signOutUnsentTitle}
          text={text.signOutUnsent(losing())}
          action={text.signOutAnyway}
          onConfirm={() => void signOut()}
          onClose={() => setLosing(0)}
        />
      </Show>
    </>
  );
}
