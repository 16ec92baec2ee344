import Check from 'lucide-solid/icons/check';
import Clock from 'lucide-solid/icons/clock';
import { type Accessor, createMemo, Match, Show, Switch } from 'solid-js';
import type { Chat } from '../../core/sync/chat';
import { dayOf, fullDate, timeOf } from '../../core/time/format';
import type { MessageRow, Row } from '../../core/timeline/rows';
import { useModel } from '../../state/app';
import { systemText, text } from '../../strings/en';
import { Avatar } from '../kit/Avatar';

type Kind<K extends Row['kind']> = Extract<Row, { kind: K }>;

/** One row, found by its key: the element stays while the message behind it changes. */
export function RowView(props: { rowKey: string; rows: Accessor<Map<string, Row>>; chat: Chat }) {
  const row = createMemo<Row | undefined>((last) => props.rows().get(props.rowKey) ?? last);
  const of = <K extends Row['kind']>(kind: K): Kind<K> | undefined => {
    const current = row();
    return current?.kind === kind ? (current as Kind<K>) : undefined;
  };
  return (
    <Switch>
      <Match when={of('message')}>{(message) => <Message row={message()} />}</Match>
      <Match when={of('system')}>{(system) => <System row={system()} />}</Match>
      <Match when={of('day')}>
        {(day) => (
          <li class="divider">
            <time datetime={day().at}>{dayOf(day().at, Date.now())}</time>
          </li>
        )}
      </Match>
      <Match when={of('new')}>
        <li class="divider new" data-row="new">
          {text.newDivider}
        </li>
      </Match>
      <Match when={of('start')}>
        <Start chat={props.chat} />
      </Match>
    </Switch>
  );
}

function Start(props: { chat: Chat }) {
  const model = useModel();
  const spoken = createMemo(
    () =>
      model.chat(props.chat.id)?.timeline?.messages.some(({ kind }) => kind === 'text') === true,
  );
  const partner = (): string | undefined => model.partner(props.chat);
  return (
    <li class="start">
      <Show when={spoken() ? undefined : partner()} fallback={text.beginning}>
        {(id) => text.sayHello(model.nameOf(id()))}
      </Show>
    </li>
  );
}

function System(props: { row: Kind<'system'> }) {
  const model = useModel();
  const isMe = (id: string): boolean => id === model.me().id;
  const actor = (id: string): string => (isMe(id) ? text.you : model.nameOf(id));
  const object = (id: string): string => (isMe(id) ? text.yourself : model.nameOf(id));
  return (
    <li class="system">
      {systemText(props.row.system, actor(props.row.sender), object)} <Time at={props.row.at} />
    </li>
  );
}

function Time(props: { at: string }) {
  return (
    <time datetime={props.at} title={fullDate(props.at)}>
      {timeOf(props.at)}
    </time>
  );
}

function Message(props: { row: MessageRow }) {
  const model = useModel();
  const row = (): MessageRow => props.row;
  const name = (): string => model.nameOf(row().sender);
  return (
    <li
      class="message"
      classList={{ first: row().first, own: row().own, failed: row().state === 'failed' }}
    >
      <Show
        when={row().first}
        fallback={
          <>
            <span class="visually-hidden">{name()}</span>
            <span class="gutter">
              <Time at={row().at} />
            </span>
          </>
        }
      >
        <Avatar id={row().sender} name={name()} />
        <p class="head">
          <span class="name">{name()}</span> <Time at={row().at} />
        </p>
      </Show>
      <div class="body">
        <Show when={row().body !== null} fallback={<p class="deleted">{text.deleted}</p>}>
          <p class="words" dir="auto">
            {row().body}
          </p>
        </Show>
        <Show when={row().edited}>
          <span class="meta"> {text.edited}</span>
        </Show>
        <Show when={row().seenAt}>
          {(at) => <p class="meta">{text.seen(at() === '' ? '' : timeOf(at()))}</p>}
        </Show>
        <Show when={row().state === 'failed'}>
          <Failed row={row()} />
        </Show>
      </div>
      <span class="receipt">
        <Show when={row().state === 'waiting'}>
          <Clock size={14} aria-label={text.waiting} />
        </Show>
        <Show when={row().state === 'sent'}>
          <Check size={14} aria-label={text.sent} />
        </Show>
      </span>
    </li>
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
