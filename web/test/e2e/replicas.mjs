// Two gateways on one Postgres and one Redis, behind the reference configuration of HAProxy.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { as, finish, folderFor, freePort, serve } from './servers.mjs';
import { eventually } from './tools.mjs';

const STARTED_MS = 15_000;
/** Postgres refuses root; it runs as this user then, which Debian's package makes. */
const UNPRIVILEGED = process.getuid?.() === 0 ? 'postgres' : undefined;

/** Refused while a server is on its way up. @param {string} url */
const read = (url) =>
  fetch(url).then(
    (response) => (response.ok ? response.text() : ''),
    () => '',
  );

/** @param {number} port */
async function postgres(port) {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  const newest = versions.toSorted((a, b) => Number(a) - Number(b)).at(-1);
  if (newest === undefined) throw new Error('no Postgres here: install the package `postgresql`');
  const bin = `/usr/lib/postgresql/${newest}/bin`;
  const folder = folderFor('postgres', UNPRIVILEGED);
  const data = join(folder, 'data');
  const init = ['--auth=trust', '--encoding=UTF8', '--no-locale', '--no-sync', '--username=parley'];
  finish(as([`${bin}/initdb`, ...init, '--pgdata', data], UNPRIVILEGED));
  const set = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`];
  const command = [`${bin}/postgres`, '-D', data, ...set.flatMap((setting) => ['-c', setting])];
  const server = await serve(folder, command, { owner: UNPRIVILEGED, signal: 'QUIT' });
  const ready = [`${bin}/pg_isready`, '--quiet', '--host=127.0.0.1', `--port=${port}`];
  const looks = async () => {
    try {
      finish(ready);
      return '';
    } catch {
      return server.log();
    }
  };
  await eventually(looks, (log) => log === '', STARTED_MS);
  return server;
}

/** @param {number} port */
function redis(port) {
  const folder = folderFor('redis');
  const quiet = ['--save', '', '--appendonly', 'no', '--daemonize', 'no', '--dir', folder];
  return serve(folder, ['redis-server', '--bind', '127.0.0.1', '--port', `${port}`, ...quiet]);
}

/** @param {number} port @param {number} figures @param {{ listen: number, admin: number }[]} replicas */
async function haproxy(port, figures, replicas) {
  const folder = folderFor('haproxy');
  const file = new URL('../../../deploy/haproxy/haproxy.cfg', import.meta.url);
  const reference = readFileSync(file, 'utf8').split('\n');
  const servers = replicas.map(
    ({ listen, admin }, n) => `    server replica${n} 127.0.0.1:${listen} check port ${admin}`,
  );
  const at = reference.findIndex((line) => line.startsWith('    server '));
  const others = reference.filter((line) => !line.startsWith('    server '));
  const own = others
    .toSpliced(at, 0, ...servers)
    .join('\n')
    .replace('bind :8000', `bind 127.0.0.1:${port}`)
    .replace('bind 127.0.0.1:8404', `bind 127.0.0.1:${figures}`);
  const configuration = join(folder, 'haproxy.cfg');
  writeFileSync(configuration, own);
  const server = await serve(folder, ['/usr/sbin/haproxy', '-db', '-f', configuration]);
  const up = async () => (await read(`http://127.0.0.1:${figures}/;csv`)).match(/,UP,/g)?.length;
  // The backend as a whole, too.
  await eventually(up, (count) => count === replicas.length + 1, STARTED_MS);
  return server;
}

/** Ports for servers, which are free now. @param {number} count */
async function ports(count) {
  const found = [await freePort()];
  while (found.length < count) found.push(await freePort((found.at(-1) ?? 0) + 1));
  return found;
}

export async function openReplicas() {
  const { PARLEY_GATEWAY_BIN: binary } = process.env;
  if (binary === undefined) throw new Error('needs PARLEY_GATEWAY_BIN');
  const servers = /** @type {Awaited<ReturnType<typeof serve>>[]} */ ([]);
  const running = async (/** @type {ReturnType<typeof serve>} */ starting) => {
    const server = await starting;
    servers.push(server);
    return server;
  };
  const shared = folderFor('keys');
  const stop = async () => {
    // Whoever was started last knows of the others.
    for (const server of servers.splice(0).toReversed()) await server.stop();
    rmSync(shared, { recursive: true, force: true });
  };
  try {
    const [proxy = 0, figures = 0, database = 0, cache = 0, ...rest] = await ports(8);
    await Promise.all([running(postgres(database)), running(redis(cache))]);
    const extra = {
      PARLEY_DATABASE_URL: `postgres://parley@127.0.0.1:${database}/postgres`,
      PARLEY_REDIS_URL: `redis://127.0.0.1:${cache}`,
      PARLEY_KEYS_FILE: join(shared, 'keys.json'),
      PARLEY_TRUSTED_PROXIES: '127.0.0.1/32',
      PARLEY_RATE_LIMITS: 'off',
    };
    finish([binary, 'keys', 'generate'], extra);
    finish([binary, 'migrate'], extra);
    const places = [0, 2].map((n) => ({ listen: rest[n] ?? 0, admin: rest[n + 1] ?? 0 }));
    const replicas = await Promise.all(
      places.map(async ({ listen, admin }) => {
        const own = {
          PARLEY_LISTEN: `127.0.0.1:${listen}`,
          PARLEY_ADMIN_LISTEN: `127.0.0.1:${admin}`,
        };
        const options = { extra: { ...extra, ...own } };
        const server = await running(serve(folderFor('replica'), [binary, 'serve'], options));
        const figure = async () => await read(`http://127.0.0.1:${admin}/metrics`);
        return {
          kill: server.kill,
          /** How many sockets it has. */
          sockets: async () => Number(/^parley_connections (\d+)$/m.exec(await figure())?.[1]),
        };
      }),
    );
    await running(haproxy(proxy, figures, places));
    return { stop, replicas, url: `http://127.0.0.1:${proxy}` };
  } catch (error) {
    await stop();
    throw error;
  }
}
