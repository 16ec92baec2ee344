import X from 'lucide-solid/icons/x';
import { createEffect, createSignal, For, on, Show } from 'solid-js';
import { ApiError } from '../../core/api/http';
import { uuid } from '../../core/id';
import type { CreateConversation, User } from '../../gen/wire';
import { useModel } from '../../state/app';
import { go, pathOf } from '../../state/router';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { Dialog } from '../kit/Dialog';
import { Field } from '../kit/Field';
import { createSearch } from './search';

const LONGEST_TITLE = 120;

/** Finds people; one makes a direct conversation, several a group. */
export function NewConversation(props: { onClose: () => void }) {
  const { client, me } = useModel();
  const [query, setQuery] = createSignal('');
  const [chosen, setChosen] = createSignal<User[]>([]);
  const [title, setTitle] = createSignal('');
  const [error, setError] = createSignal<string>();
  const [titleError, setTitleError] = createSignal<string>();
  const [busy, setBusy] = createSignal(false);
  let form: HTMLFormElement | undefined;
  const search = createSearch((wanted, signal) => client.api.searchUsers(wanted, signal));
  createEffect(() => search.ask(query().trim()));

  // The same for every attempt at the same group, so that a lost answer does not make two of it.
  let groupId = uuid();
  createEffect(
    on([chosen, title], () => {
      groupId = uuid();
    }),
  );

  const found = (): User[] => {
    const taken = new Set([me().id, ...chosen().map((user) => user.id)]);
    return search.found().filter((user) => !taken.has(user.id));
  };
  const choose = (user: User): void => {
    setChosen([...chosen(), user]);
    setQuery('');
    form?.querySelector<HTMLInputElement>('[name="query"]')?.focus();
  };
  const isGroup = (): boolean => chosen().length > 1;

  const request = (): CreateConversation => {
    const participant_ids = chosen().map((user) => user.id);
    if (!isGroup()) return { kind: 'direct', participant_ids };
    const group: CreateConversation = { kind: 'group', client_id: groupId, participant_ids };
    const name = title().trim();
    return name === '' ? group : { ...group, title: name };
  };

  const start = async (): Promise<void> => {
    if (busy() || chosen().length === 0) return;
    setBusy(true);
    setError(undefined);
    setTitleError(undefined);
    try {
      const conversation = await client.api.createConversation(request());
      client.chats.added(conversation);
      go(pathOf(conversation.id));
      props.onClose();
    } catch (failure) {
      const refused = failure instanceof ApiError ? failure : undefined;
      if (refused?.field === 'title') setTitleError(refused.message);
      else setError(refused?.message ?? text.noAnswer);
      setBusy(false);
    }
  };

  return (
    <Dialog title={text.newConversation} onClose={props.onClose}>
      <form
        ref={form}
        class="new-conversation"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <Show when={chosen().length > 0}>
          <ul class="chosen" aria-label={text.chosen}>
            <For each={chosen()}>
              {(user) => (
                <li>
                  {user.display_name}
                  <button
                    type="button"
                    class="icon-button"
                    aria-label={text.removeChosen(user.display_name)}
                    onClick={() => setChosen(chosen().filter((other) => other.id !== user.id))}
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
          hint={text.findPeopleHint}
          error={search.failed() ? text.noAnswer : undefined}
          onInput={(event) => setQuery(event.currentTarget.value)}
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
        <Show when={isGroup()}>
          <Field
            label={text.groupTitle}
            note={text.optional}
            maxLength={LONGEST_TITLE}
            autocomplete="off"
            value={title()}
            error={titleError()}
            onInput={(event) => setTitle(event.currentTarget.value)}
          />
        </Show>
        <p class="error form-error" role="alert">
          {error()}
        </p>
        <div class="actions">
          <button type="button" class="button" onClick={props.onClose}>
            {text.cancel}
          </button>
          <button
            type="submit"
            class="button primary"
            aria-disabled={chosen().length === 0 || busy()}
          >
            {isGroup() ? text.startGroup : text.startDirect}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
