import type { Clock } from '../clock';

const TICK_MS = 5_000;
/** A tick this late means that the machine slept. */
const HOLE_MS = 10_000;
/** `offline` too: a connection that is gone is found out by asking it. */
const EVENTS = ['online', 'offline', 'pageshow', 'focus'];

/** Calls `nudge` whenever the network, the page or the machine may have come back. */
export function onWake(clock: Clock, nudge: () => void): () => void {
  const onVisible = (): void => {
    if (document.visibilityState === 'visible') nudge();
  };
  for (const event of EVENTS) window.addEventListener(event, nudge);
  document.addEventListener('visibilitychange', onVisible);
  document.addEventListener('resume', nudge);

  let cancel = (): void => {};
  const tick = (due: number): void => {
    if (clock.now() - due > HOLE_MS) nudge();
    const next = clock.now() + TICK_MS;
    cancel = clock.after(TICK_MS, () => tick(next));
  };
  tick(clock.now());

  return () => {
    for (const event of EVENTS) window.removeEventListener(event, nudge);
    document.removeEventListener('visibilitychange', onVisible);
    document.removeEventListener('resume', nudge);
    cancel();
  };
}
