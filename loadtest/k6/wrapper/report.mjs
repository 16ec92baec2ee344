// A result as one page: no scripts, nothing from elsewhere, light or dark as the reader has it.

import { CORRECTNESS, show } from './figures.mjs';

const STYLE = `
  :root { color-scheme: light dark; --line: #8883; --soft: #8882; --good: #1a7f37; --bad: #c4232b;
    --bar: #4a7dd0; }
  @media (prefers-color-scheme: dark) { :root { --good: #4ac26b; --bad: #ff7b72; --bar: #6ea0f0; } }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
  h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
  th:first-child, td:first-child { text-align: left; } thead th { font-weight: 600; }
  td, .big { font-variant-numeric: tabular-nums; }
  .good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
  .counts { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; }
  .counts div { background: var(--soft); border-radius: .5rem; padding: .6rem 1rem; min-width: 8rem; }
  .big { font-size: 1.6rem; font-weight: 600; display: block; }
  .bar { background: var(--bar); height: .6rem; border-radius: .3rem; min-width: 1px; }
  td.bars { width: 30%; } .wide { overflow-x: auto; } .muted { opacity: .7; }`;

export function report(summary) {
  const { scenario, profile, begun, passed, tool, note } = summary;
  const title = `${scenario}, profile ${profile}`;
  const verdict = passed ? '<b class="good">passed</b>' : '<b class="bad">failed</b>';
  const warning =
    tool.name === 'k6'
      ? ''
      : '<p class="bad">Not run by k6 but by its stand-in: the counts are true, the figures are not k6’s.</p>';
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${plain(title)}</title>
<style>${STYLE}
</style>
<h1>${plain(title)}: ${verdict}</h1>
<p class="muted">${plain(begun)}, ${summary.seconds} s, ${summary.repeats.length} run(s)
${note ? `· ${plain(note)}` : ''}</p>
${warning}
${counts(summary)}
${failures(summary)}
${figures(summary)}
${stages(summary)}
${thresholds(summary)}
${costs(summary)}
${circumstances(summary)}
</html>
`;
}

function plain(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return String(text).replace(/[&<>"]/g, (character) => entities[character]);
}

function table(head, rows) {
  const cell = (tag) => (value) =>
    typeof value === 'object' ? value.html : `<${tag}>${plain(value)}</${tag}>`;
  const line = (tag, cells) => `<tr>${cells.map(cell(tag)).join('')}</tr>`;
  const body = rows.map((row) => line('td', row)).join('\n');
  return `<div class="wide"><table><thead>${line('th', head)}</thead><tbody>\n${body}\n</tbody></table></div>`;
}

const total = ({ repeats }, name) =>
  repeats.reduce((sum, { metrics }) => sum + (metrics[name]?.values.count ?? 0), 0);

function counts(summary) {
  const box = (name, kind) => {
    const count = total(summary, name);
    return `<div><span class="big ${kind(count)}">${show(count)}</span>${plain(name.replaceAll('_', ' '))}</div>`;
  };
  const zero = (count) => (count === 0 ? 'good' : 'bad');
  const others = [
    'messages_sent',
    'messages_delivered',
    'entries_audited',
    'devices_done',
    'reconnects',
  ];
  const boxes = [...CORRECTNESS, 'send_failed'].map((name) => box(name, zero));
  return `<div class="counts">${[...boxes, ...others.map((name) => box(name, () => ''))].join('')}</div>`;
}

function failures({ repeats }) {
  const all = repeats.flatMap(({ failed }, n) => failed.map((each) => `run ${n + 1}: ${each}`));
  if (all.length === 0) return '';
  return `<ul>${all.map((each) => `<li class="bad">${plain(each)}</li>`).join('')}</ul>`;
}

function figures({ figures: found, repeats }) {
  const longest = Math.max(...found.filter(({ unit }) => unit === 'ms').map(({ high }) => high), 1);
  const rows = found.map(({ name, unit, median, low, high }) => {
    // Latencies span decades, so the bars are logarithmic.
    const share = unit === 'ms' ? Math.log1p(median) / Math.log1p(longest) : null;
    const width =
      share === null ? '' : `<div class="bar" style="width:${Math.round(share * 100)}%"></div>`;
    const range = repeats.length > 1 ? `${show(low)} to ${show(high)}` : '';
    return [name, `${show(median)} ${unit}`, range, { html: `<td class="bars">${width}</td>` }];
  });
  return `<h2>Figures</h2>${table(['', 'median of the runs', 'from, to', ''], rows)}
<p class="muted">Latencies count from the time a message was meant to be sent, at every recipient.
“generator late” is how late the generator was itself.</p>`;
}

/** Scenarios with stages, such as spike and breakpoint. */
function stages({ repeats }) {
  const rows = [];
  for (const [name, { values }] of Object.entries(repeats.at(-1).metrics)) {
    const part = /^(\w+)_ms\{stage:(.+)\}$/.exec(name);
    if (part === null || values.count === 0) continue;
    const stats = ['med', 'p(95)', 'p(99)', 'max'].map((stat) => show(values[stat]));
    rows.push([`${part[2]}: ${part[1]}`, ...stats]);
  }
  if (rows.length === 0) return '';
  return `<h2>By stage (ms, last run)</h2>${table(['', 'median', 'p95', 'p99', 'max'], rows)}`;
}

function thresholds({ repeats }) {
  const rows = [];
  for (const [name, { thresholds: all }] of Object.entries(repeats.at(-1).metrics)) {
    for (const [threshold, { ok }] of Object.entries(all ?? {})) {
      const held = repeats.every(({ metrics }) => metrics[name]?.thresholds?.[threshold]?.ok);
      const word = ok && held ? 'holds' : 'failed';
      const kind = word === 'holds' ? 'good' : 'bad';
      rows.push([name, threshold, { html: `<td class="${kind}">${word}</td>` }]);
    }
  }
  return `<h2>Thresholds</h2>${table(['metric', 'threshold', ''], rows)}`;
}

function costs({ repeats }) {
  const { server } = repeats.at(-1);
  const processes = Object.entries(server.processes).map(([name, each]) => [
    name,
    show(each.cpu_s),
    show(each.rss_highest_mib),
    show(each.rss_mib),
    show(each.rss_grown_mib),
    show(each.descriptors),
  ]);
  const counters = [];
  for (const part of ['gateway', 'postgres', 'redis']) {
    for (const [name, value] of Object.entries(server[part] ?? {})) {
      counters.push([part, name, show(value)]);
    }
  }
  const head = ['process', 'CPU s', 'highest MiB', 'MiB after', 'grown MiB', 'descriptors'];
  const parts = [];
  if (processes.length > 0) parts.push(table(head, processes));
  if (counters.length > 0) parts.push(table(['', 'counter', 'last run'], counters));
  if (parts.length === 0) return '';
  return `<h2>On the other side</h2>${parts.join('\n')}`;
}

function circumstances(summary) {
  const { tool, versions, machine, dataset, settings, target } = summary;
  const list = (object) =>
    Object.entries(object)
      .map(([key, value]) => `${key.replaceAll('_', ' ')} ${value}`)
      .join(', ');
  const rows = [
    ['tool', `${tool.name} ${tool.version}`],
    ['versions', list(versions)],
    ['machine of the generator', list(machine)],
    ['dataset', list(dataset)],
    ['numbers', list(summary.repeats[0].numbers)],
    ['settings', list(settings) || 'those of the profile'],
    ['target', target],
  ];
  return `<h2>Circumstances</h2>${table(['', ''], rows)}`;
}
