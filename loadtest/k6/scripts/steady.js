// An ordinary day: messages at a steady rate into the conversations of everybody, read as they come.

import { read, send } from './lib-activities.js';
import { scenario } from './lib-scenario.js';

const { options, setup, run, handleSummary } = scenario('steady', { activities: [send, read] });

export { handleSummary, options, setup };
export default run;
