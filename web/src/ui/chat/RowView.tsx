import { type Accessor, createMemo, Match, Switch } from 'solid-js';
import { dayOf, fullDate, timeOf } from '../../core/time/format';
import type { Row } from '../../core/timeline/rows';
import { useModel } from '../../state/app';
import { systemText, text } from '../../strings/en';
import type { MenuPlace } from '../kit/Menu';
import { MessageView } from './MessageView';
import type { TimelineView } from './timelineView';

export type Kind<K extends Row['kind']> = Extract<Row, { kind: K }>;

export interface RowContext {
  view: TimelineView;
  /** The row that the keyboard, or the pointer, is at. */
  current: Accessor<string | undefined>;
  active: Accessor<string | undefined>;
  openMenu(row: Kind<'message'>, anchor: HTMLElement, at?: MenuPlace): void;
}

/** One row, found by its key: the element stays while the message behind it changes. */
export function RowView(props: {
  rowKey: string;
  rows: Accessor<Map<string, Row>>;
  context: RowContext;
}) {
  const row = createMemo<Row | undefined>((last) => props.rows().get(props.rowKey) ?? last);
  const of = <K extends Row['kind']>(kind: K): Kind<K> | undefined => {
    const current = row();
    return current?.kind === kind ? (current as Kind<K>) : undefined;
  };
  return (
    <Switch>
      <Match when={of('message')}>
        {(message) => <MessageView row={message()} context={props.context} />}
      </Match>
      <Match when={of('system')}>
        {(system) => <System row={system()} context={props.context} />}
      </Match>
      <Match when={of('day')}>
        {(day) => (
          <li class="divider" data-key={props.rowKey} data-day={day().at}>
            <time datetime={day().at}>{dayOf(day().at, Date.now())}</time>
          </li>
        )}
      </Match>
      <Match when={of('new')}>
        <li class="divider new" data-key="new">
          {text.newDivider}
        </li>
      </Match>
      <Match when={of('gap')}>{(gap) => <Gap row={gap()} context={props.context} />}</Match>
      <Match when={of('start')}>
        <Start context={props.context} />
      </Match>
    </Switch>
  );
}

function Gap(props: { row: Kind<'gap'>; context: RowContext }) {
  const { client } = useModel();
  const chat = () => props.context.view.chat();
  const state = () => client.pages.gap(chat(), props.row.gap);
  return (
    <li class="gap" data-key={props.row.key}>
      <button
        type="button"
        class="button"
        onClick={() => client.pages.fill(chat(), props.row.gap, 'below')}
      >
        {state() === 'failed' ? text.gapFailed : text.gap}
      </button>
    </li>
  );
}

function Start(props: { context: RowContext }) {
  const model = useModel();
  const spoken = createMemo(
    () => props.context.view.chat().timeline?.messages.some(({ kind }) => kind === 'text') === true,
  );
  const greeting = (): string => {
    const other = model.partner(props.context.view.chat());
    return spoken() || other === undefined ? text.beginning : text.sayHello(model.nameOf(other));
  };
  return (
    <li class="start" data-key="start">
      {greeting()}
    </li>
  );
}

function System(props: { row: Kind<'system'>; context: RowContext }) {
  const model = useModel();
  const isMe = (id: string): boolean => id === model.me().id;
  const actor = (id: string): string => (isMe(id) ? text.you : model.nameOf(id));
  const object = (id: string): string => (isMe(id) ? text.yourself : model.nameOf(id));
  return (
    <li
      class="system"
      data-key={props.row.key}
      data-row=""
      tabindex={props.context.current() === props.row.key ? 0 : -1}
    >
      {systemText(props.row.system, actor(props.row.sender), object)} <Time at={props.row.at} />
    </li>
  );
}

export function Time(props: { at: string }) {
  return (
    <time datetime={props.at} title={fullDate(props.at)}>
      {timeOf(props.at)}
    </time>
  );
}
