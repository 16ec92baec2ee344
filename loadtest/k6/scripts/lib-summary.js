// The end of a run: a few lines for a person, and a file for `run` where SUMMARY names one.

const COUNTS = [
  'lost',
  'duplicated',
  'out_of_order',
  'send_failed',
  'messages_sent',
  'messages_delivered',
  'entries_audited',
  'devices_done',
  'reconnects',
  'connects_refused',
  'resets',
];

/** Without what setup() returned: there are tokens in it. */
export function summarize(data, about) {
  const metrics = {};
  for (const [name, { type, values, thresholds }] of Object.entries(data.metrics)) {
    metrics[name] = { type, values };
    if (thresholds) metrics[name].thresholds = thresholds;
  }
  const seconds = data.state.testRunDurationMs / 1000;
  const failed = failures(metrics);
  const summary = { ...about, seconds, passed: failed.length === 0, failed, metrics };
  const written = { stdout: text(summary) };
  if (__ENV.SUMMARY) written[__ENV.SUMMARY] = JSON.stringify(summary, null, 2);
  return written;
}

function failures(metrics) {
  const failed = [];
  for (const [name, { thresholds, values }] of Object.entries(metrics)) {
    for (const [threshold, { ok }] of Object.entries(thresholds || {})) {
      if (!ok) failed.push(`${name}: ${threshold} (${told(threshold, values)})`);
    }
  }
  return failed;
}

/** The figure that a threshold is about. */
function told(threshold, values) {
  const [name] = /^[a-z]+(\(\d+\))?/.exec(threshold);
  return values[name] === undefined ? 'not measured' : round(values[name]);
}

const round = (value) => Math.round(value * 10) / 10;

function text({ scenario, profile, devices, seconds, metrics, failed }) {
  const lines = [`\n${scenario}, profile ${profile}: ${devices} devices, ${round(seconds)} s\n`];
  for (const name of COUNTS) {
    if (metrics[name]) lines.push(`  ${name.padEnd(20)}${metrics[name].values.count}`);
  }
  lines.push('');
  const trends = Object.keys(metrics).filter((name) => /_ms(\{|$)/.test(name));
  for (const name of trends.sort()) {
    const { values } = metrics[name];
    const figures = ['med', 'p(95)', 'p(99)', 'max'].map(
      (stat) => `${stat} ${round(values[stat])}`,
    );
    lines.push(`  ${name.padEnd(28)}${figures.join('  ')}  (${values.count})`);
  }
  lines.push('', ...failed.map((each) => `  FAILED ${each}`));
  lines.push(failed.length === 0 ? '  All thresholds hold.\n' : '');
  return lines.join('\n');
}
