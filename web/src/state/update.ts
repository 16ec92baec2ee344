import { createSignal } from 'solid-js';

const [ready, setReady] = createSignal(false);

/** A newer build of this page is on the server. */
export { ready as updateReady };

const scriptOf = (html: string): string | undefined =>
  /src="(\/assets\/index-[^"]+)"/.exec(html)?.[1];

/** Asked after a connection came back: that is when servers have been replaced. */
export async function checkForUpdate(): Promise<void> {
  const own = document.querySelector<HTMLScriptElement>('script[src*="/assets/index-"]');
  if (own === null || ready()) return;
  try {
    const response = await fetch('/', { cache: 'no-cache' });
    const served = response.ok ? scriptOf(await response.text()) : undefined;
    setReady(served !== undefined && served !== own.getAttribute('src'));
  } catch {
    // Asked again next time.
  }
}
