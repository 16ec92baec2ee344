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

/** The moment at which something comes that repeats itself since `begin`, at most `period` ago. */
export const since = (begin, period, now) => (((now - begin) % period) + period) % period;

/** A number below `limit` that is always the same for a text. */
export function spread(text, limit) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return (hash >>> 0) % limit;
}
