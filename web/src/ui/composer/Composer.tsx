import SendHorizontal from 'lucide-solid/icons/send-horizontal';
import { createEffect, createSignal, createUniqueId, onCleanup, onMount, Show } from 'solid-js';
import { lengthOf, MOST_CHARACTERS, sendable } from '../../core/text';
import { useModel } from '../../state/app';
import { drafts } from '../../storage/account';
import { text } from '../../strings/en';
import { IconButton } from '../kit/IconButton';

/** From here on the composer says how much room is left. */
const WARN_AT = 200;
/** What some browsers report for a key that belongs to an input method. */
const IME_KEY_CODE = 229;

interface ComposerProps {
  conversation: string;
  title: string;
  onSent(): void;
}

export function Composer(props: ComposerProps) {
  const { client, me } = useModel();
  const user = me().id;
  const { conversation } = props;
  const countId = createUniqueId();
  const [draft, setDraft] = createSignal(drafts.get(user, conversation));
  let area: HTMLTextAreaElement | undefined;

  const left = (): number => MOST_CHARACTERS - lengthOf(draft());
  const body = (): string | undefined => sendable(draft());

  const grow = (): void => {
    if (area === undefined) return;
    area.style.height = 'auto';
    area.style.height = `${area.scrollHeight}px`;
  };
  createEffect(() => {
    draft();
    grow();
  });
  onMount(() => {
    // A touch keyboard that opens by itself would cover what there is to read.
    if (!matchMedia('(pointer: coarse)').matches) area?.focus({ preventScroll: true });
  });
  onCleanup(() => client.typingSignal.stop());

  const write = (value: string): void => {
    setDraft(value);
    drafts.set(user, conversation, value);
    if (value === '') client.typingSignal.stop();
    else client.typingSignal.typed(conversation);
  };

  const send = (): void => {
    const message = body();
    if (message === undefined) return;
    // In the outbox before it leaves the composer: nothing typed is ever in neither.
    client.send(conversation, message);
    setDraft('');
    drafts.set(user, conversation, '');
    props.onSent();
    area?.focus();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey) return;
    if (event.isComposing || event.keyCode === IME_KEY_CODE) return;
    if (matchMedia('(pointer: coarse)').matches) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="composer-box">
        <textarea
          ref={area}
          rows={1}
          value={draft()}
          aria-label={text.composer(props.title)}
          placeholder={text.composer(props.title)}
          aria-invalid={left() < 0 ? 'true' : undefined}
          aria-describedby={left() <= WARN_AT ? countId : undefined}
          onInput={(event) => write(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          onBlur={() => client.typingSignal.stop()}
        />
        <IconButton label={text.send} type="submit" aria-disabled={body() === undefined}>
          <SendHorizontal size={16} strokeWidth={1.75} />
        </IconButton>
      </div>
      <Show when={left() <= WARN_AT}>
        <p class="count" classList={{ error: left() < 0 }} id={countId} role="status">
          {left() < 0 ? text.tooLong(-left()) : text.left(left())}
        </p>
      </Show>
    </form>
  );
}
