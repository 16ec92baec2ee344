import { createSignal } from 'solid-js';
import type { Emoji } from '../../core/text/emoji';

const MOST = 6;
/** A colon at the start of a word, and at least two letters of a name. */
const STARTED = /(?:^|\s):([a-z0-9_+-]{2,})$/i;

/** What `:name` before the caret may become. */
export function createEmojiList(complete: (from: number, to: number, sign: string) => void) {
  const [found, setFound] = createSignal<Emoji[]>([]);
  const [chosen, setChosen] = createSignal(0);
  let start = 0;
  let end = 0;
  let asked = '';

  const close = (): void => {
    asked = '';
    setFound([]);
  };
  const take = (index: number): void => {
    const emoji = found()[index];
    close();
    if (emoji !== undefined) complete(start, end, `${emoji.sign} `);
  };

  return {
    found,
    chosen,
    close,
    take,

    look(text: string, caret: number): void {
      const name = STARTED.exec(text.slice(0, caret))?.[1]?.toLowerCase();
      if (name === undefined) {
        if (asked !== '') close();
        return;
      }
      asked = name;
      start = caret - name.length - 1;
      end = caret;
      void import('../../core/text/emoji').then(({ findEmoji }) => {
        if (asked !== name) return;
        setFound(findEmoji(name, MOST));
        setChosen(0);
      });
    },

    /** Whether the key was meant for the list. */
    key(key: string): boolean {
      const { length } = found();
      if (length === 0) return false;
      if (key === 'ArrowDown') setChosen((chosen() + 1) % length);
      else if (key === 'ArrowUp') setChosen((chosen() + length - 1) % length);
      else if (key === 'Enter' || key === 'Tab') take(chosen());
      else if (key === 'Escape') close();
      else return false;
      return true;
    },
  };
}
