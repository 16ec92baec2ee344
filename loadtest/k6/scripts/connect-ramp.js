// How many devices get in how fast: all connect evenly over `ramp`, and hardly anybody says anything.

import { send } from './lib-activities.js';
import { scenario } from './lib-scenario.js';

const { options, setup, run, handleSummary } = scenario('connect-ramp', {
  numbers: ({ per_vu, ramp, duration, rate }) => ({
    per_vu: per_vu * 2,
    ramp: ramp * 3,
    duration: Math.min(duration, 30),
    rate: rate / 10,
  }),
  activities: [send],
  slos: ['connect'],
  thresholds: () => ({ connects_refused: ['count==0'] }),
});

export { handleSummary, options, setup };
export default run;
