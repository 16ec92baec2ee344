// How the page speaks to people: notifications, the state of the connection, forms, touch.
import assert from 'node:assert/strict';
import { Person } from '../browser.mjs';
import { Rest } from '../gateway.mjs';
import { breakable, pause, suffix } from '../tools.mjs';

/** A connection that is away for this long is spoken of. */
const TROUBLE_MS = 3_000;
const WAKE_MS = 2_000;
const LONG_PRESS_MS = 700;

/** @type {import('../tools.mjs').Story} */
export function manners({ gateway, browser }) {
  const { url } = gateway;
  /** @type {Person} */ let ada;
  /** @type {Rest} */ let bo;
  /** @type {Rest} */ let cem;
  /** @type {Awaited<ReturnType<typeof breakable>>} */ let line;
  let withBo = '';
  let withCem = '';

  const bar = () => ada.page.locator('.connection-bar');

  return [
    [
      'a form says that Caps Lock is on, how long to wait, and moves nothing',
      async () => {
        const eve = await Person.open(browser, url, `meve${suffix}`);
        await eve.page.goto('/login');
        const password = eve.page.getByLabel('Password', { exact: true });
        assert.equal(await password.getAttribute('autocomplete'), 'current-password');
        assert.equal(
          await eve.page.getByLabel('Username').getAttribute('autocomplete'),
          'username',
        );
        const button = eve.page.getByRole('button', { name: 'Sign in' });
        const before = await button.boundingBox();
        const press = (/** @type {boolean} */ on) =>
          password.evaluate((input, modifierCapsLock) => {
            const key = { key: 'A', bubbles: true, modifierCapsLock };
            input.dispatchEvent(new KeyboardEvent('keydown', key));
          }, on);
        await press(true);
        await eve.page.getByText('Caps Lock is on.').waitFor();
        assert.deepEqual(await button.boundingBox(), before);
        await press(false);
        await eve.page.getByText('Caps Lock is on.').waitFor({ state: 'detached' });
        await eve.page.route('**/auth/login', (route) =>
          route.fulfill({
            status: 429,
            headers: { 'Retry-After': '30' },
            contentType: 'application/problem+json',
            body: JSON.stringify({ code: 'rate_limited', detail: 'Too many.' }),
          }),
        );
        await eve.login();
        const alert = eve.page.getByRole('alert').filter({ hasText: 'Try again in 30 seconds.' });
        await alert.waitFor();
        assert.deepEqual(await button.boundingBox(), before);
        assert.notEqual(await password.inputValue(), '', 'what was typed stays');
        await eve.page.getByRole('button', { name: 'Show password' }).click();
        assert.equal(await password.getAttribute('type'), 'text');
        await eve.page.goto('/register');
        assert.equal(await password.getAttribute('autocomplete'), 'new-password');
        await eve.page.context().close();
      },
    ],
    [
      'a message elsewhere raises a toast above the composer, which goes by a swipe',
      async () => {
        ada = await Person.open(browser, url, `mada${suffix}`);
        line = await breakable(ada.page);
        await ada.register();
        const me = (await Rest.login(url, ada.username)).user.id;
        bo = await Rest.register(url, `mbo${suffix}`);
        cem = await Rest.register(url, `mcem${suffix}`);
        const make = (/** @type {Rest} */ who) =>
          who.post('/conversations', { kind: 'direct', participant_ids: [me] });
        withBo = (await make(bo)).id;
        withCem = (await make(cem)).id;
        await bo.send(withBo, 'hello');
        await cem.send(withCem, 'hello');
        await ada.page.goto(`/c/${withBo}`);
        await ada.message('hello').waitFor();
        await ada.live();
        await ada.composer.fill('one\ntwo\nthree\nfour\nfive');
        await cem.send(withCem, 'swipe me away');
        const toast = ada.toasts().filter({ hasText: 'swipe me away' });
        await toast.waitFor();
        await ada.settled();
        const box = await toast.boundingBox();
        const composer = await ada.page.locator('.composer').boundingBox();
        assert.ok(box !== null && composer !== null && box.y + box.height <= composer.y);
        const [x, y] = [box.x + 60, box.y + box.height / 2];
        await ada.page.mouse.move(x, y);
        await ada.page.mouse.down();
        await ada.page.mouse.move(x + 100, y, { steps: 5 });
        await ada.page.mouse.up();
        await toast.waitFor({ state: 'detached', timeout: 1_000 });
        assert.ok(ada.page.url().endsWith(withBo), 'and leads nowhere');
        await ada.composer.fill('');
      },
    ],
    [
      'permission to notify is asked for by a click only, and a refusal says how to undo it',
      async () => {
        const { page } = ada;
        await page.addInitScript(() => {
          const asked = { count: 0 };
          const Notification = {
            permission: 'default',
            requestPermission: async () => {
              asked.count += 1;
              return 'denied';
            },
          };
          Object.assign(globalThis, { asked, Notification });
        });
        await page.goto('/settings/notifications');
        const ask = page.getByRole('button', { name: 'Turn on notifications' });
        await ask.waitFor();
        await ada.live();
        // @ts-expect-error put there above
        const count = () => page.evaluate(() => globalThis.asked.count);
        await cem.send(withCem, 'not now');
        await ada.toasts().filter({ hasText: 'not now' }).waitFor();
        assert.equal(await count(), 0);
        await ask.click();
        await page.getByText('Allow them in its settings for this site, then reload.').waitFor();
        assert.equal(await count(), 1);
        assert.equal(await ask.count(), 0);
      },
    ],
    [
      'a connection that is away is spoken of after three seconds, and nobody is said to be here',
      async () => {
        const eve = await Person.open(browser, url, bo.user.username);
        await eve.page.goto('/login');
        await eve.login();
        await ada.page.goto(`/c/${withBo}`);
        await ada.row(`${bo.user.display_name}, online`).waitFor();
        const before = await ada.message('hello').boundingBox();
        const began = Date.now();
        await line.cut();
        await bar().waitFor();
        assert.ok(Date.now() - began > TROUBLE_MS - 500, 'not at once');
        await ada
          .row(`${bo.user.display_name}, online`)
          .waitFor({ state: 'detached', timeout: 1_000 });
        assert.deepEqual(await ada.message('hello').boundingBox(), before, 'no row moved');
        await eve.page.context().close();
      },
    ],
    [
      'what came meanwhile is one line, not one toast each',
      async () => {
        for (let n = 0; n < 3; n += 1) await cem.send(withCem, `missed ${n}`);
        await bo.send(withBo, 'seen when it comes');
        line.mend();
        // Unless it is back by itself before it is clicked.
        const retried = ada.page
          .getByRole('button', { name: 'Retry now' })
          .click()
          .catch(() => {});
        await ada.message('seen when it comes').waitFor();
        await retried;
        await ada.page.getByText('3 messages came while you were away.').waitFor();
        assert.equal(await ada.toasts().count(), 1);
        await ada.row(`${cem.user.display_name}, 6 unread`).waitFor();
        await bar().waitFor({ state: 'detached' });
      },
    ],
    [
      'who is offline is told so, and is back within two seconds of the network',
      async () => {
        await line.cut();
        await ada.page.context().setOffline(true);
        await ada.page.getByText('You’re offline. Messages will be sent later.').waitFor();
        await ada.say('later, then');
        await ada.page
          .locator('.message svg[aria-label="Waiting for connection"]')
          .first()
          .waitFor();
        // Long enough that the attempts have become rare.
        await pause(6_000);
        line.mend();
        await ada.page.context().setOffline(false);
        await ada.page
          .locator('.message', { hasText: 'later, then' })
          .locator('[aria-label="Sent"]')
          .waitFor({ timeout: WAKE_MS });
        await bar().waitFor({ state: 'detached' });
      },
    ],
    [
      'presence has a shape, not only a colour',
      async () => {
        const shapes = await ada.page.evaluate(() =>
          ['online', 'away', 'offline'].map((status) => {
            const dot = document.querySelector('.dot')?.cloneNode();
            if (!(dot instanceof HTMLElement)) throw new Error('nobody has a dot');
            dot.dataset.status = status;
            document.querySelector('.avatar')?.append(dot);
            const { backgroundImage, boxShadow } = getComputedStyle(dot);
            dot.remove();
            return `${backgroundImage.split('(')[0]} ${boxShadow === 'none' ? '' : 'ring'}`;
          }),
        );
        assert.equal(new Set(shapes).size, 3, shapes.join('; '));
      },
    ],
    [
      'a theme that was chosen is there at the first paint',
      async () => {
        const { page } = ada;
        await page.goto('/settings/appearance');
        await page.getByRole('radio', { name: 'Dark' }).check();
        await page.addInitScript(() => {
          requestAnimationFrame(() => {
            const { colorScheme } = getComputedStyle(document.documentElement);
            Object.assign(globalThis, { firstScheme: colorScheme });
          });
        });
        await page.reload();
        await page.getByRole('radio', { name: 'Dark' }).waitFor();
        // @ts-expect-error put there above
        assert.equal(await page.evaluate(() => globalThis.firstScheme), 'dark');
        await page.getByRole('radio', { name: 'System' }).check();
      },
    ],
    [
      'by touch: Enter breaks the line, a long press opens the actions, a swipe closes a toast',
      async () => {
        const phone = await Person.open(browser, url, ada.username, {
          viewport: { width: 390, height: 700 },
          hasTouch: true,
          isMobile: true,
        });
        const { page } = phone;
        await page.goto('/login');
        await phone.login();
        await phone.live();
        await phone.row(bo.user.display_name).tap();
        await phone.composer.fill('one line');
        await phone.composer.press('Enter');
        assert.equal(await phone.composer.inputValue(), 'one line\n');
        await phone.composer.fill('');
        const touch = await page.context().newCDPSession(page);
        const send = (/** @type {string} */ type, /** @type {number[][]} */ points) =>
          touch.send('Input.dispatchTouchEvent', {
            type: /** @type {'touchStart'} */ (type),
            touchPoints: points.map(([x = 0, y = 0]) => ({ x, y })),
          });
        const row = await phone.message('hello').boundingBox();
        assert.ok(row !== null);
        const [x, y] = [row.x + 10, row.y + 8];
        await send('touchStart', [[x, y]]);
        await send('touchMove', [[x + 2, y + 1]]);
        await page.getByRole('menu').waitFor();
        await send('touchEnd', []);
        await pause(300);
        await page.getByRole('menuitem', { name: /^Copy text/ }).waitFor();
        await page.keyboard.press('Escape');
        await page.getByRole('menu').waitFor({ state: 'detached' });
        await send('touchStart', [[x, y]]);
        await send('touchMove', [[x, y + 40]]);
        await pause(LONG_PRESS_MS);
        assert.equal(await page.getByRole('menu').count(), 0, 'a scroll is no long press');
        await send('touchEnd', []);
        await cem.send(withCem, 'on the phone');
        const toast = phone.toasts().filter({ hasText: 'on the phone' });
        await toast.waitFor();
        await phone.settled();
        const card = await toast.boundingBox();
        assert.ok(card !== null);
        const [cx, cy] = [card.x + 40, card.y + card.height / 2];
        await send('touchStart', [[cx, cy]]);
        for (const by of [20, 60, 100, 140]) await send('touchMove', [[cx + by, cy]]);
        await send('touchEnd', []);
        await toast.waitFor({ state: 'detached', timeout: 3_000 });
        assert.ok(page.url().endsWith(withBo));
        assert.deepEqual(phone.complaints, []);
        await page.context().close();
      },
    ],
    [
      'no page complained',
      async () => {
        assert.deepEqual(ada.complaints, []);
      },
    ],
  ];
}
