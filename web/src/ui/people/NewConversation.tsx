import { createEffect, createSignal, on, Show } from 'solid-js';
import { ApiError } from '../../core/api/http';
import { uuid } from '../../core/id';
import type { CreateConversation, User } from '../../gen/wire';
import { useModel } from '../../state/app';
import { go, pathOf } from '../../state/router';
import { text } from '../../strings/en';
import { Dialog } from '../kit/Dialog';
import { Field } from '../kit/Field';
import { LONGEST_TITLE, PeoplePicker } from './PeoplePicker';

/** One person makes a direct conversation, several a group. */
export default function NewConversation(props: { onClose: () => void }) {
  const { client, me } = useModel();
  const [chosen, setChosen] = createSignal<User[]>([]);
  const [title, setTitle] = createSignal('');
  const [error, setError] = createSignal<string>();
  const [titleError, setTitleError] = createSignal<string>();
  const [busy, setBusy] = createSignal(false);
  const isGroup = (): boolean => chosen().length > 1;

  // The same for every attempt at the same group, so that a lost answer does not make two of it.
  let groupId = uuid();
  createEffect(
    on([chosen, title], () => {
      groupId = uuid();
    }),
  );

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
        class="form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <PeoplePicker
          chosen={chosen()}
          onChange={setChosen}
          hint={text.findPeopleHint}
          without={new Set([me().id])}
        />
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
