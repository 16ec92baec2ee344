// One group that everybody is in, and a few who write to it: each message goes to all.

import { send } from './lib-activities.js';
import { scenario } from './lib-scenario.js';

const { options, setup, run, handleSummary } = scenario('hot-group', {
  numbers: ({ hot_rate }) => ({ rate: hot_rate, senders: 5 }),
  activities: [send],
  hot: true,
});

export { handleSummary, options, setup };
export default run;
