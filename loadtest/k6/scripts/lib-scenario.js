// What all scenarios have in common: their shape in time, setup, the life of a device, the verdict.
//
//   connect ── ramp ──┬── load ───────────────┬── quiet ──┬── audit, then the end
//                     begins                  ends        every device against the database
//
// Each VU runs once and hosts some devices. Nothing is cut off in the middle: who has not come to
// the end of their life is missing in `devices_done`, and the run fails.

import exec from 'k6/execution';
import { audit } from './lib-audit.js';
import { Device } from './lib-device.js';
import * as metrics from './lib-metrics.js';
import { profile, profileName, setting, slo } from './lib-profiles.js';
import { summarize } from './lib-summary.js';
import { eventually, until } from './lib-time.js';
import { group, register, renewTokens, userOf } from './lib-users.js';

const TARGET = (__ENV.TARGET || 'http://127.0.0.1:8000').replace(/\/+$/, '');
/** Between the end of setup() and the first connect, and between the last one and the load. */
const LEAD_MS = 1000;
const SETTLE = 2;

/**
 * The exports of a scenario's script.
 *
 * - `numbers`: what it changes in the profile
 * - `stages(numbers)`: `{seconds, rate, stage}` one after the other; one of `seconds` and `rate`
 * - `activities`: what each device does during the load
 * - `plan(numbers)`: what those activities need to know beside the numbers
 * - `slos`: which service levels it is held to; `thresholds(numbers, devices)`: further ones
 */
export function scenario(name, { numbers, stages, activities, plan, slos, thresholds, hot }) {
  const given = profile(numbers);
  const devices = given.vus * given.per_vu;
  // Of several k6 that share a run, each judges its own part.
  const own = Math.floor(given.vus / setting('runners', 1)) * given.per_vu;
  const parts = stages ? stages(given) : [{ seconds: given.duration, rate: given.rate }];
  const load = parts.reduce((sum, part) => sum + part.seconds, 0);
  const longest = LEAD_MS / 1000 + given.ramp + SETTLE + load + given.quiet + 4 * given.patience;

  const options = {
    scenarios: {
      [name]: {
        executor: 'per-vu-iterations',
        vus: given.vus,
        iterations: 1,
        maxDuration: `${Math.ceil(longest + 60)}s`,
        gracefulStop: '5s',
      },
    },
    setupTimeout: '300s',
    insecureSkipTLSVerify: Boolean(__ENV.INSECURE),
    systemTags: ['name', 'method', 'status', 'error_code', 'scenario'],
    summaryTrendStats: ['avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'max', 'count'],
    thresholds: together(
      {
        lost: ['count==0'],
        duplicated: ['count==0'],
        out_of_order: ['count==0'],
        send_failed: [`count<=${setting('slo_send_failed', 0)}`],
        devices_done: [`count>=${own}`],
        messages_delivered: ['count>0'],
      },
      ...(slos || ['delivery', 'ack', 'connect']).map((each) => slo(each)),
      thresholds ? thresholds(given, own) : {},
    ),
  };

  async function setup() {
    const run = __ENV.RUN || Math.random().toString(36).slice(2, 8);
    const registered = await register(TARGET, run, devices);
    const world = { run, registered, hot: null };
    if (hot) {
      const members = [];
      for (let index = 0; index < devices; index += 1) members.push(userOf(index, world));
      world.hot = await group(TARGET, members, `k6 ${run} hot`);
    }
    return { ...world, begins: Date.now() + LEAD_MS };
  }

  async function run(world) {
    const lives = [];
    for (let place = 0; place < given.per_vu; place += 1) {
      lives.push(life((exec.vu.idInTest - 1) * given.per_vu + place, world));
    }
    await Promise.all(lives);
  }

  async function life(index, world) {
    const begins = world.begins + (given.ramp + SETTLE) * 1000;
    const ends = begins + load * 1000;
    const device = new Device({
      index,
      user: userOf(index, world),
      url: `${TARGET.replace(/^http/, 'ws')}/ws`,
      run: world.run,
      size: given.size,
    });
    const connects = Math.round(world.begins + (given.ramp * 1000 * index) / devices);
    await until(connects);
    device.connect(connects, metrics.connect);
    const renewal = renewTokens(device, TARGET);

    await until(begins);
    const ours = {
      ...given,
      ...(plan ? plan(given, begins) : {}),
      base: TARGET,
      devices,
      begins,
      ends,
    };
    ours.stages = timed(parts, begins);
    ours.hot = world.hot;
    await Promise.all(activities.map((activity) => activity(device, ours)));

    await until(ends + given.quiet * 1000);
    const patience = given.patience * 1000;
    const settled = () => device.live !== null && device.outbox.idle;
    await eventually(() => settled() || device.failed !== null, patience);
    if (!device.outbox.idle) metrics.sendFailed.add(1, { code: 'unanswered' });
    // One that is not connected in the end has not come back in time: it is not done.
    if (device.live !== null) {
      const thorough = index % Math.round(1 / given.audit) === 0;
      await audit(device, { base: TARGET, patience, thorough });
      metrics.devicesDone.add(1);
    }
    device.finish();
    await renewal;
  }

  const about = { scenario: name, profile: profileName, devices, load, numbers: given };
  return { options, setup, run, handleSummary: (data) => summarize(data, about) };
}

/** All thresholds of all of them. */
function together(...lists) {
  const all = {};
  for (const list of lists) {
    for (const name of Object.keys(list)) all[name] = [...(all[name] || []), ...list[name]];
  }
  return all;
}

/** Stages with their beginning and end. */
function timed(parts, begins) {
  let at = begins;
  return parts.map(({ seconds, rate, stage }) => {
    const part = { begins: at, ends: at + seconds * 1000, rate, stage };
    at = part.ends;
    return part;
  });
}
