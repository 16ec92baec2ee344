import { For, Show } from 'solid-js';
import type { Chat } from '../../core/sync/chat';
import { timeOf } from '../../core/time/format';
import { useModel } from '../../state/app';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';

const MOST = 3;
let count = 0;

/** Who has read up to here; a click lists them with their times. */
export function Readers(props: { users: string[]; chat: Chat }) {
  const model = useModel();
  count += 1;
  const id = `readers-${count}`;
  const at = (user: string): string => {
    const time = props.chat.marks.get(user)?.at ?? null;
    return time === null ? '' : timeOf(time);
  };
  return (
    <>
      <button type="button" class="readers" tabindex="-1" popovertarget={id}>
        <span class="visually-hidden">{text.seenBy(props.users.map(model.nameOf))}</span>
        <For each={props.users.slice(0, MOST)}>
          {(user) => <Avatar id={user} name={model.nameOf(user)} />}
        </For>
        <Show when={props.users.length > MOST}>
          <span class="meta" aria-hidden="true">
            +{props.users.length - MOST}
          </span>
        </Show>
      </button>
      <div id={id} class="menu readers-list" popover="auto">
        <p class="hint">{text.seenByTitle}</p>
        <ul>
          <For each={props.users}>
            {(user) => (
              <li>
                <Avatar id={user} name={model.nameOf(user)} />
                <span class="name">{model.nameOf(user)}</span>
                <span class="hint">{at(user)}</span>
              </li>
            )}
          </For>
        </ul>
      </div>
    </>
  );
}
