// Two summaries next to each other. A difference counts only outside of the noise: what repeats of
// the same thing differ by, and never less than `--noise` per cent.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CORRECTNESS, show } from './figures.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { noise: { type: 'string', default: '10' } },
});
if (positionals.length !== 2) {
  console.error(
    'loadtest/k6/compare BEFORE AFTER [--noise PER_CENT]: folders or summary.json of `run`',
  );
  process.exit(2);
}
const [before, after] = positionals.map(read);
const least = Number(values.noise) / 100;

for (const difference of otherwise(before, after)) console.log(`! ${difference}`);
for (const [word, { machine }] of Object.entries({ before, after })) {
  const { load_before: load, processors } = machine;
  if (load > processors)
    console.log(`! ${word}: busy already, a load of ${show(load)} on ${processors}`);
}
const rows = [['figure', 'before', 'after', 'difference', 'noise', '']];
let worse = 0;
for (const old of before.figures) {
  const now = after.figures.find(({ name }) => name === old.name);
  if (now === undefined) continue;
  const change = old.median === 0 ? 0 : (now.median - old.median) / old.median;
  const band = Math.max(least, spread(old), spread(now));
  const word = Math.abs(change) <= band ? '' : change > 0 === old.more ? 'better' : 'WORSE';
  if (word === 'WORSE') worse += 1;
  const sign = change > 0 ? '+' : '';
  const told = (figure) => `${show(figure.median)} ${figure.unit}`;
  rows.push([old.name, told(old), told(now), `${sign}${per(change)}`, `±${per(band)}`, word]);
}
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
for (const row of rows) {
  const cells = row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n])));
  console.log(cells.join('  ').trimEnd());
}
for (const name of CORRECTNESS) {
  const count = after.repeats.reduce(
    (sum, each) => sum + (each.metrics[name]?.values.count ?? 0),
    0,
  );
  if (count > 0) console.log(`${name}: ${count}, and must be 0`);
  if (count > 0) worse += 1;
}
process.exitCode = worse > 0 ? 1 : 0;

function read(place) {
  const file = statSync(place).isDirectory() ? join(place, 'summary.json') : place;
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Half of what the repeats of one side lie apart. */
function spread({ low, high, median }) {
  return median === 0 ? 0 : (high - low) / 2 / median;
}

function per(share) {
  return `${(share * 100).toFixed(1)} %`;
}

/** Whatever else is not the same, so that nobody compares what cannot be compared. */
function otherwise(one, other) {
  const about = (summary) => ({
    scenario: summary.scenario,
    profile: summary.profile,
    tool: `${summary.tool.name} ${summary.tool.version}`,
    settings: JSON.stringify(summary.settings),
    dataset: JSON.stringify(summary.dataset),
    machine: `${summary.machine.processors} × ${summary.machine.model}`,
  });
  const [a, b] = [about(one), about(other)];
  return Object.keys(a)
    .filter((key) => a[key] !== b[key])
    .map((key) => `${key}: ${a[key]} before, ${b[key]} after`);
}
