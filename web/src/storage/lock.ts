import { type Clock, sleep } from '../core/clock';
import { uuid } from '../core/id';
import { local } from './local';

/** The lease of a tab that died ends by then; one that lives renews it. */
const LEASE_MS = 15_000;
/** Time in which tabs that wrote at the same moment see who wrote last. */
const SETTLE_MS = 40;

/**
 * Runs `task` while no other tab runs one of the same name. Web Locks need a secure context; on
 * plain http a lease in the shared storage does, well enough for what is rare and can be repeated.
 */
export async function exclusively<T>(
  name: string,
  clock: Clock,
  task: () => Promise<T>,
): Promise<T> {
  if ('locks' in navigator) return await navigator.locks.request(name, task);
  const key = `${name}.lease`;
  const mine = uuid();
  while (!(await taken(key, mine, clock))) await sleep(clock, SETTLE_MS * (1 + Math.random()));
  let end = (): void => {};
  const renew = (): void => {
    end = clock.after(LEASE_MS / 3, () => {
      take(key, mine, clock);
      renew();
    });
  };
  renew();
  try {
    return await task();
  } finally {
    end();
    if (local.json<Lease>(key)?.owner === mine) local.remove(key);
  }
}

interface Lease {
  owner: string;
  until: number;
}

async function taken(key: string, owner: string, clock: Clock): Promise<boolean> {
  const lease = local.json<Lease>(key);
  if (lease !== undefined && lease.until > clock.now()) return false;
  take(key, owner, clock);
  await sleep(clock, SETTLE_MS);
  const winner = local.json<Lease>(key);
  // With no storage at all there is nobody to compete with that could be seen.
  return winner === undefined || winner.owner === owner;
}

function take(key: string, owner: string, clock: Clock): void {
  local.set(key, JSON.stringify({ owner, until: clock.now() + LEASE_MS } satisfies Lease));
}
