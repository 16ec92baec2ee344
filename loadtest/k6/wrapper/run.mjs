// Runs a scenario, as often as asked, and writes down what was measured and where: summary.json for
// `compare`, report.html for a person.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CORRECTNESS, gather } from './figures.mjs';
import { Measure } from './measure.mjs';
import { report } from './report.mjs';
import { findTool } from './tool.mjs';

const USAGE = `loadtest/k6/run SCENARIO [options]

  --target URL         the load balancer or a replica       (http://127.0.0.1:8000)
  --tokens FILE        users that \`gateway seed\` wrote; without, a few are registered
  --profile NAME       ci, laptop, staging or large         (ci)
  --set NAME=VALUE     a number of the profile or an SLO, such as RATE=100 or
                       SLO_DELIVERY_P95=50; may be repeated
  --repeat N           how often                            (1)
  --out FOLDER         where the results go      (target/loadtest/SCENARIO-TIME)
  --note TEXT          kept with the results
  --which              says which k6 would run, and nothing else

What it costs the other side, where that can be seen from here:
  --admin URL,URL      admin listeners of the replicas
  --process NAME=PIDS  gateway=12,13 (or files that hold them); may be repeated
  --redis URL  --postgres URL

Scenarios: smoke connect-ramp steady hot-group presence-typing reconnect-storm
rolling-drain history spike soak breakpoint. Exit codes: 0 all thresholds hold,
1 they do not, 2 it could not be run.`;

const here = fileURLToPath(new URL('..', import.meta.url));
const repository = resolve(here, '../..');

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}

async function main() {
  const { values: given, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      target: { type: 'string', default: 'http://127.0.0.1:8000' },
      tokens: { type: 'string' },
      profile: { type: 'string', default: 'ci' },
      set: { type: 'string', multiple: true, default: [] },
      repeat: { type: 'string', default: '1' },
      out: { type: 'string' },
      note: { type: 'string', default: '' },
      admin: { type: 'string', default: '' },
      process: { type: 'string', multiple: true, default: [] },
      redis: { type: 'string' },
      postgres: { type: 'string' },
      which: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (given.which) {
    const { command, name, version } = findTool();
    console.log(`${name} ${version}: ${command[0]}`);
    return 0;
  }
  const [scenario] = positionals;
  if (given.help || scenario === undefined) {
    console.log(USAGE);
    return given.help ? 0 : 2;
  }
  const script = join(here, 'scripts', `${scenario}.js`);
  if (scenario.startsWith('lib-') || !existsSync(script)) {
    throw new Error(`There is no scenario ${scenario}.\n\n${USAGE}`);
  }
  const tool = findTool();
  await reachable(given.target);
  const tokens = given.tokens && resolve(given.tokens);

  const begun = new Date();
  const generator = machine();
  const time = begun.toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
  const target = process.env.CARGO_TARGET_DIR ?? join(repository, 'target');
  const folder = resolve(given.out ?? join(target, 'loadtest', `${scenario}-${time}`));
  mkdirSync(folder, { recursive: true });

  const measure = new Measure({
    admin: given.admin.split(',').filter(Boolean),
    processes: Object.fromEntries(given.process.map(namedPids)),
    redis: given.redis,
    postgres: given.postgres,
  });
  const settings = Object.fromEntries(given.set.map(upperCase));
  const repeats = [];
  for (let n = 1; n <= Number(given.repeat); n += 1) {
    const raw = join(folder, `k6-${n}.json`);
    const env = { ...process.env, ...settings, TARGET: given.target, PROFILE: given.profile };
    if (tokens) env.TOKENS = tokens;
    env.SUMMARY = raw;
    repeats.push(await once(tool, script, env, raw, measure));
  }

  const summary = {
    scenario,
    profile: given.profile,
    note: given.note,
    begun: begun.toISOString(),
    seconds: Math.round((Date.now() - begun) / 1000),
    tool: { name: tool.name, version: tool.version },
    target: given.target,
    settings,
    dataset: dataset(tokens),
    machine: generator,
    versions: await versions(given),
    passed: repeats.every(({ passed }) => passed),
    figures: gather(repeats),
    repeats,
  };
  writeFileSync(join(folder, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  writeFileSync(join(folder, 'report.html'), report(summary));
  console.log(`${verdict(summary)}\n${join(folder, 'report.html')}`);
  return summary.passed ? 0 : 1;
}

/** One run of k6, and what it cost. */
async function once(tool, script, env, raw, measure) {
  const before = await measure.snapshot();
  const unwatch = measure.watch();
  const [command, ...options] = tool.command;
  const child = spawn(command, [...options, script], { env, stdio: 'inherit' });
  const pass = (signal) => child.kill(signal);
  const signals = ['SIGINT', 'SIGTERM'];
  for (const signal of signals) process.on(signal, pass);
  const code = await new Promise((done, fail) => {
    child.on('error', fail);
    child.on('exit', (status, signal) => done(status ?? `signal ${signal}`));
  });
  for (const signal of signals) process.off(signal, pass);
  unwatch();
  const after = await measure.snapshot();
  if (!existsSync(raw)) throw new Error(`${tool.name} ended with ${code} and without a summary.`);
  const told = JSON.parse(readFileSync(raw, 'utf8'));
  // k6 says 99 when a threshold failed; anything else is a failure of its own.
  const broken = code === 0 || code === 99 ? [] : [`${tool.name} ended with ${code}`];
  return {
    ...told,
    failed: [...told.failed, ...broken],
    passed: told.passed && broken.length === 0,
    server: measure.difference(before, after),
  };
}

async function reachable(target) {
  try {
    await fetch(target, { signal: AbortSignal.timeout(5000) });
  } catch {
    throw new Error(
      `Nothing answers at ${target}. Say where with --target, or use loadtest/k6/local.`,
    );
  }
}

function pair(text, flag) {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`${flag} ${text}: NAME=VALUE is meant.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Settings are environment variables. */
function upperCase(text) {
  const [name, value] = pair(text, '--set');
  return [name.toUpperCase(), value];
}

function namedPids(text) {
  const [name, pids] = pair(text, '--process');
  return [name, pids.split(',').filter(Boolean)];
}

/** How many users and conversations, never who they are. */
function dataset(tokens) {
  if (!tokens) return { from: 'registered by setup()' };
  const users = JSON.parse(readFileSync(tokens, 'utf8'));
  const conversations = new Set(users.flatMap((user) => user.conversations ?? []));
  return { from: 'gateway seed', users: users.length, conversations: conversations.size };
}

function machine() {
  return {
    processors: os.cpus().length,
    model: os.cpus()[0]?.model ?? 'unknown',
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    load_before: os.loadavg()[0],
  };
}

async function versions({ admin }) {
  const git = (...words) => execFileSync('git', ['-C', repository, ...words], { encoding: 'utf8' });
  let revision = 'unknown';
  try {
    const changed = git('status', '--porcelain').trim() === '' ? '' : ', with changes';
    revision = git('rev-parse', '--short=12', 'HEAD').trim() + changed;
  } catch {
    // Not from a clone.
  }
  const [first] = admin.split(',').filter(Boolean);
  let gateway = 'unknown';
  if (first !== undefined) {
    const text = await (await fetch(`${first}/metrics`)).text();
    const info = /^parley_build_info\{(.*)\} 1$/m.exec(text);
    if (info !== null) gateway = info[1].replaceAll('"', '').replaceAll(',', ', ');
  }
  return { scripts: revision, gateway, node: process.version };
}

/** One line, which tests/run looks for. */
function verdict({ scenario, tool, passed, repeats }) {
  const total = (name) =>
    repeats.reduce((sum, { metrics }) => sum + (metrics[name]?.values.count ?? 0), 0);
  const counts = CORRECTNESS.map((name) => `${name} ${total(name)}`).join(', ');
  const devices = repeats.reduce((sum, repeat) => sum + repeat.devices, 0);
  return (
    `${scenario} on ${tool.name} ${tool.version}: ${passed ? 'passed' : 'FAILED'}, ` +
    `${total('messages_delivered')} delivered, ${counts}, ` +
    `${total('devices_done')} of ${devices} devices to the end`
  );
}
