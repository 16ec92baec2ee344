import { Show } from 'solid-js';
import type { PresenceStatus } from '../../gen/wire';

const HUES = 12;

/** The same hue for the same id, on every device. */
function hueOf(id: string): number {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + char.charCodeAt(0)) % 9973;
  return hash % HUES;
}

const initials = (name: string): string =>
  name
    .split(/\s+/)
    .map((word) => [...word][0] ?? '')
    .filter((letter) => /[\p{L}\p{N}]/u.test(letter))
    .filter((_, index, letters) => index === 0 || index === letters.length - 1)
    .join('')
    .toLocaleUpperCase();

/** Decoration: the name stands beside it. */
export function Avatar(props: { id: string; name: string; status?: PresenceStatus | undefined }) {
  return (
    <span class="avatar" data-hue={hueOf(props.id)} aria-hidden="true">
      {initials(props.name)}
      <Show when={props.status !== undefined && props.status !== 'unknown'}>
        <span class="dot" data-status={props.status} />
      </Show>
    </span>
  );
}
