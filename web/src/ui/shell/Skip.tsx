import { For } from 'solid-js';
import { text } from '../../strings/en';
import { focusRegion } from '../keys/regions';

const PLACES = [
  ['.sidebar-list', text.skipToList],
  ['#messages', text.skipToMessages],
  ['.composer', text.skipToComposer],
] as const;

/** For who walks by Tab: straight to a part of the page. */
export function Skip() {
  return (
    <div class="skip">
      <For each={PLACES}>
        {([place, label]) => (
          <button type="button" class="button" onClick={() => focusRegion(place)}>
            {label}
          </button>
        )}
      </For>
    </div>
  );
}
