import Check from 'lucide-solid/icons/check';
import Clock from 'lucide-solid/icons/clock';
import CornerUpLeft from 'lucide-solid/icons/corner-up-left';
import Ellipsis from 'lucide-solid/icons/ellipsis';
import Pencil from 'lucide-solid/icons/pencil';
import { Show } from 'solid-js';
import { preview } from '../../core/text/markup';
import { timeOf } from '../../core/time/format';
import type { MessageRow, Quote } from '../../core/timeline/rows';
import { useModel } from '../../state/app';
import { text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';
import { IconButton } from '../kit/IconButton';
import { Markup } from './Markup';
import { Readers } from './Readers';
import { type RowContext, Time } from './RowView';
import { actionsOf } from './rowActions';

/** A touch that stays for this long asks for the actions… */
const LONG_PRESS_MS = 500;
/** …and no finger stays nearer than this. */
const STEADY_PX = 10;

export function MessageView(props: { row: MessageRow; context: RowContext }) {
  const model = useModel();
  const row = (): MessageRow => props.row;
  const name = (): string => model.nameOf(row().sender);
  let element: HTMLLIElement | undefined;
  let press: ReturnType<typeof setTimeout> | undefined;
  let pressed = { x: 0, y: 0 };

  const state = (): string => {
    if (row().state !== 'none') return waitingText(model.client.live, row().state);
    const seenAt = row().seenAt;
    return seenAt === undefined ? '' : text.seen(seenAt === '' ? '' : timeOf(seenAt));
  };
  /** Sender, text, then time and state. */
  const label = (): string =>
    [
      `${name()}: ${row().body ?? text.deleted}`,
      timeOf(row().at),
      row().edited ? text.edited : '',
      state(),
    ]
      .filter((part) => part !== '')
      .join(', ');

  return (
    <li
      ref={element}
      class="message"
      classList={{
        first: row().first,
        own: row().own,
        failed: row().state === 'failed',
        marked: props.context.view.marked() === row().key,
      }}
      data-key={row().key}
      data-row=""
      data-seq={row().seq}
      aria-label={label()}
      tabindex={props.context.current() === row().key ? 0 : -1}
      onPointerDown={(event) => {
        const { pointerType, clientX: x, clientY: y } = event;
        if (pointerType !== 'touch') return;
        pressed = { x, y };
        press = setTimeout(() => {
          if (element !== undefined) props.context.openMenu(row(), element, { x, y, held: true });
        }, LONG_PRESS_MS);
      }}
      onPointerUp={() => clearTimeout(press)}
      onPointerMove={({ clientX, clientY }) => {
        if (Math.hypot(clientX - pressed.x, clientY - pressed.y) > STEADY_PX) clearTimeout(press);
      }}
      onPointerCancel={() => clearTimeout(press)}
    >
      <Show
        when={row().first}
        fallback={
          <span class="gutter">
            <Time at={row().at} />
          </span>
        }
      >
        <Avatar id={row().sender} name={name()} />
        <p class="head">
          <span class="name">{name()}</span> <Time at={row().at} />
        </p>
      </Show>
      <div class="body">
        <Show when={row().quote}>
          {(quote) => <QuoteView quote={quote()} context={props.context} />}
        </Show>
        <Show when={row().body} fallback={<p class="deleted">{text.deleted}</p>}>
          {(body) => <Markup text={body()} />}
        </Show>
        <Show when={row().edited}>
          <span class="meta edited">{text.edited}</span>
        </Show>
        <Show when={row().state === 'failed'}>
          <Failed row={row()} />
        </Show>
      </div>
      <span class="receipt">
        <Show when={row().state === 'waiting'}>
          <Clock
            size={14}
            strokeWidth={1.75}
            aria-label={waitingText(model.client.live, 'waiting')}
          />
        </Show>
        <Show when={row().state === 'sent'}>
          <Check size={14} strokeWidth={1.75} aria-label={text.sent} />
        </Show>
        <Show when={row().seenAt !== undefined}>
          <span class="meta">{state()}</span>
        </Show>
        <Show when={row().readers.length > 0}>
          <Readers users={row().readers} chat={props.context.view.chat()} />
        </Show>
      </span>
      <Show when={props.context.active() === row().key && row().body !== null && row().seq}>
        <RowBar row={row()} context={props.context} />
      </Show>
    </li>
  );
}

const waitingText = (live: boolean, state: MessageRow['state']): string => {
  if (state === 'waiting') return live ? text.waiting : text.waitingForConnection;
  return { failed: text.notSent, sent: text.sent, none: '' }[state];
};

/** What a pointer finds at the row; the keyboard has the menu. */
function RowBar(props: { row: MessageRow; context: RowContext }) {
  const model = useModel();
  const actions = () => actionsOf(model, props.context.view, props.row);
  return (
    <span class="row-bar">
      <Show when={actions().reply}>
        {(run) => (
          <IconButton label={text.reply} tabindex="-1" onClick={() => run()()}>
            <CornerUpLeft size={16} strokeWidth={1.75} />
          </IconButton>
        )}
      </Show>
      <Show when={actions().edit}>
        {(run) => (
          <IconButton label={text.edit} tabindex="-1" onClick={() => run()()}>
            <Pencil size={16} strokeWidth={1.75} />
          </IconButton>
        )}
      </Show>
      <IconButton
        label={text.more}
        tabindex="-1"
        aria-haspopup="menu"
        onClick={(event) => {
          const { left: x, bottom: y } = event.currentTarget.getBoundingClientRect();
          const row = event.currentTarget.closest('li');
          if (row !== null) props.context.openMenu(props.row, row, { x, y });
        }}
      >
        <Ellipsis size={16} strokeWidth={1.75} />
      </IconButton>
    </span>
  );
}

function QuoteView(props: { quote: Quote; context: RowContext }) {
  const model = useModel();
  const sender = (): string =>
    props.quote.sender === undefined ? text.earlier : model.nameOf(props.quote.sender);
  const words = (): string => {
    const { body } = props.quote;
    if (body === undefined) return '';
    return body === null ? text.deleted : preview(body);
  };
  return (
    <button
      type="button"
      class="quote"
      tabindex="-1"
      title={text.toOriginal(sender())}
      onClick={() => props.context.view.jumpTo(props.quote.seq)}
    >
      <span class="name">{sender()}</span> <span class="quoted">{words()}</span>
    </button>
  );
}

function Failed(props: { row: MessageRow }) {
  const { outbox } = useModel().client;
  const id = (): string => props.row.clientMessageId ?? '';
  return (
    <p class="error">
      {text.notSent}: {props.row.refused}{' '}
      <button type="button" class="link" onClick={() => outbox.retry(id())}>
        {text.retry}
      </button>{' '}
      <button type="button" class="link" onClick={() => outbox.discard(id())}>
        {text.discard}
      </button>
    </p>
  );
}
