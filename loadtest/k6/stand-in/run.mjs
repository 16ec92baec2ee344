// Runs one of the scripts without k6: as much of k6 as they need, on Node.js. It is for where k6 is
// not to be had, so that the scripts and what they count are still tried against a real gateway.
// All VUs share one thread and one heap: its figures are its own, not k6's.
//
//   node --experimental-vm-modules --experimental-websocket run.mjs SCRIPT
//
// Settings come from the environment. The exit code is k6's: 99 when a threshold failed, 107 when
// the script did.

import { writeFileSync } from 'node:fs';
import { summarize } from './metrics.mjs';
import { load } from './worlds.mjs';

const [script] = process.argv.slice(2);
const shared = new Map();
const first = await load(script, 0, shared);
const { options } = first;
const [scenario] = Object.values(options.scenarios);
if (scenario.executor !== 'per-vu-iterations' || scenario.iterations !== 1) {
  throw new Error('only VUs that run once are known here');
}

let broken = 0;
const worlds = [];
for (let vu = 1; vu <= scenario.vus; vu += 1) worlds.push(await load(script, vu, shared));
const data = JSON.stringify(await first.setup());
const begun = performance.now();
const ended = Promise.all(
  worlds.map(async (world) => {
    try {
      await world.default(JSON.parse(data));
    } catch (error) {
      broken += 1;
      console.error(error);
    }
  }),
);
const patience = new Promise((resolve) => {
  setTimeout(resolve, Number.parseInt(scenario.maxDuration, 10) * 1000).unref();
});
await Promise.race([ended, patience]);

const milliseconds = performance.now() - begun;
const metrics = summarize(options, milliseconds / 1000);
const state = { testRunDurationMs: milliseconds };
for (const [where, text] of Object.entries(await first.handleSummary({ metrics, state }))) {
  if (where === 'stdout') process.stdout.write(text);
  else writeFileSync(where, text);
}
const failed = Object.values(metrics).some((metric) =>
  Object.values(metric.thresholds ?? {}).some(({ ok }) => !ok),
);
process.exit(broken > 0 ? 107 : failed ? 99 : 0);
