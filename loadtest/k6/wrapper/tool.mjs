// Which k6 runs the scripts.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const STAND_IN = fileURLToPath(new URL('../stand-in/run.mjs', import.meta.url));
const CACHE = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const TOOLS = join(CACHE, 'parley-tools', 'bin');

const MISSING = `There is no k6 here. Any of these brings one, 1.x or 2.x:

  - the package of your system (https://grafana.com/docs/k6/latest/set-up/install-k6/)
  - the container grafana/k6
  - go install go.k6.io/k6@v1.8.1      (or go.k6.io/k6/v2@v2.3.0)

It is looked for in $K6, in PATH, and in ${TOOLS}. K6=stand-in runs the scripts
on Node.js instead: enough to try them and to count what is lost, but no load generator.`;

/** The command in front of a script, and what to call it: `{command, name, version}`. */
export function findTool() {
  const wanted = process.env.K6;
  if (wanted === 'stand-in') return standIn();
  const places = [join(TOOLS, 'k6'), join(TOOLS, 'k6-v1'), join(TOOLS, 'k6-v2')];
  const candidates = wanted ? [wanted] : ['k6', ...places.filter(existsSync)];
  for (const candidate of candidates) {
    const told = spawnSync(candidate, ['version'], { encoding: 'utf8' });
    if (told.status !== 0) continue;
    const version = /v(\d+)\.\d+\.\d+\S*/.exec(told.stdout);
    if (version === null || Number(version[1]) < 1) {
      throw new Error(`${candidate} is ${told.stdout.trim()}: k6 1.x or 2.x is needed.`);
    }
    const command = [candidate, 'run', '--quiet', '--no-usage-report'];
    return { command, name: 'k6', version: version[0] };
  }
  throw new Error(wanted ? `K6=${wanted} does not run.\n\n${MISSING}` : MISSING);
}

/** Not k6, and called by its own name wherever its figures are. */
function standIn() {
  const flags = ['--no-warnings', '--experimental-vm-modules'];
  if (globalThis.WebSocket === undefined) flags.push('--experimental-websocket');
  return {
    command: [process.execPath, ...flags, STAND_IN],
    name: 'stand-in',
    version: process.version,
  };
}
