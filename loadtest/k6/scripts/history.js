// People scroll back through what was said, page by page, while others go on talking. Each page must
// join the one before it.

import { history, send } from './lib-activities.js';
import { scenario } from './lib-scenario.js';

const { options, setup, run, handleSummary } = scenario('history', {
  numbers: ({ rate, reads }) => ({ rate: rate / 2, reads: reads * 5 }),
  activities: [send, history],
  slos: ['delivery', 'ack', 'history'],
  thresholds: () => ({ history_ms: ['max>0'] }),
});

export { handleSummary, options, setup };
export default run;
