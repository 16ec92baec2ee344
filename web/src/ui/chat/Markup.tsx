import { createMemo, For, Match, Switch } from 'solid-js';
import { type Block, type Inline, isEmojiOnly, parse } from '../../core/text/markup';

/** A message's text. It becomes elements by way of a tree; nothing of it is ever HTML. */
export function Markup(props: { text: string }) {
  const blocks = createMemo(() => parse(props.text));
  return (
    <div class="words" dir="auto" classList={{ large: isEmojiOnly(props.text) }}>
      <For each={blocks()}>{(block) => <BlockView block={block} />}</For>
    </div>
  );
}

function BlockView(props: { block: Block }) {
  const of = <T extends Block['type']>(type: T) =>
    props.block.type === type ? (props.block as Extract<Block, { type: T }>) : undefined;
  return (
    <Switch>
      <Match when={of('paragraph')}>
        {(block) => (
          <p>
            <Inlines parts={block().children} />
          </p>
        )}
      </Match>
      <Match when={of('code')}>
        {(block) => (
          <pre>
            <code>{block().text}</code>
          </pre>
        )}
      </Match>
      <Match when={of('list')}>
        {(block) => (
          <ul>
            <For each={block().items}>
              {(item) => (
                <li>
                  <Inlines parts={item} />
                </li>
              )}
            </For>
          </ul>
        )}
      </Match>
    </Switch>
  );
}

function Inlines(props: { parts: Inline[] }) {
  return <For each={props.parts}>{(part) => view(part)}</For>;
}

function view(part: Inline) {
  switch (part.type) {
    case 'text':
      return part.text;
    case 'code':
      return <code>{part.text}</code>;
    case 'strong':
      return (
        <strong>
          <Inlines parts={part.children} />
        </strong>
      );
    case 'em':
      return (
        <em>
          <Inlines parts={part.children} />
        </em>
      );
    case 'link':
      return (
        <a href={part.href} target="_blank" rel="noopener nofollow ugc" tabindex="-1">
          {part.text}
        </a>
      );
  }
}
