export interface Match {
  /** Higher is better. */
  score: number;
  /** Where the letters of the query stand, to be shown. */
  at: number[];
}

const WORD_START = 8;
const IN_A_ROW = 5;
const ANYWHERE = 1;

const fold = (text: string): string =>
  [...text].map((c) => c.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()[0] ?? c).join('');

/** Finds the letters of a query in a name, in order; undefined if they are not all there. */
export function fuzzy(query: string, name: string): Match | undefined {
  const wanted = [...fold(query.replaceAll(/\s+/g, ''))];
  const letters = [...fold(name)];
  const at: number[] = [];
  let score = 0;
  let from = 0;
  for (const letter of wanted) {
    const next = place(letters, letter, from);
    if (next === -1) return undefined;
    const start = starts(letters, next);
    score += next === from && at.length > 0 ? IN_A_ROW : start ? WORD_START : ANYWHERE;
    at.push(next);
    from = next + 1;
  }
  return { score: score - letters.length / 100, at };
}

const starts = (letters: string[], index: number): boolean =>
  index === 0 || !/[\p{L}\p{N}]/u.test(letters[index - 1] ?? '');

/** The next letter right here, else at the start of a word, else anywhere. */
function place(letters: string[], letter: string, from: number): number {
  if (letters[from] === letter) return from;
  const word = letters.findIndex((l, i) => i >= from && l === letter && starts(letters, i));
  return word === -1 ? letters.indexOf(letter, from) : word;
}
