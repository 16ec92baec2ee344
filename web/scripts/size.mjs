// The size gate, in gzip bytes: the entry script with what it imports before it runs, the styles,
// and all that the first load fetches (page, scripts, styles and the one font file that Latin text
// needs). What is loaded on demand is not part of it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url).pathname;
if (!existsSync(join(dist, 'index.html'))) {
  console.error('size: dist/ is missing, run `npm run build` first');
  process.exit(1);
}

const files = readdirSync(join(dist, 'assets')).filter((name) => !/\.(?:br|gz)$/.test(name));
/** @param {string} name */
const gzip = (name) => gzipSync(readFileSync(join(dist, name)), { level: 9 }).length;
/** @param {RegExp} pattern */
const sum = (pattern) =>
  files
    .filter((name) => pattern.test(name))
    .reduce((total, name) => total + gzip(`assets/${name}`), 0);

const html = readFileSync(join(dist, 'index.html'), 'utf8');
/** The scripts and sheets that the page names: its entry, and what the entry imports at once. */
const named = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, name = '']) => name);
/** @param {RegExp} pattern */
const first = (pattern) =>
  named.filter((name) => pattern.test(name)).reduce((total, name) => total + gzip(name), 0);

const entry = first(/assets\/(?!theme-).*\.js$/);
const css = sum(/\.css$/);
const load = gzip('index.html') + first(/\.(?:js|css|svg)$/) + sum(/-latin-wght-.*\.woff2$/);

let failed = false;
for (const [label, bytes, limit] of /** @type {[string, number, number][]} */ ([
  ['entry script', entry, 55],
  ['styles', css, 10],
  ['first load', load, 100],
])) {
  const over = bytes === 0 || bytes > limit * 1024;
  failed ||= over;
  console.log(`${over ? 'OVER' : 'ok  '} ${label}: ${(bytes / 1024).toFixed(1)} KB of ${limit} KB`);
}
process.exit(failed ? 1 : 0);
