// What the stories share.

/**
 * A story is a list of scenarios told in order: each goes on where the one before it ended.
 * @typedef {{
 *   gateway: Awaited<ReturnType<typeof import('./gateway.mjs').openGateway>>,
 *   browser: import('playwright-core').Browser,
 *   atEnd: (end: () => Promise<void>) => void,
 * }} World
 * @typedef {(world: World) => [string, () => Promise<void>][]} Story
 */

/** Names differ from run to run, so that a gateway with data can be tested too. */
export const suffix = Date.now().toString(36).slice(-6);

/**
 * Waits for a condition, with a limit; says what it saw last.
 * @template T @param {() => Promise<T>} look @param {(seen: T) => boolean} good @param {number} limit
 */
export async function eventually(look, good, limit) {
  const deadline = Date.now() + limit;
  for (;;) {
    const seen = await look();
    if (good(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`not within ${limit} ms: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** @param {number} ms */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Scrolls to the beginning as a wheel does, and tells how far any row in view was moved by
 * anything but the scrolling itself.
 * @param {import('./browser.mjs').Person} person
 */
export async function scrollToTop(person) {
  await person.page.locator('.scroller').hover();
  await person.page.evaluate(() => {
    const box = document.querySelector('.scroller');
    if (box === null) throw new Error('no scroller');
    const state = { worst: 0 };
    Object.assign(globalThis, { drift: state });
    /** @type {{ element: Element, top: number, at: number } | undefined} */
    let held;
    const frame = () => {
      if (held?.element.isConnected === true) {
        const moved = held.element.getBoundingClientRect().top - held.top;
        const scrolled = held.at - box.scrollTop;
        state.worst = Math.max(state.worst, Math.abs(moved - scrolled));
      }
      const element = [...document.querySelectorAll('.message')].find(
        (row) => row.getBoundingClientRect().top > box.getBoundingClientRect().top,
      );
      held = element && {
        element,
        top: element.getBoundingClientRect().top,
        at: box.scrollTop,
      };
      requestAnimationFrame(frame);
    };
    frame();
  });
  for (let turn = 0; turn < 200; turn += 1) {
    await person.page.mouse.wheel(0, -400);
    await pause(30);
    const done = await person.page.evaluate(() => {
      const box = document.querySelector('.scroller');
      const top = box === null ? 0 : box.scrollHeight - box.clientHeight + box.scrollTop;
      return top <= 1 && document.querySelector('.start') !== null;
    });
    if (done) break;
  }
  return await person.page.evaluate(() => {
    // @ts-expect-error put there above
    return globalThis.drift.worst;
  });
}

/**
 * A page whose sockets can be cut, and kept from coming back.
 * @param {import('playwright-core').Page} page
 */
export async function breakable(page) {
  let broken = false;
  const open = /** @type {Set<() => Promise<void>>} */ (new Set());
  await page.routeWebSocket(/\/ws/, async (socket) => {
    if (broken) {
      await socket.close();
      return;
    }
    const server = socket.connectToServer();
    open.add(async () => {
      await Promise.all([server.close(), socket.close()]);
    });
  });
  return {
    cut: async () => {
      broken = true;
      await Promise.all([...open].map((end) => end()));
      open.clear();
    },
    mend: () => {
      broken = false;
    },
  };
}
