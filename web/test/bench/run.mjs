// Measures the page against a real gateway and prints what it finds, with the budget beside it:
// numbers to look at, not tests. PARLEY_BENCH_MESSAGES and PARLEY_BENCH_CONVERSATIONS make it
// shorter. Needs sqlite3 for the long conversation.
import { openBrowser, Person } from '../e2e/browser.mjs';
import { openGateway, Rest } from '../e2e/gateway.mjs';
import { pause, suffix } from '../e2e/tools.mjs';
import { seed } from './seed.mjs';

const MESSAGES = Number(process.env.PARLEY_BENCH_MESSAGES ?? 100_000);
const CONVERSATIONS = Number(process.env.PARLEY_BENCH_CONVERSATIONS ?? 50);
const AT_ONCE = 64;
const THROTTLE = 4;
const SCROLL_MS = 15_000;
/** In processor time, so that a busy machine does not change it. */
const WORKED = '… of which the page itself was at work';

/** @param {number[]} values @param {number} share */
const quantile = (values, share) =>
  values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ] ?? 0;
/** @param {string} what @param {number[]} values @param {number} limit */
const tell = (what, values, limit) => {
  const [p50, p95] = [quantile(values, 0.5), quantile(values, 0.95)];
  print(
    what,
    `p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`,
    `p95 ${limit} ms`,
    p95 <= limit,
  );
};
/** @param {string} what @param {string} found @param {string} budget @param {boolean} kept */
const print = (what, found, budget, kept) => {
  const verdict = kept ? 'kept' : 'MISSED';
  console.log(`${what.padEnd(48)} ${found.padEnd(28)} budget ${budget.padEnd(10)} ${verdict}`);
};

/** @param {Rest} rest @param {string} id @param {number} count */
async function fill(rest, id, count) {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      next += 1;
      await rest.send(id, `line ${next} ${'word '.repeat(next % 23)}`.trim());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const gateway = await openGateway();
const browser = await openBrowser();
try {
  const ada = await Person.open(browser, gateway.url, `bench${suffix}`);
  await ada.page.addInitScript(() => {
    // When each message came in, for the time until it can be seen.
    const heard = new Map();
    Object.assign(globalThis, { heard });
    const property = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
    Object.defineProperty(WebSocket.prototype, 'onmessage', {
      ...property,
      set(handler) {
        this.addEventListener('message', (/** @type {any} */ event) => {
          const body = /"body":"(probe \d+)"/.exec(event.data)?.[1];
          if (body !== undefined) heard.set(body, performance.now());
        });
        property?.set?.call(this, handler);
      },
    });
  });
  await ada.register();
  const me = (await Rest.login(gateway.url, ada.username)).user.id;
  const bo = await Rest.register(gateway.url, `other${suffix}`);
  const groups = [];
  for (let n = 0; n < CONVERSATIONS; n += 1) {
    const group = {
      kind: 'group',
      title: `Room ${n}`,
      participant_ids: [me],
      client_id: crypto.randomUUID(),
    };
    const { id } = await bo.post('/conversations', group);
    await fill(bo, id, 60);
    groups.push(id);
  }
  const { id: long } = await bo.post('/conversations', { kind: 'direct', participant_ids: [me] });
  if (gateway.without === undefined) throw new Error('needs PARLEY_GATEWAY_BIN');
  const { data } = gateway;
  await fill(bo, long, 1);
  const began = Date.now();
  await gateway.without(async () => seed(data, long, MESSAGES));
  console.log(`${MESSAGES} messages written in ${((Date.now() - began) / 1000).toFixed(1)} s\n`);

  const devtools = await ada.page.context().newCDPSession(ada.page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  /** Milliseconds of processor time that the page has used: others on this machine use none of it. */
  const busy = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0);
  };

  // Each conversation once, so that it is in memory; then the switches that count.
  await ada.page.goto('/');
  await ada.page.locator('.conversation').first().click();
  const switches = async () =>
    await ada.page.evaluate(async () => {
      const wait = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      const before = document.querySelector('.chat-header h1')?.textContent;
      const start = performance.now();
      window.dispatchEvent(
        new KeyboardEvent('keydown', { key: 'ArrowDown', altKey: true, bubbles: true }),
      );
      for (;;) {
        await wait();
        const title = document.querySelector('.chat-header h1')?.textContent;
        const there = document.querySelector('.chat .message') !== null;
        if (title !== before && there) return performance.now() - start;
        if (performance.now() - start > 2_000) return -1;
      }
    });
  for (let n = 0; n < 25; n += 1) {
    await switches();
    await pause(150);
  }
  await ada.page.locator('.conversation').first().click();
  await pause(500);
  const [took, worked] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
  for (let n = 0; n < 25; n += 1) {
    const before = await busy();
    const ms = await switches();
    if (ms >= 0) {
      took.push(ms);
      worked.push((await busy()) - before);
    }
    await pause(100);
  }
  tell('switch to a conversation in memory, key to paint', took, 50);
  tell(WORKED, worked, 50);

  const opened = [];
  for (let n = 0; n < 10; n += 1) {
    const ms = await ada.page.evaluate(async () => {
      const start = performance.now();
      const key = { key: 'k', ctrlKey: true, bubbles: true };
      window.dispatchEvent(new KeyboardEvent('keydown', key));
      while (document.querySelector('dialog[open] [role="option"]') === null) {
        await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      }
      return performance.now() - start;
    });
    opened.push(ms);
    await ada.page.keyboard.press('Escape');
    await pause(100);
  }
  tell('the switcher, key to paint', opened, 50);

  await ada.page.goto(`/c/${long}`);
  await ada.page.locator('.message').first().waitFor();
  // All is unread, so it opened at the beginning; Escape leads to the end.
  await ada.live();
  await pause(1_000);
  await ada.page.keyboard.press('Escape');
  await pause(2_000);
  await ada.page.evaluate(() => {
    const painted = /** @type {number[]} */ ([]);
    Object.assign(globalThis, { painted });
    const list = document.querySelector('.rows');
    if (list === null) return;
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) {
        for (const node of addedNodes) {
          const body = node.textContent?.match(/probe \d+/)?.[0];
          // @ts-expect-error put there above
          const at = body === undefined ? undefined : globalThis.heard.get(body);
          if (at !== undefined) setTimeout(() => painted.push(performance.now() - at));
        }
      }
    }).observe(list, { childList: true });
  });
  const beforeEvents = await busy();
  for (let n = 0; n < 60; n += 1) {
    await bo.send(long, `probe ${n}`);
    await pause(60);
  }
  const perEvent = ((await busy()) - beforeEvents) / 60;
  // @ts-expect-error put there above
  tell('event to pixels', await ada.page.evaluate(() => globalThis.painted), 16);
  // The rest of it is the wait for the next frame, which is half of one on average.
  print(WORKED, `${perEvent.toFixed(1)} ms each`, '16 ms', perEvent <= 16);

  await devtools.send('Emulation.setCPUThrottlingRate', { rate: THROTTLE });
  await ada.page.locator('.scroller').hover();
  await ada.page.evaluate(() => {
    const state = { frames: /** @type {number[]} */ ([]), rows: 0 };
    Object.assign(globalThis, { state });
    let last = performance.now();
    const frame = (/** @type {number} */ now) => {
      state.frames.push(now - last);
      last = now;
      state.rows = Math.max(state.rows, document.querySelectorAll('.message').length);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const beforeScroll = await busy();
  const end = Date.now() + SCROLL_MS;
  while (Date.now() < end) {
    await ada.page.mouse.wheel(0, -240);
    await pause(16);
  }
  // @ts-expect-error put there above
  const { frames, rows } = await ada.page.evaluate(() => globalThis.state);
  const perFrame = ((await busy()) - beforeScroll) / frames.length;
  tell(`frames while scrolling at ${THROTTLE}x throttle`, frames, 33);
  print(WORKED, `${perFrame.toFixed(1)} ms each`, '33 ms', perFrame <= 33);
  print('message rows in the document', `${rows} at most`, '200', rows <= 200);
  const { JSHeapUsedSize: heap } = Object.fromEntries(
    (await devtools.send('Performance.getMetrics').catch(() => ({ metrics: [] }))).metrics.map(
      (/** @type {any} */ { name, value }) => [name, value],
    ),
  );
  console.log(`heap after it: ${(Number(heap) / 1024 / 1024).toFixed(0)} MB`);
} finally {
  await browser.close();
  await gateway.stop();
}
