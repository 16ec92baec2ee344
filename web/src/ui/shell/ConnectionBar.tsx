import { createSignal, onCleanup, Show } from 'solid-js';
import { useModel } from '../../state/app';
import { page } from '../../state/page';
import { text } from '../../strings/en';

/** Says that the connection is away, once that has lasted; lies over the list and never moves it. */
export function ConnectionBar() {
  const model = useModel();
  return (
    <div class="connection" role="status">
      <Show when={model.troubled() && model.phase().name !== 'expired'}>
        <div class="connection-bar" data-offline={!page.networked()}>
          <Show when={page.networked()} fallback={text.offline}>
            <Waiting />
          </Show>
        </div>
      </Show>
    </div>
  );
}

function Waiting() {
  const model = useModel();
  const [now, setNow] = createSignal(Date.now());
  const ticking = setInterval(() => setNow(Date.now()), 500);
  onCleanup(() => clearInterval(ticking));
  const seconds = (): number => {
    const phase = model.phase();
    return phase.name === 'waiting' ? Math.max(0, Math.ceil((phase.until - now()) / 1000)) : 0;
  };
  return (
    <Show when={seconds() > 0} fallback={text.connecting}>
      <span aria-hidden="true">{text.reconnecting(seconds())}</span>
      <button type="button" class="link" onClick={() => model.client.session.nudge()}>
        {text.retryNow}
      </button>
    </Show>
  );
}
