import SendHorizontal from 'lucide-solid/icons/send-horizontal';
import X from 'lucide-solid/icons/x';
import {
  createEffect,
  createSignal,
  createUniqueId,
  For,
  on,
  onCleanup,
  onMount,
  Show,
} from 'solid-js';
import { NoAnswer } from '../../core/api/http';
import { lengthOf, MOST_CHARACTERS, sendable } from '../../core/text/limits';
import { preview } from '../../core/text/markup';
import { useModel } from '../../state/app';
import { page } from '../../state/page';
import { text } from '../../strings/en';
import type { TimelineView } from '../chat/timelineView';
import { IconButton } from '../kit/IconButton';
import { createEmojiList } from './emojiList';
import { enterSends, meansSend } from './sendKey';

/** The browser measures the field itself, without a layout of the whole page for it. */
const SIZES_ITSELF = CSS.supports('field-sizing', 'content');

/** From here on the composer says how much room is left. */
const WARN_AT = 200;

interface ComposerProps {
  view: TimelineView;
  title: string;
}

/** Where messages are written, answered and changed. */
export function Composer(props: ComposerProps) {
  const model = useModel();
  const { client, drafts } = model;
  const { view } = props;
  const { id } = view.chat();
  const countId = createUniqueId();
  const listId = createUniqueId();
  /** The text of a change under way; the draft waits behind it. */
  const [change, setChange] = createSignal('');
  const [error, setError] = createSignal<string>();
  let area: HTMLTextAreaElement | undefined;

  const editing = () => {
    const current = model.editing();
    return current?.conversation === id ? current : undefined;
  };
  const value = (): string => (editing() === undefined ? drafts.of(id).text : change());
  const reply = (): number | undefined => drafts.of(id).reply;
  const left = (): number => MOST_CHARACTERS - lengthOf(value());
  const body = (): string | undefined => sendable(value());

  const emoji = createEmojiList((from, to, sign) => {
    if (area === undefined) return;
    area.setRangeText(sign, from, to, 'end');
    write(area.value, area.selectionStart);
    area.focus();
  });

  const grow = (): void => {
    if (area === undefined || SIZES_ITSELF) return;
    area.style.height = 'auto';
    area.style.height = `${area.scrollHeight}px`;
  };
  // Toasts stand above it, however high it is.
  const resized = new ResizeObserver(([entry]) => {
    const height = entry?.borderBoxSize[0]?.blockSize ?? 0;
    area?.closest<HTMLElement>('.shell')?.style.setProperty('--composer', `${height}px`);
  });
  onCleanup(() => resized.disconnect());
  /** Puts a text into the field that was not typed there. */
  const put = (next: string, caret: number): void => {
    if (area === undefined || area.value === next) return;
    area.value = next;
    area.setSelectionRange(caret, caret);
  };
  createEffect(() => {
    // What another tab writes never appears under the caret.
    const typing = document.activeElement === area && page.focused();
    const { text: next, caret } = drafts.of(id);
    if (editing() === undefined && !typing) put(next, caret);
    grow();
  });
  createEffect(
    on(editing, (current, before) => {
      setError(undefined);
      if (current === undefined) {
        const draft = drafts.of(id);
        if (before !== undefined) put(draft.text, draft.caret);
      } else {
        setChange(current.body);
        put(current.body, current.body.length);
      }
      grow();
    }),
  );
  onMount(() => {
    if (area?.form) resized.observe(area.form);
    // A touch keyboard that opens by itself would cover what there is to read.
    if (!matchMedia('(pointer: coarse)').matches) area?.focus({ preventScroll: true });
  });
  onCleanup(() => client.typingSignal.stop());

  const write = (next: string, caret: number): void => {
    if (editing() !== undefined) {
      setChange(next);
    } else {
      drafts.write(id, { ...drafts.of(id), text: next, caret });
      if (next === '') client.typingSignal.stop();
      else client.typingSignal.typed(id);
    }
    emoji.look(next, caret);
    grow();
  };

  const save = async (seq: number, words: string): Promise<void> => {
    try {
      await client.api.edit(id, seq, words);
      if (editing()?.seq === seq) model.setEditing(undefined);
    } catch (failure) {
      setError(failure instanceof NoAnswer ? text.noAnswer : (failure as Error).message);
    }
  };
  /** Always true: the key was meant for this, whether or not there is anything to send. */
  const send = (): true => {
    const words = body();
    const current = editing();
    if (words === undefined) return true;
    if (current === undefined) {
      // In the outbox before it leaves the composer: nothing typed is ever in neither.
      drafts.handOver(id, client.send(id, words, reply()));
      put('', 0);
      grow();
      view.toEnd();
      area?.focus();
    } else if (words === current.body) model.setEditing(undefined);
    else void save(current.seq, words);
    return true;
  };

  const cancel = (): boolean => {
    if (editing() !== undefined) model.setEditing(undefined);
    else if (reply() !== undefined) {
      const { text: kept, caret } = drafts.of(id);
      drafts.write(id, { text: kept, caret });
    } else return false;
    return true;
  };
  const editLast = (): boolean => {
    const { timeline } = view.chat();
    const mine = timeline?.messages.findLast(
      (message) => message.sender_id === model.me().id && message.body !== null,
    );
    if (mine === undefined || mine.body === null) return false;
    model.setEditing({ conversation: id, seq: mine.seq, body: mine.body });
    return true;
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const { key } = event;
    const alone = !(event.altKey || event.shiftKey || event.ctrlKey || event.metaKey);
    const handled =
      emoji.key(key) ||
      (meansSend(event) && send()) ||
      (key === 'Escape' && alone && cancel()) ||
      (key === 'ArrowUp' && alone && value() === '' && editing() === undefined && editLast());
    if (handled) {
      event.preventDefault();
      event.stopPropagation();
    }
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Show when={editing() !== undefined || reply() !== undefined}>
        <Banner view={view} reply={editing() === undefined ? reply() : undefined} cancel={cancel} />
      </Show>
      <div class="composer-box">
        <Show when={emoji.found().length > 0}>
          <div class="emoji-list" role="listbox" id={listId} aria-label={text.emoji}>
            <For each={emoji.found()}>
              {(item, index) => (
                // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field
                <div
                  role="option"
                  id={`${listId}-${index()}`}
                  aria-selected={emoji.chosen() === index()}
                  onPointerDown={(event) => {
                    event.preventDefault();
                    emoji.take(index());
                  }}
                >
                  <span aria-hidden="true">{item.sign}</span> :{item.name}:
                </div>
              )}
            </For>
          </div>
        </Show>
        <textarea
          ref={area}
          rows={1}
          enterkeyhint={enterSends() ? 'send' : 'enter'}
          aria-label={editing() === undefined ? text.composer(props.title) : text.editingMessage}
          placeholder={text.composer(props.title)}
          aria-invalid={left() < 0 || error() !== undefined ? 'true' : undefined}
          aria-describedby={left() <= WARN_AT || error() !== undefined ? countId : undefined}
          aria-controls={emoji.found().length > 0 ? listId : undefined}
          aria-activedescendant={
            emoji.found().length > 0 ? `${listId}-${emoji.chosen()}` : undefined
          }
          onInput={({ currentTarget }) => write(currentTarget.value, currentTarget.selectionStart)}
          onKeyDown={onKeyDown}
          onBlur={() => {
            client.typingSignal.stop();
            emoji.close();
          }}
        />
        <IconButton
          label={editing() === undefined ? text.send : text.saveEdit}
          type="submit"
          aria-disabled={body() === undefined}
        >
          <SendHorizontal size={16} strokeWidth={1.75} />
        </IconButton>
      </div>
      <p
        class="count"
        classList={{ error: left() < 0 || error() !== undefined }}
        id={countId}
        role="status"
      >
        {error() ??
          (left() < 0 ? text.tooLong(-left()) : left() <= WARN_AT ? text.left(left()) : '')}
      </p>
    </form>
  );
}

/** Says what is being answered or changed, and ends it. */
function Banner(props: { view: TimelineView; reply: number | undefined; cancel: () => void }) {
  const model = useModel();
  const original = () =>
    props.reply === undefined ? undefined : props.view.chat().timeline?.find(props.reply);
  const title = (): string => {
    if (props.reply === undefined) return text.editingMessage;
    const sender = original()?.sender_id;
    return text.replyingTo(sender === undefined ? text.earlier : model.nameOf(sender));
  };
  return (
    <p class="banner">
      <span class="name">{title()}</span>
      <span class="quoted">{preview(original()?.body ?? '')}</span>
      <IconButton
        label={props.reply === undefined ? text.cancelEdit : text.cancelReply}
        onClick={() => props.cancel()}
      >
        <X size={14} strokeWidth={1.75} />
      </IconButton>
    </p>
  );
}
