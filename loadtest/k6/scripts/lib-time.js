// Time, without clearing timers: some versions of k6 then run another one too early.

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

/** Until a moment in ms since the epoch. */
export const until = (moment) => sleep(moment - Date.now());

/** Looks again and again until `holds`, or until `patience` ms are over: whether it held. */
export async function eventually(holds, patience) {
  const end = Date.now() + patience;
  while (!holds()) {
    if (Date.now() >= end) return false;
    await sleep(50);
  }
  return true;
}

/** How long ago something last happened that repeats itself every `period` ms since `begin`. */
export function since(begin, period, now) {
  // Clocks are read in whole milliseconds: a little too early is on time, not a period late.
  const EARLY = 20;
  const ago = (((now - begin + EARLY) % period) + period) % period;
  return Math.max(0, ago - EARLY);
}

/** A number below `limit` that is always the same for a text. */
export function spread(text, limit) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return (hash >>> 0) % limit;
}
