// Who takes part: the users that `gateway seed` wrote to a file, or a few that setup() registers.

import { SharedArray } from 'k6/data';
import exec from 'k6/execution';
import { Api, call } from './lib-rest.js';
import { sleep } from './lib-time.js';

/** More are for `gateway seed`: each costs the gateway a password hash. */
const REGISTERED = 100;
const PASSWORD = 'parley-load';
const GROUP = 8;

/** One copy for all VUs. */
const seeded = __ENV.TOKENS ? new SharedArray('users', () => JSON.parse(open(__ENV.TOKENS))) : [];

const isSeeded = seeded.length > 0;

/** The user of a device; when there are more devices than users, some have several. */
export function userOf(index, { registered }) {
  const users = isSeeded ? seeded : registered;
  return users[index % users.length];
}

/** What setup() hands to all VUs: nothing, if there is a file. */
export async function register(base, run, devices) {
  if (isSeeded) return [];
  if (devices > REGISTERED) {
    exec.test.abort(`${devices} devices: write users with \`gateway seed\`, and give TOKENS`);
  }
  const users = [];
  for (let number = 0; number < devices; number += 1) {
    const body = { username: `k6-${run}-${number}`, password: PASSWORD, device_label: 'k6' };
    const told = await call('POST', `${base}/auth/register`, { name: 'POST /auth/register', body });
    users.push({
      user_id: told.user.id,
      access_token: told.access_token,
      refresh_token: told.refresh_token,
      expires_in: told.expires_in,
    });
  }
  // Overlapping circles: everybody is in two of them.
  for (let first = 0; first < users.length; first += GROUP / 2) {
    const members = [];
    for (let i = 0; i < Math.min(GROUP, users.length); i += 1) {
      members.push(users[(first + i) % users.length]);
    }
    await group(base, members, `k6 ${run} ${first}`);
  }
  return users;
}

/** A group of all of `members`, which the first of them makes: its id. */
export async function group(base, members, title) {
  const AT_ONCE = 100;
  const api = new Api(base, members[0].access_token);
  const ids = [...new Set(members.map((user) => user.user_id))].slice(1);
  const body = { kind: 'group', title, participant_ids: ids.slice(0, AT_ONCE) };
  const { id } = await api.ask('POST', '/conversations', 'POST /conversations', body);
  for (let done = AT_ONCE; done < ids.length; done += AT_ONCE) {
    const more = { user_ids: ids.slice(done, done + AT_ONCE) };
    await api.ask('POST', `/conversations/${id}/participants`, 'POST participants', more);
  }
  return id;
}

/** Seeded tokens live for hours. Registered ones are renewed, on the socket that they opened. */
export async function renewTokens(device, base) {
  const { user } = device;
  while (user.expires_in && !device.done) {
    const end = Date.now() + user.expires_in * 600;
    while (Date.now() < end && !device.done) await sleep(500);
    if (device.done) return;
    const body = { refresh_token: user.refresh_token };
    const told = await call('POST', `${base}/auth/refresh`, { name: 'POST /auth/refresh', body });
    user.access_token = told.access_token;
    user.refresh_token = told.refresh_token;
    user.expires_in = told.expires_in;
    device.tell({ type: 'auth.renew', payload: { access_token: told.access_token } });
  }
}
