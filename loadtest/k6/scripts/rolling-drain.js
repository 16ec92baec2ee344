// A steady load while somebody drains and restarts the replicas, one after the other (`local` does;
// elsewhere `kubectl rollout restart`). Nobody may notice: devices are told where to go in time, and
// the load balancer refuses none of them.

import { read, send } from './lib-activities.js';
import { scenario } from './lib-scenario.js';

const { options, setup, run, handleSummary } = scenario('rolling-drain', {
  numbers: ({ duration }) => ({ duration: Math.max(duration, 60) }),
  activities: [send, read],
  slos: ['delivery', 'ack', 'connect', 'reconnect'],
  thresholds: () => ({ reconnects: ['count>0'], connects_refused: ['count==0'] }),
});

export { handleSummary, options, setup };
export default run;
