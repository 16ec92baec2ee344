import { For } from 'solid-js';
import { type Action, capsOf } from '../keys/keymap';

/** The key caps of an action. */
export function Kbd(props: { action: Action }) {
  return (
    <span class="keys">
      <For each={capsOf(props.action)}>{(cap) => <kbd>{cap}</kbd>}</For>
    </span>
  );
}
