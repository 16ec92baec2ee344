// Does everything work at all? Messages, edits, deletions, read marks, typing, presence, history, and
// a reconnect, all at once and little of each.

import { change, comeAndGo, history, read, send, storm, type } from './lib-activities.js';
import { scenario } from './lib-scenario.js';

const { options, setup, run, handleSummary } = scenario('smoke', {
  activities: [send, read, change, type, comeAndGo, history, storm],
  plan: ({ duration }, begins) => ({
    watched: 50,
    storms: [begins + duration * 500],
    share: 0.5,
    jitter: 500,
  }),
  slos: ['delivery', 'ack', 'connect', 'reconnect', 'history'],
  thresholds: () => ({ reconnects: ['count>0'], history_ms: ['max>0'] }),
});

export { handleSummary, options, setup };
export default run;
