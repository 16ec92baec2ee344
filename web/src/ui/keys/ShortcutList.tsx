import { For } from 'solid-js';
import { text } from '../../strings/en';
import { Kbd } from '../kit/Kbd';
import { ACTIONS } from './keymap';

export function ShortcutList() {
  return (
    <dl class="shortcuts">
      <For each={ACTIONS}>
        {(action) => (
          <div>
            <dt>{text.keyNames[action]}</dt>
            <dd>
              <Kbd action={action} />
            </dd>
          </div>
        )}
      </For>
      <For each={text.otherKeys}>
        {([keys, what]) => (
          <div>
            <dt>{what}</dt>
            <dd class="keys">
              <For each={keys?.split(' ')}>{(key) => <kbd>{key}</kbd>}</For>
            </dd>
          </div>
        )}
      </For>
    </dl>
  );
}
