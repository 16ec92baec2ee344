// Browser tests against a real gateway: all of them, or the stories named as arguments. Ends with
// one line of counts; any failure, and anything missing that the tests need, ends in a status
// other than 0.
import { existsSync } from 'node:fs';
import { openBrowser } from './browser.mjs';
import { openGateway } from './gateway.mjs';
import { details } from './stories/details.mjs';
import { history } from './stories/history.mjs';
import { look } from './stories/look.mjs';
import { manners } from './stories/manners.mjs';
import { people } from './stories/people.mjs';
import { replicas } from './stories/replicas.mjs';
import { tabs } from './stories/tabs.mjs';
import { talk } from './stories/talk.mjs';
import { visits } from './stories/visits.mjs';

const stories = { talk, history, details, tabs, visits, replicas, manners, people, look };

if (!existsSync(new URL('../../dist/index.html', import.meta.url))) {
  console.error('e2e: dist/ is missing, run `npm run build` first');
  process.exit(1);
}
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in stories));
if (unknown.length > 0) {
  console.error(
    `e2e: no story is called ${unknown.join(', ')}; there are ${Object.keys(stories).join(', ')}`,
  );
  process.exit(1);
}

let passed = 0;
let failed = 0;
const gateway = await openGateway();
const browser = await openBrowser();
try {
  for (const [story, tell] of Object.entries(stories)) {
    if (wanted.length > 0 && !wanted.includes(story)) continue;
    const ends = /** @type {(() => Promise<void>)[]} */ ([]);
    const world = {
      gateway,
      browser,
      atEnd: (/** @type {() => Promise<void>} */ end) => ends.push(end),
    };
    for (const [name, run] of tell(world)) await check(`${story}: ${name}`, run);
    // Nobody of one story is there in the next.
    for (const context of browser.contexts()) await context.close();
    for (const end of ends) await end();
  }
} finally {
  await browser.close();
  await gateway.stop();
}
console.log(`e2e: ${passed + failed} run, ${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** @param {string} name @param {() => Promise<void>} run */
async function check(name, run) {
  const began = Date.now();
  try {
    await run();
    passed += 1;
    console.log(`ok   ${name} (${Date.now() - began} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error instanceof Error ? (error.stack ?? '') : String(error)}`);
    await photograph(name);
  }
}

/** What every page looked like when a test failed, if somebody wants to see it. @param {string} name */
async function photograph(name) {
  const folder = process.env.PARLEY_E2E_SHOTS;
  if (folder === undefined) return;
  for (const [index, context] of browser.contexts().entries()) {
    for (const page of context.pages()) {
      const path = `${folder}/${name.replaceAll(/\W+/g, '-')}-${index}.png`;
      await page.screenshot({ path, timeout: 5_000 }).catch(() => {});
    }
  }
}
