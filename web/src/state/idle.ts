import type { Clock } from '../core/clock';

/** Nobody has touched anything for this long: away. */
export const IDLE_MS = 5 * 60_000;
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'focus'];
/** Signs of life are looked at this often at most. */
const EVERY_MS = 1_000;

/** Tells when somebody goes away, and when they are back. */
export function watchIdle(clock: Clock, away: (away: boolean) => void): () => void {
  let isAway = false;
  let last = clock.now();
  let cancel = (): void => {};
  const wait = (): void => {
    cancel();
    cancel = clock.after(IDLE_MS, () => {
      isAway = true;
      away(true);
    });
  };
  const alive = (): void => {
    if (!isAway && clock.now() - last < EVERY_MS) return;
    last = clock.now();
    if (isAway) away(false);
    isAway = false;
    wait();
  };
  for (const sign of SIGNS) window.addEventListener(sign, alive, { passive: true });
  wait();
  return () => {
    cancel();
    for (const sign of SIGNS) window.removeEventListener(sign, alive);
  };
}
