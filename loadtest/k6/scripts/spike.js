// Ten times the usual, for a fifth of the time, and back. While it lasts it may be slow; afterwards
// everything is as before, and nothing is missing.

import { send } from './lib-activities.js';
import { setting, slo } from './lib-profiles.js';
import { scenario } from './lib-scenario.js';

const { options, setup, run, handleSummary } = scenario('spike', {
  numbers: ({ duration }) => ({ duration: Math.max(duration, 20) }),
  stages: ({ duration, rate }) => [
    { stage: 'before', seconds: duration * 0.3, rate },
    { stage: 'spike', seconds: duration * 0.2, rate: rate * setting('factor', 10) },
    { stage: 'recovery', seconds: duration * 0.1, rate },
    { stage: 'after', seconds: duration * 0.4, rate },
  ],
  activities: [send],
  slos: ['connect'],
  thresholds: () => ({
    ...slo('delivery', '{stage:before}'),
    ...slo('delivery', '{stage:after}'),
    ...slo('ack', '{stage:after}'),
    // Held to nothing, and told.
    'delivery_ms{stage:spike}': ['max>=0'],
    'delivery_ms{stage:recovery}': ['max>=0'],
    'ack_ms{stage:spike}': ['max>=0'],
  }),
});

export { handleSummary, options, setup };
export default run;
