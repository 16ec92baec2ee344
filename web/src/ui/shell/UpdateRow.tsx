import { Show } from 'solid-js';
import { updateReady } from '../../state/update';
import { text } from '../../strings/en';

/** A newer build is there; when to take it is the reader's choice. */
export function UpdateRow() {
  return (
    <Show when={updateReady()}>
      <p class="update" role="status">
        {text.updateReady}
        <button type="button" class="link" onClick={() => location.reload()}>
          {text.reload}
        </button>
      </p>
    </Show>
  );
}
