import { createSignal, onCleanup } from 'solid-js';
import type { Page, User } from '../../gen/wire';

/** A pause in typing, after which a search is worth its request. */
const PAUSE_MS = 200;

/** A search as one types: only the answer to the latest question counts. */
export function createSearch(fetch: (query: string, signal: AbortSignal) => Promise<Page<User>>) {
  const [found, setFound] = createSignal<User[]>([]);
  const [state, setState] = createSignal<'searching' | 'settled' | 'failed'>('settled');
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | undefined;

  const stop = (): void => {
    clearTimeout(timer);
    running?.abort();
  };
  onCleanup(stop);

  const run = (query: string): void => {
    const mine = new AbortController();
    running = mine;
    const unlessStopped = (settle: () => void): void => {
      if (!mine.signal.aborted) settle();
    };
    fetch(query, mine.signal).then(
      (page) =>
        unlessStopped(() => {
          setFound(page.items);
          setState('settled');
        }),
      () => unlessStopped(() => setState('failed')),
    );
  };

  return {
    found,
    settled: () => state() === 'settled',
    failed: () => state() === 'failed',
    ask(query: string): void {
      stop();
      setFound([]);
      setState(query === '' ? 'settled' : 'searching');
      if (query !== '') timer = setTimeout(() => run(query), PAUSE_MS);
    },
  };
}
