// All devices lose their network within half a second and come back, three times, while messages go
// on. What was said meanwhile must be there when they are.

import { send, storm } from './lib-activities.js';
import { setting } from './lib-profiles.js';
import { scenario } from './lib-scenario.js';

const STORMS = 3;

const { options, setup, run, handleSummary } = scenario('reconnect-storm', {
  numbers: ({ duration }) => ({ duration: Math.max(duration, 20) }),
  activities: [send, storm],
  plan: ({ duration }, begins) => ({
    storms: Array.from(
      { length: STORMS },
      (_, n) => begins + (duration * 1000 * (n + 0.5)) / STORMS,
    ),
    share: 1,
    jitter: setting('jitter', 500),
  }),
  slos: ['reconnect', 'connect'],
  thresholds: (_, devices) => ({ reconnects: [`count>=${devices * STORMS}`] }),
});

export { handleSummary, options, setup };
export default run;
