import X from 'lucide-solid/icons/x';
import { createEffect, createSignal, For, Show } from 'solid-js';
import type { User } from '../../gen/wire';
import { useModel } from '../../state/app';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { Field } from '../kit/Field';
import { createSearch } from './search';

export const LONGEST_TITLE = 120;

interface PeoplePickerProps {
  chosen: User[];
  onChange(chosen: User[]): void;
  hint: string;
  /** Who cannot be chosen, because they are there already. */
  without: ReadonlySet<string>;
}

/** Finds people by name and collects them. */
export function PeoplePicker(props: PeoplePickerProps) {
  const { client } = useModel();
  const [query, setQuery] = createSignal('');
  let element: HTMLDivElement | undefined;
  const search = createSearch((wanted, signal) => client.api.searchUsers(wanted, signal));
  createEffect(() => search.ask(query().trim()));

  const found = (): User[] => {
    const chosen = new Set(props.chosen.map((user) => user.id));
    return search.found().filter(({ id }) => !props.without.has(id) && !chosen.has(id));
  };
  const choose = (user: User): void => {
    props.onChange([...props.chosen, user]);
    setQuery('');
    element?.querySelector<HTMLInputElement>('[name="query"]')?.focus();
  };

  return (
    <div class="picker" ref={element}>
      <Show when={props.chosen.length > 0}>
        <ul class="chosen" aria-label={text.chosen}>
          <For each={props.chosen}>
            {(user) => (
              <li>
                {user.display_name}
                <button
                  type="button"
                  class="icon-button"
                  aria-label={text.removeChosen(user.display_name)}
                  onClick={() => props.onChange(props.chosen.filter(({ id }) => id !== user.id))}
                >
                  <X size={14} />
                </button>
              </li>
            )}
          </For>
        </ul>
      </Show>
      <Field
        label={text.findPeople}
        name="query"
        autocomplete="off"
        autofocus
        value={query()}
        hint={props.hint}
        error={search.failed() ? text.noAnswer : undefined}
        onInput={(event) => setQuery(event.currentTarget.value)}
        onKeyDown={(event) => {
          const [first] = found();
          // Enter takes the first one found; without a name it is the form's.
          if (event.key !== 'Enter' || query().trim() === '') return;
          event.preventDefault();
          if (first !== undefined) choose(first);
        }}
      />
      <div class="found" aria-live="polite">
        <Show when={search.settled() && query().trim() !== '' && found().length === 0}>
          <p class="hint">{text.nobodyFound}</p>
        </Show>
        <ul aria-label={text.results}>
          <For each={found()}>
            {(user) => (
              <li>
                <button type="button" onClick={() => choose(user)}>
                  <Avatar id={user.id} name={user.display_name} />
                  <span class="name">{user.display_name}</span>
                  <span class="hint">@{user.username}</span>
                </button>
              </li>
            )}
          </For>
        </ul>
      </div>
    </div>
  );
}
