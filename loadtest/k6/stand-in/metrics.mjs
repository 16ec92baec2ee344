// k6/metrics: samples, and what thresholds and the summary make of them.

const registry = new Map();

/** Metrics of the same name in other worlds are the same: they share what was added. */
class Metric {
  constructor(name, type) {
    if (!registry.has(name)) registry.set(name, { type, samples: [], tagged: new Map() });
    this.name = name;
    this.held = registry.get(name);
  }

  get samples() {
    return this.held.samples;
  }

  add(value, tags) {
    if (!Number.isFinite(value)) throw new TypeError(`${this.name}: ${value} is not a number`);
    this.held.samples.push(value);
    for (const [tag, text] of Object.entries(tags ?? {})) {
      const key = `{${tag}:${text}}`;
      if (!this.held.tagged.has(key)) this.held.tagged.set(key, []);
      this.held.tagged.get(key).push(value);
    }
  }
}

export class Counter extends Metric {
  constructor(name) {
    super(name, 'counter');
  }
}

export class Trend extends Metric {
  constructor(name) {
    super(name, 'trend');
  }
}

/** Begins anew; for tests. */
export function forget() {
  for (const metric of registry.values()) metric.samples = [];
}

/** The `metrics` of what k6 gives to handleSummary, with the thresholds' outcome. */
export function summarize(options, seconds) {
  const metrics = {};
  for (const [name, { type, samples }] of registry) {
    if (samples.length > 0) metrics[name] = { type, values: values(type, samples, seconds) };
  }
  for (const [full, expressions] of Object.entries(options.thresholds ?? {})) {
    const [, name, tag] = /^([^{]+)(\{.*\})?$/.exec(full);
    const metric = registry.get(name);
    if (metric === undefined) throw new Error(`a threshold names ${name}, which is no metric`);
    const samples = tag === undefined ? metric.samples : (metric.tagged.get(tag) ?? []);
    const own = values(metric.type, samples, seconds);
    const thresholds = {};
    for (const expression of expressions) thresholds[expression] = { ok: holds(expression, own) };
    metrics[full] = { type: metric.type, values: own, thresholds };
  }
  return metrics;
}

function values(type, samples, seconds) {
  if (type === 'counter') {
    const count = samples.reduce((sum, sample) => sum + sample, 0);
    return { count, rate: count / seconds };
  }
  const sorted = Float64Array.from(samples).sort();
  const at = (share) => percentile(sorted, share);
  const sum = sorted.reduce((all, sample) => all + sample, 0);
  return {
    avg: sorted.length > 0 ? sum / sorted.length : 0,
    min: at(0),
    med: at(0.5),
    'p(90)': at(0.9),
    'p(95)': at(0.95),
    'p(99)': at(0.99),
    max: at(1),
    count: sorted.length,
  };
}

/** Between the two samples next to it, as k6 has it. */
function percentile(sorted, share) {
  if (sorted.length === 0) return 0;
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below + (above - below) * (place - Math.floor(place));
}

function holds(expression, own) {
  const [, name, operator, limit] = /^(.+?)(<=|>=|==|<|>)(.+)$/.exec(expression);
  const value = own[name];
  // k6 refuses those that a kind of metric does not have; a trend has no count there.
  if (value === undefined || (name === 'count' && 'med' in own)) {
    throw new Error(`the threshold ${expression} asks for what there is not`);
  }
  const compare = {
    '<=': (a, b) => a <= b,
    '>=': (a, b) => a >= b,
    '==': (a, b) => a === b,
    '<': (a, b) => a < b,
    '>': (a, b) => a > b,
  };
  return compare[operator](value, Number(limit));
}
