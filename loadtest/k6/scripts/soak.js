// For hours: the steady load, with history read beside it and a twentieth of all devices losing their
// network each minute. `run` shows whether memory, descriptors and tasks of the gateway stay flat.

import { history, read, send, storm } from './lib-activities.js';
import { scenario } from './lib-scenario.js';

const { options, setup, run, handleSummary } = scenario('soak', {
  numbers: ({ duration, reads }) => ({ duration: Math.max(duration, 1800), reads: reads / 4 }),
  activities: [send, read, history, storm],
  plan: ({ duration }, begins) => ({
    storms: Array.from(
      { length: Math.floor(duration / 60) },
      (_, n) => begins + (n + 0.5) * 60_000,
    ),
    share: 0.05,
    jitter: 5000,
  }),
  slos: ['delivery', 'ack', 'connect', 'reconnect', 'history'],
});

export { handleSummary, options, setup };
export default run;
