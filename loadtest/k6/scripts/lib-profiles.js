// How much of everything. A profile is a size; a scenario says what is done with it. Each number can
// be set by the environment variable of its name in capitals, such as RATE or PER_VU.

const PROFILES = {
  // A gate: a minute on two cores.
  ci: {
    vus: 4, // JavaScript worlds; more of them use more cores
    per_vu: 5, // devices in each
    ramp: 2, // seconds in which all connect
    duration: 10, // seconds of load
    rate: 20, // messages a second, by all senders together
    hot_rate: 5, // the same in the one group of everybody
    size: 200, // bytes of a message
    reads: 2, // history pages a second
    quiet: 2, // seconds of silence before the end, which expose a lost tail
    patience: 15, // seconds until what is not there is lost
    audit: 1, // share of the devices that compare message by message
  },
  laptop: {
    vus: 20,
    per_vu: 10,
    ramp: 10,
    duration: 120,
    rate: 50,
    hot_rate: 10,
    size: 200,
    reads: 20,
    quiet: 5,
    patience: 30,
    audit: 1,
  },
  staging: {
    vus: 200,
    per_vu: 25,
    ramp: 60,
    duration: 600,
    rate: 500,
    hot_rate: 10,
    size: 200,
    reads: 200,
    quiet: 10,
    patience: 60,
    audit: 0.2,
  },
  // With the k6 operator and a parallelism of eight or more.
  large: {
    vus: 1000,
    per_vu: 50,
    ramp: 300,
    duration: 1800,
    rate: 2000,
    hot_rate: 20,
    size: 200,
    reads: 500,
    quiet: 20,
    patience: 120,
    audit: 0.02,
  },
};

/** A gate must not fail because its two cores are busy: it is there for what is lost. */
const SLACK = { ci: 40 };

/** Milliseconds at p95 and p99; the variables are SLO_DELIVERY_P95, SLO_DELIVERY_P99 … */
const SLOS = {
  delivery: { p95: 250, p99: 1000 },
  ack: { p95: 250, p99: 1000 },
  connect: { p95: 1000, p99: 5000 },
  reconnect: { p95: 5000, p99: 15000 },
  history: { p95: 250, p99: 1000 },
  typing: { p95: 500, p99: 2000 },
  presence: { p95: 3000, p99: 8000 },
};

/** A number of the environment, under this name. */
export function setting(name, otherwise) {
  const told = __ENV[name.toUpperCase()];
  if (told === undefined || told === '') return otherwise;
  if (Number.isNaN(Number(told))) throw new Error(`${name.toUpperCase()}=${told} is not a number`);
  return Number(told);
}

export const profileName = __ENV.PROFILE || 'ci';

/** The numbers of the profile, as `scenario` changes them, as the environment does. */
export function profile(changes) {
  const base = PROFILES[profileName];
  if (base === undefined) {
    throw new Error(`PROFILE=${profileName}: there are ${Object.keys(PROFILES).join(', ')}`);
  }
  const own = { ...base, ...(typeof changes === 'function' ? changes(base) : changes) };
  for (const name of Object.keys(own)) own[name] = setting(name, own[name]);
  return own;
}

/** Thresholds of a trend, from its SLO; `tag` for those of a part of the run. */
export function slo(name, tag = '') {
  const slack = SLACK[profileName] || 1;
  const below = (stat, limit) => setting(`slo_${name}_${stat}`, limit * slack);
  const { p95, p99 } = SLOS[name];
  return {
    [`${name}_ms${tag}`]: [`p(95)<${below('p95', p95)}`, `p(99)<${below('p99', p99)}`],
  };
}
