// The figures of a run that reports show and comparisons compare, from its raw parts.

/** Lower is better for all of them but those that are marked. */
export const FIGURES = [
  { name: 'messages acknowledged', unit: '/s', more: true, from: rate('messages_sent') },
  { name: 'messages delivered', unit: '/s', more: true, from: rate('messages_delivered') },
  ...[
    'delivery',
    'ack',
    'connect',
    'reconnect',
    'catch_up',
    'history',
    'typing',
    'presence',
  ].flatMap((name) => ['med', 'p(95)', 'p(99)'].map((stat) => trend(name, stat))),
  trend('generator_late', 'p(99)'),
  { name: 'gateway CPU', unit: 's', from: ({ server }) => server.processes.gateway?.cpu_s },
  {
    name: 'gateway CPU per 1,000 deliveries',
    unit: 's',
    from: ({ server, metrics }) => perThousand(server.processes.gateway?.cpu_s, metrics),
  },
  {
    name: 'gateway memory, highest',
    unit: 'MiB',
    from: ({ server }) => server.processes.gateway?.rss_highest_mib,
  },
  { name: 'Postgres CPU', unit: 's', from: ({ server }) => server.processes.postgres?.cpu_s },
  { name: 'Postgres commits', unit: '', from: ({ server }) => server.postgres?.xact_commit },
  {
    name: 'Postgres log written',
    unit: 'MiB',
    from: ({ server }) => server.postgres && server.postgres.wal_bytes / 2 ** 20,
  },
  { name: 'Redis CPU', unit: 's', from: ({ server }) => server.processes.redis?.cpu_s },
  {
    name: 'Redis commands',
    unit: '',
    from: ({ server }) => server.redis?.total_commands_processed,
  },
];

export const CORRECTNESS = ['lost', 'duplicated', 'out_of_order'];

function rate(name) {
  return ({ metrics, load }) => {
    const count = metrics[name]?.values.count;
    return count === undefined ? undefined : count / load;
  };
}

function trend(name, stat) {
  const from = ({ metrics }) => {
    const values = metrics[`${name}_ms`]?.values;
    return values && values.count > 0 ? values[stat] : undefined;
  };
  return { name: `${name.replace('_', ' ')} ${stat}`, unit: 'ms', from };
}

function perThousand(cpu, metrics) {
  const count = metrics.messages_delivered?.values.count;
  return cpu === undefined || !count ? undefined : (cpu / count) * 1000;
}

/** Of each figure that was measured: its values, their median, lowest and highest. */
export function gather(repeats) {
  const found = [];
  for (const { name, unit, more = false, from } of FIGURES) {
    const values = repeats.map(from).filter((value) => Number.isFinite(value));
    if (values.length === 0) continue;
    const sorted = [...values].sort((a, b) => a - b);
    const middle = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
    found.push({ name, unit, more, values, median: middle, low: sorted[0], high: sorted.at(-1) });
  }
  return found;
}

/** As many digits as say something. */
export function show(value) {
  if (value === undefined || value === null) return '';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
