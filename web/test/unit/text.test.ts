import { array, assert, constantFrom, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzy } from '../../src/core/search/fuzzy';
import { findEmoji } from '../../src/core/text/emoji';
import { type Block, type Inline, isEmojiOnly, parse, preview } from '../../src/core/text/markup';

const inline = (text: string): Inline[] => {
  const [block] = parse(text);
  return block?.type === 'paragraph' ? block.children : [];
};
const links = (text: string): string[] =>
  inline(text).flatMap((part) => (part.type === 'link' ? [`${part.text} → ${part.href}`] : []));

describe('markup', () => {
  it('knows bold, italic and code, and leaves arithmetic alone', () => {
    expect(inline('a **b** *c* _d_ `e*f*`')).toEqual([
      { type: 'text', text: 'a ' },
      { type: 'strong', children: [{ type: 'text', text: 'b' }] },
      { type: 'text', text: ' ' },
      { type: 'em', children: [{ type: 'text', text: 'c' }] },
      { type: 'text', text: ' ' },
      { type: 'em', children: [{ type: 'text', text: 'd' }] },
      { type: 'text', text: ' ' },
      { type: 'code', text: 'e*f*' },
    ]);
    for (const plain of ['2 * 3 * 4', 'snake_case_name', 'a ** b', '5*6*7']) {
      expect(inline(plain)).toEqual([{ type: 'text', text: plain }]);
    }
  });

  it('links addresses without the end of the sentence', () => {
    expect(links('see https://a.example/x_(y), or www.b.example.')).toEqual([
      'https://a.example/x_(y) → https://a.example/x_(y)',
      'www.b.example → https://www.b.example/',
    ]);
    expect(links('(https://a.example)')).toEqual(['https://a.example → https://a.example/']);
    expect(links('write to ada@a.example')).toEqual(['ada@a.example → mailto:ada@a.example']);
    expect(links('javascript:alert(1) data:text/html,x')).toEqual([]);
  });

  it('does not let a link pretend to lead to another host', () => {
    expect(links('https://bank.example@evil.example/')).toEqual([
      'https://bank.example@evil.example/ → https://bank.example@evil.example/',
    ]);
    // A Cyrillic "а" is shown as what it is.
    expect(links('https://b\u0430nk.example')[0]).toMatch(/^https:\/\/xn--/);
  });

  it('knows blocks of code and lists', () => {
    expect(parse('one\n```js\n**x**\n```\n- a\n- b\ntwo').map((block) => block.type)).toEqual([
      'paragraph',
      'code',
      'list',
      'paragraph',
    ]);
    expect(parse('```\nnot closed')[0]?.type).toBe('paragraph');
  });

  it('loses no letter of any text', () => {
    const flat = (parts: Inline[]): string =>
      parts.map((part) => ('children' in part ? flat(part.children) : part.text)).join('');
    const words = (block: Block): string => {
      if (block.type === 'list') return block.items.map(flat).join('');
      return block.type === 'code' ? block.text : flat(block.children);
    };
    const letters = (text: string): string => text.replaceAll(/[^a-z]/g, '');
    const texts = array(constantFrom('a', 'b', ' ', '\n', '*', '_', '`', '- ', '\n```\n', '.'));
    assert(
      property(texts, (parts) => {
        const text = parts.join('');
        expect(letters(parse(text).map(words).join(''))).toBe(letters(text));
      }),
    );
  });

  it('takes a moment for the longest text', () => {
    const began = performance.now();
    for (const part of ['*', '_a', '`', '**a', 'www.', '(', '- ', 'a@']) parse(part.repeat(2_000));
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('gives previews without marks, and knows emoji alone', () => {
    expect(preview('**Hi** `there`\n- one\n- two')).toBe('Hi there one, two');
    expect(['👍', '👍🏽 🎉', '👩‍💻', '❤️'].every(isEmojiOnly)).toBe(true);
    expect(['', 'a', '1', '👍👍👍👍', '👍 ok'].some(isEmojiOnly)).toBe(false);
  });
});

describe('finding', () => {
  it('finds letters in order, the starts of words first, whatever their accents', () => {
    expect(fuzzy('al', 'Ada Lovelace')?.at).toEqual([0, 4]);
    expect(fuzzy('jose', 'José')?.at).toEqual([0, 1, 2, 3]);
    expect(fuzzy('xy', 'Ada')).toBeUndefined();
    const score = (name: string): number => fuzzy('ga', name)?.score ?? 0;
    expect(score('Garden')).toBeGreaterThan(score('Megan'));
  });

  it('finds emoji by the start of their name', () => {
    expect(findEmoji('tad', 5)).toEqual([{ name: 'tada', sign: '🎉' }]);
    expect(findEmoji('thumbs', 5).map(({ name }) => name)).toEqual(['thumbsup', 'thumbsdown']);
  });
});
