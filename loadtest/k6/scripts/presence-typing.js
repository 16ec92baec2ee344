// What is best effort: who types, who is there. A few messages beside it, since they must not suffer.

import { comeAndGo, send, type } from './lib-activities.js';
import { scenario } from './lib-scenario.js';

const { options, setup, run, handleSummary } = scenario('presence-typing', {
  numbers: ({ rate, duration }) => ({ rate: rate / 5, duration: Math.max(duration, 20) }),
  activities: [send, type, comeAndGo],
  plan: () => ({ watched: 50 }),
  slos: ['delivery', 'ack', 'typing', 'presence'],
  thresholds: () => ({ typing_ms: ['max>0'], presence_ms: ['max>0'] }),
});

export { handleSummary, options, setup };
export default run;
