import { createSignal, Match, onCleanup, Show, Switch } from 'solid-js';
import { useModel } from '../../state/app';
import { page } from '../../state/page';
import { text } from '../../strings/en';

/**
 * Says that the connection is away, once that has lasted, or that messages could not be sent; lies
 * over the list and never moves it.
 */
export function ConnectionBar() {
  const model = useModel();
  const away = (): boolean =>
    (model.troubled() || !page.networked()) && model.phase().name !== 'expired';
  const failed = (): number => {
    const id = model.openId();
    if (id !== undefined) model.chat(id);
    return model.client.outbox.failed.length;
  };
  return (
    <div class="connection" role="status">
      <Switch>
        <Match when={away() && !page.networked()}>
          <div class="connection-bar" data-kind="offline">
            {text.offline}
          </div>
        </Match>
        <Match when={away()}>
          <div class="connection-bar">
            <Waiting />
          </div>
        </Match>
        <Match when={failed() > 0}>
          <div class="connection-bar" data-kind="failed">
            {text.failedToSend(failed())}
            <button type="button" class="link" onClick={() => model.client.outbox.retryAll()}>
              {text.retryAll}
            </button>
          </div>
        </Match>
      </Switch>
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
