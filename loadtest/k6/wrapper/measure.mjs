// What a run costs on the other side: processors and memory of its processes, the gateways' own
// metrics, what Redis and Postgres count. Each of them only where it is told where to look.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';

const TICKS = 100;

/** Metrics of the gateway that are gauges; everything else is counted from before to after. */
const GAUGES = ['parley_connections', 'parley_runtime_tasks', 'parley_store_pool_in_use'];
/** Those that a report shows. */
const COUNTERS = [
  'parley_messages_accepted_total',
  'parley_messages_repeated_total',
  'parley_frames_sent_total',
  'parley_bytes_sent_total',
  'parley_connections_opened_total',
  'parley_resumes_refused_total',
  'parley_gap_entries_total',
  'parley_bus_published_total',
  'parley_bus_dropped_total',
  'parley_bus_lagged_total',
  'parley_slow_consumer_closes_total',
  'parley_unread_mismatches_total',
  'parley_panics_total',
];

/**
 * `where`: {processes: {name: [pid, or file with one]}, admin: [url], redis: url, postgres: url}.
 * Processes may be restarted meanwhile if they are named by files.
 */
export class Measure {
  constructor(where) {
    this.where = where;
    /** By process: seconds of CPU that were seen so far. */
    this.seen = new Map();
    this.used = {};
    this.highest = {};
  }

  /** Everything that only grows, and how much memory is in use. */
  async snapshot() {
    const { admin, redis, postgres } = this.where;
    return {
      processes: this.look(),
      gateway: await Promise.all(admin.map(gatewayMetrics)),
      redis: redis ? await redisInfo(redis) : null,
      postgres: postgres ? postgresCounters(postgres) : null,
    };
  }

  /** Looks again and again: until the returned function is called. */
  watch(interval = 500) {
    this.highest = {};
    const timer = setInterval(() => this.look(), interval);
    return () => clearInterval(timer);
  }

  look() {
    const found = {};
    for (const [name, places] of Object.entries(this.where.processes)) {
      const all = places.map(pidOf).filter(Boolean).flatMap(family);
      const figures = all.map(processFigures).filter(Boolean);
      for (const { pid, cpu } of figures) {
        const key = `${name} ${pid}`;
        this.used[name] = (this.used[name] ?? 0) + cpu - (this.seen.get(key) ?? 0);
        this.seen.set(key, cpu);
      }
      const sum = (key) => figures.reduce((total, each) => total + each[key], 0);
      // Postgres' processes share most of theirs: that counts once.
      const rss = sum('own') + Math.max(0, ...figures.map(({ shared }) => shared));
      found[name] = { cpu_s: this.used[name] ?? 0, rss_mib: rss, descriptors: sum('descriptors') };
      this.highest[name] = Math.max(this.highest[name] ?? 0, rss);
    }
    return found;
  }

  /** What lies between two snapshots. */
  difference(before, after) {
    const processes = {};
    for (const [name, now] of Object.entries(after.processes)) {
      processes[name] = {
        cpu_s: round(now.cpu_s - before.processes[name].cpu_s),
        rss_mib: round(now.rss_mib),
        rss_highest_mib: round(this.highest[name]),
        rss_grown_mib: round(now.rss_mib - before.processes[name].rss_mib),
        descriptors: now.descriptors,
      };
    }
    const gateways = after.gateway.map((now, n) => subtract(before.gateway[n], now, GAUGES));
    return {
      processes,
      gateway: gateways.length > 0 ? added(gateways) : null,
      redis: subtract(before.redis, after.redis, ['used_memory']),
      postgres: subtract(before.postgres, after.postgres, ['numbackends']),
    };
  }
}

const round = (value) => Math.round(value * 100) / 100;

/** A counter that is lower than before began anew. */
function subtract(before, after, asTheyAre) {
  if (before === null || after === null) return null;
  const entries = Object.entries(after).map(([name, value]) => {
    const old = asTheyAre.includes(name) || value < before[name] ? 0 : (before[name] ?? 0);
    return [name, value - old];
  });
  return Object.fromEntries(entries);
}

function added(all) {
  const sums = {};
  for (const each of all) {
    for (const [name, value] of Object.entries(each)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

function pidOf(place) {
  if (/^\d+$/.test(place)) return Number(place);
  try {
    return Number.parseInt(readFileSync(place, 'utf8'), 10) || null;
  } catch {
    return null;
  }
}

/** A process and its children: Postgres is many. */
function family(pid) {
  const children = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (statFields(entry)[1] === String(pid)) children.push(Number(entry));
    } catch {
      // It has just ended.
    }
  }
  return [pid, ...children.flatMap(family)];
}

/** The fields of /proc/PID/stat behind the name, which may hold spaces. */
function statFields(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function processFigures(pid) {
  try {
    const fields = statFields(pid);
    // With those of children that have ended: a Postgres loses none of its sessions.
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const mib = (key) =>
      Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024;
    const shared = mib('RssShmem');
    const own = mib('VmRSS') - shared;
    let descriptors = 0;
    try {
      descriptors = readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      // Somebody else's.
    }
    return { pid, cpu: ticks / TICKS, own, shared, descriptors };
  } catch {
    return null;
  }
}

/** Of one replica; labels are added up. */
async function gatewayMetrics(url) {
  const sums = Object.fromEntries([...COUNTERS, ...GAUGES].map((name) => [name, 0]));
  const text = await (await fetch(`${url}/metrics`)).text();
  for (const line of text.split('\n')) {
    const sample = /^([a-z_]+)(?:\{.*\})? ([0-9.e+-]+)$/.exec(line);
    if (sample !== null && sample[1] in sums) sums[sample[1]] += Number(sample[2]);
  }
  return sums;
}

const REDIS = [
  'total_commands_processed',
  'total_net_input_bytes',
  'total_net_output_bytes',
  'evicted_keys',
  'used_memory',
];

/** INFO, over a plain socket: there need be no redis-cli here. */
function redisInfo(url) {
  const { hostname, port, username, password } = new URL(url);
  const words = [username && password ? username : null, password || null].filter(Boolean);
  const login = words.length > 0 ? `AUTH ${words.map(decodeURIComponent).join(' ')}\r\n` : '';
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port || 6379) });
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(5000, () => socket.destroy(new Error('Redis does not answer')));
    socket.on('error', reject);
    socket.on('connect', () => socket.write(`${login}INFO\r\nQUIT\r\n`));
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('close', () => {
      const found = {};
      for (const name of REDIS) {
        const told = new RegExp(`^${name}:(\\d+)`, 'm').exec(text);
        if (told !== null) found[name] = Number(told[1]);
      }
      resolve(found);
    });
  });
}

const POSTGRES = [
  'xact_commit',
  'xact_rollback',
  'tup_inserted',
  'tup_updated',
  'blks_read',
  'blks_hit',
  'deadlocks',
  'temp_bytes',
  'numbackends',
];

function postgresCounters(url) {
  const query = `select ${POSTGRES.join(', ')} from pg_stat_database
    where datname = current_database()`;
  const wal = 'select wal_bytes::bigint from pg_stat_wal';
  const ask = (sql) => {
    const options = ['-XAtq', '-F', ' ', '-c', sql, url];
    return execFileSync('psql', options, { encoding: 'utf8' }).trim().split(' ').map(Number);
  };
  const values = ask(query);
  const found = Object.fromEntries(POSTGRES.map((name, index) => [name, values[index]]));
  [found.wal_bytes] = ask(wal);
  return found;
}
