// One person in several tabs, and a connection that comes and goes.
import assert from 'node:assert/strict';
import { Person } from '../browser.mjs';
import { PASSWORD, Rest } from '../gateway.mjs';
import { eventually, pause, suffix } from '../tools.mjs';

const BURST = 500;

/** @type {import('../tools.mjs').Story} */
export function tabs({ gateway, browser }) {
  const { url } = gateway;
  /** @type {Person} */ let ada;
  /** @type {Person} */ let second;
  /** @type {Rest} */ let bo;
  let direct = '';

  const restart = async (/** @type {number} */ ms) => {
    if (gateway.without === undefined) throw new Error('needs PARLEY_GATEWAY_BIN');
    await gateway.without(() => pause(ms));
  };

  return [
    [
      'two tabs of one person',
      async () => {
        ada = await Person.open(browser, url, `tada${suffix}`);
        await ada.register();
        bo = await Rest.register(url, `tbo${suffix}`);
        const me = (await Rest.login(url, ada.username)).user.id;
        const made = { kind: 'direct', participant_ids: [me] };
        direct = (await bo.post('/conversations', made)).id;
        await bo.send(direct, 'hello');
        second = new Person(await ada.page.context().newPage(), ada.username);
        await second.page.goto('/');
        await second.row(bo.user.display_name).waitFor();
      },
    ],
    [
      'what is read in one is read in the other, within a second',
      async () => {
        await second.row(`${bo.user.display_name}, 1 unread`).waitFor();
        await second.row(bo.user.display_name).click();
        await second.message('hello').waitFor();
        await eventually(
          () => ada.page.title(),
          (title) => !title.startsWith('('),
          3_000,
        );
        await ada.row(bo.user.display_name).waitFor();
        assert.equal(await ada.page.locator('.badge').count(), 0);
        const icon = () => ada.page.locator('link[rel="icon"]').getAttribute('href');
        const read = await icon();
        await second.page.goto('/');
        await bo.send(direct, 'again');
        await eventually(icon, (href) => href !== read, 2_000);
      },
    ],
    [
      'a draft appears in the other tab, but never under its caret',
      async () => {
        await ada.page.bringToFront();
        await ada.page.goto(`/c/${direct}`);
        await ada.composer.fill('begun here');
        await eventually(
          () => second.row(bo.user.display_name).textContent(),
          (label) => label?.includes('draft') === true,
          2_000,
        );
        await second.page.bringToFront();
        await second.row(bo.user.display_name).click();
        await eventually(
          () => second.composer.inputValue(),
          (text) => text === 'begun here',
          2_000,
        );
        await second.composer.fill('mine');
        await ada.page.evaluate(() => {
          // As if the other tab had written at the same time.
          const key = Object.keys(localStorage).find((name) => name.includes('.draft.')) ?? '';
          localStorage.setItem(key, JSON.stringify({ text: 'theirs', caret: 0 }));
        });
        await pause(200);
        assert.equal(await second.composer.inputValue(), 'mine');
        await second.composer.fill('');
      },
    ],
    [
      'a theme chosen in one is there in the other',
      async () => {
        await second.page.goto('/settings/appearance');
        await second.page.getByRole('radio', { name: 'Dark' }).check();
        const theme = () => ada.page.evaluate(() => document.documentElement.dataset.theme);
        await eventually(theme, (name) => name === 'dark', 1_000);
        await second.page.getByRole('radio', { name: 'System' }).check();
      },
    ],
    [
      'a drop of a second shows nothing',
      async () => {
        await ada.page.bringToFront();
        await ada.page.goto(`/c/${direct}`);
        await ada.message('hello').waitFor();
        await second.page.goto(`/c/${direct}`);
        await ada.page.evaluate(() => {
          const said = /** @type {string[]} */ ([]);
          Object.assign(globalThis, { said });
          const bar = document.querySelector('.connection');
          if (bar === null) throw new Error('no place for the bar');
          new MutationObserver(() => said.push(bar.textContent)).observe(bar, {
            childList: true,
            subtree: true,
          });
        });
        await restart(300);
        await bo.send(direct, 'after the drop');
        await ada.message('after the drop').waitFor();
        // @ts-expect-error put there above
        assert.deepEqual(await ada.page.evaluate(() => globalThis.said), []);
      },
    ],
    [
      'what both tabs write while there is no connection arrives once, in order',
      async () => {
        if (gateway.without === undefined) throw new Error('needs PARLEY_GATEWAY_BIN');
        const box = await ada.message('after the drop').boundingBox();
        await gateway.without(async () => {
          await ada.page
            .getByText(/Reconnecting|Connecting/)
            .first()
            .waitFor();
          assert.deepEqual(await ada.message('after the drop').boundingBox(), box, 'no row moved');
          await ada.say('first, from one');
          await second.message('first, from one').waitFor();
          await second.say('second, from the other');
          await ada.message('second, from the other').waitFor();
          await ada.say('third, from one');
          await second.message('third, from one').waitFor();
          await ada.page
            .locator('.message svg[aria-label="Waiting for connection"]')
            .first()
            .waitFor();
        });
        const wanted = ['first, from one', 'second, from the other', 'third, from one'];
        const stored = async () => (await bo.texts(direct)).slice(-3);
        await eventually(stored, (texts) => texts.length === 3 && texts[2] === wanted[2], 30_000);
        assert.deepEqual(await stored(), wanted);
        for (const person of [ada, second]) {
          await eventually(
            async () => (await person.texts()).slice(-3),
            (texts) => JSON.stringify(texts) === JSON.stringify(wanted),
            10_000,
          );
        }
        assert.equal((await bo.texts(direct)).filter((text) => text === wanted[0]).length, 1);
      },
    ],
    [
      'a gateway killed in the middle of five hundred messages: both see all of them, once',
      async () => {
        const reader = await Person.open(browser, url, bo.user.username);
        await reader.page.goto(`/c/${direct}`);
        await reader.login();
        await reader.message('hello').waitFor();
        bo = await Rest.login(url, bo.user.username);
        const sent = Array.from({ length: BURST }, (_, n) => `burst ${n}`);
        await ada.page.bringToFront();
        await ada.page.evaluate(async (texts) => {
          const area = document.querySelector('textarea');
          for (const text of texts) {
            if (area === null) return;
            area.value = text;
            area.dispatchEvent(new InputEvent('input', { bubbles: true }));
            area.form?.requestSubmit();
            await new Promise((resolve) => setTimeout(resolve, 2));
          }
        }, sent);
        await restart(2_000);
        const bursts = (/** @type {string[]} */ texts) =>
          texts.filter((t) => t.startsWith('burst'));
        const stored = async () => bursts(await bo.texts(direct));
        await eventually(stored, (texts) => texts.length >= BURST, 60_000);
        assert.deepEqual(await stored(), sent);
        for (const person of [ada, second, reader]) {
          const tail = async () => bursts(await person.texts());
          await eventually(tail, (texts) => texts.at(-1) === `burst ${BURST - 1}`, 20_000);
          const shown = await tail();
          assert.deepEqual(shown, sent.slice(-shown.length));
        }
        await reader.page.context().close();
      },
    ],
    [
      'a session that was ended asks for the password over the page, and keeps the draft',
      async () => {
        await ada.page.goto(`/c/${direct}`);
        await ada.composer.fill('do not lose me');
        const rest = await Rest.login(url, ada.username);
        const { items } = await rest.get('/devices');
        for (const device of items) {
          if (device.current !== true) await rest.delete(`/devices/${device.id}`);
        }
        const dialog = ada.page.getByRole('dialog');
        await dialog.getByText('Your session has ended').waitFor();
        await ada.page.keyboard.press('Escape');
        await dialog.getByLabel('Password', { exact: true }).fill(PASSWORD);
        await dialog.getByRole('button', { name: 'Sign in' }).click();
        await dialog.waitFor({ state: 'detached' });
        assert.equal(await ada.composer.inputValue(), 'do not lose me');
        await bo.send(direct, 'still here?');
        await ada.message('still here?').waitFor();
        await ada.composer.fill('');
      },
    ],
    [
      'a newer build on the server is offered, and taken only by a click',
      async () => {
        await ada.page.route('/', async (route) => {
          if (route.request().resourceType() === 'document') return await route.continue();
          const body = '<script type="module" src="/assets/index-NEWER.js"></script>';
          return await route.fulfill({ body, contentType: 'text/html' });
        });
        await restart(300);
        await ada.page.getByText('Update ready').waitFor({ timeout: 15_000 });
        await ada.page.unroute('/');
      },
    ],
    [
      'one tab notifies, only when none has the focus, and what is read elsewhere is closed',
      async () => {
        const context = ada.page.context();
        await context.grantPermissions(['notifications']);
        await context.addInitScript(() => {
          const told = /** @type {string[]} */ ([]);
          class Told {
            static permission = 'granted';
            static requestPermission = async () => 'granted';
            /** @param {string} title @param {{ tag: string }} options */
            constructor(title, { tag }) {
              told.push(`show ${title}`);
              this.tag = tag;
            }
            close() {
              told.push('close');
            }
          }
          Object.assign(globalThis, { told, Notification: Told });
        });
        await ada.page.goto('/settings/notifications');
        await ada.page.getByRole('button', { name: 'Turn on notifications' }).click();
        await ada.page.getByText('Notifications are on').waitFor();
        await ada.page.goto('/');
        await second.page.goto('/');
        await ada.row(bo.user.display_name).waitFor();
        await second.row(bo.user.display_name).waitFor();
        await Promise.all([ada.live(), second.live()]);
        const told = async () => {
          // @ts-expect-error put there above
          const both = [ada, second].map(({ page }) => page.evaluate(() => globalThis.told));
          return (await Promise.all(both)).flat();
        };
        await second.page.bringToFront();
        await bo.send(direct, 'in focus');
        await second.toasts().getByText('in focus').waitFor();
        await pause(300);
        assert.deepEqual(await told(), []);
        for (const { page } of [ada, second]) {
          await page.evaluate(() => window.dispatchEvent(new Event('blur')));
        }
        await pause(200);
        await bo.send(direct, 'nobody looks');
        await eventually(told, (all) => all.length > 0, 2_000);
        await pause(300);
        assert.deepEqual(await told(), [`show ${bo.user.display_name}`], 'one tab only');
        const { last_seq: seq } = await bo.get(`/conversations/${direct}`);
        const elsewhere = await Rest.login(url, ada.username);
        await elsewhere.post(`/conversations/${direct}/read`, { seq });
        await eventually(told, (all) => all.includes('close'), 2_000);
      },
    ],
    [
      'plain http on a network at home: no secure context, and everything works',
      async () => {
        const lan = url.replace('127.0.0.1', 'chat.lan');
        const eve = await Person.open(browser, lan, `teve${suffix}`);
        await eve.register();
        assert.equal(await eve.page.evaluate(() => window.isSecureContext), false);
        await eve.start([bo.user.username]);
        await eve.say('over plain http');
        await eve.page.locator('[aria-label="Sent"]').waitFor();
        await eve.message('over plain http').hover();
        await eve.page.getByRole('button', { name: 'More actions' }).click();
        await eve.page.getByRole('menuitem', { name: /^Copy text/ }).click();
        await eve.page.getByText('Copied.').waitFor();
        await eve.page.goto('/settings/notifications');
        await eve.page.getByText('Notifications need a secure').waitFor();
        assert.deepEqual(eve.complaints, []);
        await eve.page.context().close();
      },
    ],
    [
      'signing out in one tab signs the other out',
      async () => {
        await ada.page.goto('/');
        await second.page.goto('/');
        await second.page.getByRole('button', { name: /^Account/ }).click();
        await second.page.getByRole('menuitem', { name: 'Sign out' }).click();
        await second.page.waitForURL('**/login');
        await ada.page.waitForURL('**/login');
        // Nor does the other tab write back what it had.
        await pause(600);
        const left = await ada.page.evaluate(async () =>
          (await indexedDB.databases()).map(({ name }) => name),
        );
        assert.deepEqual(left, []);
        assert.deepEqual([...ada.complaints, ...second.complaints], []);
      },
    ],
  ];
}
