import { createEffect, createMemo, createSignal, For, onCleanup, onMount, Show } from 'solid-js';
import { fuzzy } from '../../core/search/fuzzy';
import type { User } from '../../gen/wire';
import { useModel } from '../../state/app';
import { go, pathOf } from '../../state/router';
import { badge, text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { createSearch } from '../people/search';

const MOST = 8;

interface Choice {
  key: string;
  avatar: string;
  title: string;
  /** Letters of the title that the query found. */
  at: number[];
  unread: number;
  note: string;
  run(): void;
}

/** Jumps to a conversation by a few letters of its name, or starts one. */
export default function Switcher(props: { onClose: () => void }) {
  const model = useModel();
  const { client } = model;
  const [query, setQuery] = createSignal('');
  const [chosen, setChosen] = createSignal(0);
  let element: HTMLDialogElement | undefined;
  let mounted = true;
  onMount(() => element?.showModal());
  onCleanup(() => {
    mounted = false;
    element?.close();
  });
  const search = createSearch((wanted, signal) => client.api.searchUsers(wanted, signal));
  createEffect(() => search.ask(query().trim()));

  const conversations = createMemo((): Choice[] => {
    const found = model.list().flatMap((id, index) => {
      const chat = model.chat(id);
      if (chat === undefined) return [];
      const title = model.titleOf(chat);
      const match = fuzzy(query(), title);
      const unread = model.reading.unread(id);
      if (match === undefined || (query() === '' && id === model.openId())) return [];
      // Unread first, then the recent ones: the list is by recency already.
      const score = match.score + (unread > 0 ? 4 : 0) - index / 50;
      const run = (): void => go(pathOf(id));
      const avatar = model.partner(chat) ?? id;
      return [{ key: id, avatar, title, at: match.at, unread, note: '', score, run }];
    });
    return found.toSorted((a, b) => b.score - a.score).slice(0, MOST);
  });
  const start = async (user: User): Promise<void> => {
    try {
      const conversation = await client.api.createConversation({
        kind: 'direct',
        participant_ids: [user.id],
      });
      client.chats.added(conversation);
      go(pathOf(conversation.id));
    } catch {
      model.toasts.notice({ text: text.noAnswer });
    }
  };
  const people = createMemo((): Choice[] => {
    const partners = new Set(
      model.list().flatMap((id) => {
        const chat = client.chats.find(id);
        return chat === undefined ? [] : (model.partner(chat) ?? []);
      }),
    );
    return search
      .found()
      .filter((user) => user.id !== model.me().id && !partners.has(user.id))
      .slice(0, MOST)
      .map((user) => ({
        key: user.id,
        avatar: user.id,
        title: user.display_name,
        at: [],
        unread: 0,
        note: text.newConversation,
        run: () => void start(user),
      }));
  });
  const choices = createMemo(() => [...conversations(), ...people()]);
  createEffect(() => {
    query();
    setChosen(0);
  });

  const take = (choice: Choice | undefined): void => {
    if (choice === undefined) return;
    props.onClose();
    choice.run();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const { length } = choices();
    if (event.key === 'ArrowDown') setChosen((chosen() + 1) % Math.max(1, length));
    else if (event.key === 'ArrowUp') setChosen((chosen() + length - 1) % Math.max(1, length));
    else if (event.key === 'Enter' && !event.isComposing) take(choices()[chosen()]);
    else return;
    event.preventDefault();
  };

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same
    <dialog
      ref={element}
      class="switcher"
      aria-label={text.switcher}
      onClose={() => {
        if (mounted) props.onClose();
      }}
      onClick={(event) => {
        if (event.target === element) props.onClose();
      }}
    >
      <input
        role="combobox"
        aria-label={text.switcher}
        aria-expanded="true"
        aria-controls="switcher-list"
        aria-activedescendant={choices().length > 0 ? `switcher-${chosen()}` : undefined}
        placeholder={text.switcherHint}
        autocomplete="off"
        autofocus
        value={query()}
        onInput={(event) => setQuery(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <div id="switcher-list" class="options" role="listbox" aria-label={text.conversations}>
        <For each={choices()}>
          {(choice, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the keys
            // biome-ignore lint/a11y/useFocusableInteractive: and the focus
            <div
              role="option"
              id={`switcher-${index()}`}
              aria-selected={chosen() === index()}
              onPointerMove={() => setChosen(index())}
              onClick={() => take(choice)}
            >
              <Avatar id={choice.avatar} name={choice.title} />
              <span class="name">
                <For each={[...choice.title]}>
                  {(letter, at) => (choice.at.includes(at()) ? <b>{letter}</b> : letter)}
                </For>
              </span>
              <span class="hint">{choice.note}</span>
              <Show when={choice.unread > 0}>
                <span class="badge">
                  {badge(choice.unread)} <span class="visually-hidden">{text.unreadWord}</span>
                </span>
              </Show>
            </div>
          )}
        </For>
      </div>
      <Show when={choices().length === 0 && search.settled()}>
        <p class="hint nobody" role="status">
          {text.nobodyHere}
        </p>
      </Show>
    </dialog>
  );
}
