/** What a message's text means, as a tree: only such a tree is ever shown, never a string of HTML. */
export type Inline =
  | { type: 'text' | 'code'; text: string }
  | { type: 'strong' | 'em'; children: Inline[] }
  | { type: 'link'; href: string; text: string };

export type Block =
  | { type: 'paragraph'; children: Inline[] }
  | { type: 'code'; text: string }
  | { type: 'list'; items: Inline[][] };

const FENCE = /^```[^\n`]*$/;
const ITEM = /^[-*•] +(?=\S)/;

export function parse(text: string): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  let plain: string[] = [];
  const flush = (): void => {
    if (plain.length > 0) blocks.push({ type: 'paragraph', children: inline(plain.join('\n')) });
    plain = [];
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const end = FENCE.test(line) ? lines.findIndex((l, i) => i > at && l.trim() === '```') : -1;
    if (end > at) {
      flush();
      blocks.push({ type: 'code', text: lines.slice(at + 1, end).join('\n') });
      at = end;
    } else if (ITEM.test(line)) {
      flush();
      const items: Inline[][] = [];
      for (; ITEM.test(lines[at] ?? ''); at += 1) {
        items.push(inline((lines[at] ?? '').replace(ITEM, '')));
      }
      at -= 1;
      blocks.push({ type: 'list', items });
    } else {
      plain.push(line);
    }
  }
  flush();
  return blocks;
}

const WORD = String.raw`[\p{L}\p{N}]`;
/** In order of precedence; what matches none of it is text. */
const TOKEN = new RegExp(
  [
    '`(?<code>[^`\\n]+)`',
    '(?<url>\\b(?:https?:\\/\\/|www\\.)[^\\s<>"`]+)',
    String.raw`(?<email>\b[\w.+-]+@[a-z\d-]+(?:\.[a-z\d-]+)*\.[a-z]{2,}\b)`,
    String.raw`\*\*(?<strong>(?=\S)[^\n]+?(?<=\S))\*\*`,
    String.raw`(?<!${WORD}|\*)\*(?<star>(?=\S)[^*\n]+(?<=\S))\*(?!${WORD}|\*)`,
    String.raw`(?<!${WORD}|_)_(?<under>(?=\S)[^_\n]+(?<=\S))_(?!${WORD}|_)`,
  ].join('|'),
  'giu',
);

function inline(text: string): Inline[] {
  const parts: Inline[] = [];
  let at = 0;
  const push = (part: Inline, from: number, to: number): void => {
    if (from > at) parts.push({ type: 'text', text: text.slice(at, from) });
    parts.push(part);
    at = to;
  };
  for (const { 0: whole, index, groups = {} } of text.matchAll(TOKEN)) {
    if (index < at) continue;
    const { code, url, email, strong } = groups;
    const em = groups.star ?? groups.under;
    const end = index + whole.length;
    if (code !== undefined) push({ type: 'code', text: code }, index, end);
    else if (url !== undefined) {
      const trimmed = url.slice(0, url.length - trailing(url));
      const link = linkTo(trimmed);
      if (link !== undefined) push(link, index, index + trimmed.length);
    } else if (email !== undefined) {
      push({ type: 'link', href: `mailto:${email}`, text: email }, index, end);
    } else if (strong !== undefined) {
      push({ type: 'strong', children: inline(strong) }, index, end);
    } else if (em !== undefined) {
      push({ type: 'em', children: inline(em) }, index, end);
    }
  }
  if (at < text.length) parts.push({ type: 'text', text: text.slice(at) });
  return parts;
}

/** How many characters at the end belong to the sentence, not to the address. */
function trailing(url: string): number {
  let end = url.length;
  for (;;) {
    const last = url[end - 1] ?? '';
    const inside = url.slice(0, end);
    const open = inside.split('(').length;
    const unbalanced = last === ')' && inside.split(')').length > open;
    if (!/[.,;:!?'*_~]/.test(last) && !unbalanced) return url.length - end;
    end -= 1;
  }
}

/** The text of a link is its address, and says the host that it truly leads to. */
function linkTo(text: string): Inline | undefined {
  try {
    const url = new URL(/^https?:/i.test(text) ? text : `https://${text}`);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
    const typed = /^(?:https?:\/\/)?([^/?#]*)/i.exec(text)?.[1]?.toLowerCase();
    const honest = typed === url.host;
    return { type: 'link', href: url.href, text: honest ? text : url.href };
  } catch {
    return undefined;
  }
}

const SIGN = String.raw`(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F?)\p{Emoji_Modifier}?`;
const EMOJI = new RegExp(String.raw`^(?:${SIGN}(?:\u200D${SIGN})*\s?){1,3}$`, 'u');

/** One to three emoji and nothing else: shown large. */
export const isEmojiOnly = (text: string): boolean => EMOJI.test(text.trim());

/** The text without its marks, on one line: for previews. */
export const preview = (text: string): string =>
  parse(text).map(flat).join(' ').replaceAll(/\s+/g, ' ').trim();

const flat = (block: Block): string => {
  switch (block.type) {
    case 'code':
      return block.text;
    case 'list':
      return block.items.map(words).join(', ');
    case 'paragraph':
      return words(block.children);
  }
};

const words = (parts: Inline[]): string =>
  parts.map((part) => ('children' in part ? words(part.children) : part.text)).join('');
