// Where does it break? The rate grows by half with each step; the report shows latency by step, and
// the last one that kept its service level. Correctness holds in all of them.

import { send } from './lib-activities.js';
import { setting } from './lib-profiles.js';
import { scenario } from './lib-scenario.js';

const STEPS = setting('steps', 8);
const names = Array.from({ length: STEPS }, (_, n) => `step${n + 1}`);

const { options, setup, run, handleSummary } = scenario('breakpoint', {
  numbers: ({ duration }) => ({ step_seconds: Math.max(5, duration / 4), patience: 120 }),
  stages: ({ rate, step_seconds: seconds }) =>
    names.map((stage, n) => ({ stage, seconds, rate: rate * 1.5 ** n })),
  activities: [send],
  slos: ['connect'],
  thresholds: () => {
    const told = {};
    for (const stage of names) {
      told[`delivery_ms{stage:${stage}}`] = ['max>=0'];
      told[`ack_ms{stage:${stage}}`] = ['max>=0'];
    }
    return told;
  },
});

export { handleSummary, options, setup };
export default run;
