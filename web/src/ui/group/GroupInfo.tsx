import { createResource, createSignal, For, Show } from 'solid-js';
import type { Chat } from '../../core/sync/chat';
import type { Participant, Role, User } from '../../gen/wire';
import { useModel } from '../../state/app';
import { go } from '../../state/router';
import { text } from '../../strings/en';
import { createAttempt } from '../kit/attempt';
import { Confirm } from '../kit/Confirm';
import { Dialog } from '../kit/Dialog';
import { Field } from '../kit/Field';
import { LONGEST_TITLE, PeoplePicker } from '../people/PeoplePicker';
import { MemberRow } from './MemberRow';

/** A group: its name, who is in it, and what I may change about that. */
export default function GroupInfo(props: { chat: Chat; onClose: () => void }) {
  const model = useModel();
  const { api, chats } = model.client;
  const { id } = props.chat;
  const chat = (): Chat => model.chat(id) ?? props.chat;
  const mayManage = (): boolean => chat().meta.role !== 'member';
  const [title, setTitle] = createSignal(chat().meta.title ?? '');
  const [chosen, setChosen] = createSignal<User[]>([]);
  const [adding, setAdding] = createSignal(false);
  const [asking, setAsking] = createSignal<{ user: User | undefined }>();
  const [next, setNext] = createSignal<string | null>(null);
  const renaming = createAttempt();
  const changing = createAttempt();

  // Asked again whenever membership changes: then the log has grown.
  const [members, { mutate }] = createResource(
    () =>
      chat().meta.participant_count +
      chat()
        .meta.participants.map((p) => p.role)
        .join(''),
    async () => {
      const page = await api.participants(id);
      setNext(page.next);
      return page.items;
    },
  );
  const more = async (): Promise<void> => {
    const page = await api.participants(id, next() ?? undefined);
    mutate([...(members.latest ?? []), ...page.items]);
    setNext(page.next);
  };
  const shown = (): Participant[] => members.latest ?? chat().meta.participants;

  const rename = async (): Promise<void> => {
    const done = await renaming.run(async () => chats.added(await api.rename(id, title().trim())));
    if (done) model.toasts.notice({ text: text.saved });
  };
  const add = async (): Promise<void> => {
    const users = chosen().map((user) => user.id);
    if (users.length === 0) return;
    const done = await changing.run(async () => chats.added(await api.addParticipants(id, users)));
    if (!done) return;
    setChosen([]);
    setAdding(false);
  };
  const setRole = (user: User, role: Role): void => {
    void changing.run(async () => {
      await api.setRole(id, user.id, role);
      mutate(shown().map((m) => (m.user.id === user.id ? { ...m, role } : m)));
    });
  };
  const remove = (user: User | undefined): void => {
    void changing.run(async () => {
      await api.removeParticipant(id, (user ?? model.me()).id);
      if (user !== undefined) mutate(shown().filter((member) => member.user.id !== user.id));
      else {
        chats.remove(id);
        go('/');
      }
    });
  };

  return (
    <Dialog title={text.groupInfo} onClose={props.onClose}>
      <Show when={mayManage()} fallback={<p class="dialog-text">{model.titleOf(chat())}</p>}>
        <form
          class="form inline"
          onSubmit={(event) => {
            event.preventDefault();
            void rename();
          }}
        >
          <Field
            label={text.groupTitle}
            maxLength={LONGEST_TITLE}
            autocomplete="off"
            value={title()}
            error={renaming.errorOf('title') ?? renaming.other('title')}
            onInput={(event) => setTitle(event.currentTarget.value)}
          />
          <button
            type="submit"
            class="button"
            aria-disabled={title().trim() === '' || renaming.busy()}
          >
            {text.rename}
          </button>
        </form>
      </Show>
      <h3>
        {text.membersTitle} <span class="hint">{chat().meta.participant_count}</span>
      </h3>
      <ul class="members">
        <For each={shown()}>
          {(member) => (
            <MemberRow
              member={member}
              my={chat().meta.role}
              onRole={(role) => setRole(member.user, role)}
              onRemove={() => setAsking({ user: member.user })}
            />
          )}
        </For>
      </ul>
      <Show when={next() !== null}>
        <button type="button" class="button" onClick={() => void more()}>
          {text.loadMore}
        </button>
      </Show>
      <Show when={adding()}>
        <PeoplePicker
          chosen={chosen()}
          onChange={setChosen}
          hint={text.findMembersHint}
          without={new Set(shown().map(({ user }) => user.id))}
        />
      </Show>
      <p class="error form-error" role="alert">
        {changing.other()}
      </p>
      <div class="actions">
        <button type="button" class="button danger" onClick={() => setAsking({ user: undefined })}>
          {text.leave}
        </button>
        <span class="filler" />
        <Show when={mayManage()}>
          <Show
            when={adding()}
            fallback={
              <button type="button" class="button" onClick={() => setAdding(true)}>
                {text.addPeople}
              </button>
            }
          >
            <button
              type="button"
              class="button primary"
              aria-disabled={chosen().length === 0 || changing.busy()}
              onClick={() => void add()}
            >
              {text.addSelected}
            </button>
          </Show>
        </Show>
        <button type="button" class="button" onClick={props.onClose}>
          {text.close}
        </button>
      </div>
      <Show when={asking()} keyed>
        {({ user }) => (
          <Confirm
            title={user === undefined ? text.leaveTitle : text.removeMemberTitle}
            text={user === undefined ? text.leaveText : text.removeMemberText(user.display_name)}
            action={user === undefined ? text.leave : text.removeMember(user.display_name)}
            onConfirm={() => remove(user)}
            onClose={() => setAsking(undefined)}
          />
        )}
      </Show>
    </Dialog>
  );
}
