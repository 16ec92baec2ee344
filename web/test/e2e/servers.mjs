// Servers that are processes of their own: on loopback, in a folder of their own, and gone with
// this process however that ends.
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Free of everything that runs here; below what outgoing connections take. @param {number} [from] */
export async function freePort(from = 18_080 + Math.floor(Math.random() * 12_000)) {
  for (let port = from; port < 32_000; port += 1) {
    const free = await new Promise((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free === true) return port;
  }
  throw new Error('no free port below 32000');
}

/** Of this process, without the variables of these tests: the gateway refuses those it does not know. */
export const environment = Object.fromEntries(
  Object.entries(process.env).filter(([key]) => !key.startsWith('PARLEY_')),
);

/**
 * A shell that starts the server and outlives this process, to end the server and remove its
 * folder. It waits for the end of its standard input.
 */
const WATCHDOG = `trap '' HUP INT TERM
  folder=$1
  signal=$2
  shift 2
  "$@" < /dev/null > "$folder"/log 2>&1 &
  echo $!
  cat > /dev/null
  kill -s $signal $!
  wait
  rm -rf "$folder"`;

/** A folder for a server. @param {string} name @param {string} [owner] */
export function folderFor(name, owner) {
  const folder = mkdtempSync(join(tmpdir(), `parley-${name}-`));
  if (owner !== undefined) {
    const id = (/** @type {string} */ flag) =>
      Number(spawnSync('id', [flag, owner], { encoding: 'utf8' }).stdout);
    chownSync(folder, id('-u'), id('-g'));
  }
  return folder;
}

/** A command line as another user. @param {string[]} command @param {string | undefined} owner */
export const as = (command, owner) =>
  owner === undefined
    ? command
    : ['setpriv', '--reuid', owner, '--regid', owner, '--init-groups', '--', ...command];

/** Runs a command to its end. @param {string[]} command @param {Record<string, string>} [extra] */
export function finish([program = '', ...args], extra = {}) {
  const env = { ...environment, ...extra };
  const { status, stdout, stderr, error } = spawnSync(program, args, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program}: ${error?.message ?? `${stdout}${stderr}`}`);
}

/**
 * @param {string} folder which it owns, and which goes with it
 * @param {string[]} command
 * @param {{
 *   extra?: Record<string, string>,
 *   owner?: string | undefined,
 *   signal?: string,
 * }} [options] `signal` is what ends it
 */
export async function serve(folder, command, { extra = {}, owner, signal = 'KILL' } = {}) {
  const [shell = '', ...args] = as(
    ['sh', '-c', WATCHDOG, 'watchdog', folder, signal, ...command],
    owner,
  );
  const watchdog = spawn(shell, args, {
    cwd: folder,
    env: { ...environment, ...extra },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = new Promise((resolve) => watchdog.once('exit', resolve));
  const pid = await new Promise((resolve, reject) => {
    watchdog.stdout.once('data', (text) => resolve(Number(text)));
    watchdog.once('error', reject);
  });
  return {
    log: () => readFileSync(join(folder, 'log'), 'utf8').slice(-4_000),
    /** Without warning. */
    kill: () => process.kill(pid, 'SIGKILL'),
    stop: async () => {
      watchdog.stdin.end();
      await ended;
    },
  };
}
