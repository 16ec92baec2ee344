// One story, told in order: each scenario goes on where the one before it ended.
import assert from 'node:assert/strict';
import { Person } from '../browser.mjs';
import { Rest } from '../gateway.mjs';
import { eventually, pause, scrollToTop, suffix } from '../tools.mjs';

const AT_ONCE_MS = 1_000;
const TOAST_MS = 4_000;

/** @type {import('../tools.mjs').Story} */
export function talk({ gateway, browser }) {
  /** @type {Person} */ let ada;
  /** @type {Person} */ let bo;
  /** @type {Rest} */ let cem;
  /** @type {Rest} */ let boByRest;
  let direct = '';
  const { url } = gateway;

  return [
    [
      'a stranger is asked to sign in, and errors stand at their fields',
      async () => {
        ada = await Person.open(browser, url, `ada${suffix}`);
        await ada.page.goto('/');
        await ada.page.waitForURL('**/login');
        await ada.page.getByRole('button', { name: 'Sign in' }).click();
        const username = ada.page.getByLabel('Username');
        assert.equal(await username.getAttribute('aria-invalid'), 'true');
        assert.ok(await username.evaluate((input) => document.activeElement === input));
        await ada.login();
        await ada.page.getByText('The name or the password is wrong.').waitFor();
        assert.notEqual(await username.inputValue(), '', 'what was typed stays');
      },
    ],
    [
      'two people register',
      async () => {
        bo = await Person.open(browser, url, `bo${suffix}`);
        cem = await Rest.register(url, `cem${suffix}`);
        await ada.register();
        await bo.register();
      },
    ],
    [
      'they find each other',
      async () => {
        direct = await ada.start([bo.username]);
        await ada.page.getByRole('heading', { name: bo.name, exact: true }).waitFor();
        await bo.row(ada.name).waitFor();
      },
    ],
    [
      'a message raises badge, title and toast elsewhere, and the toast goes after 4 s',
      async () => {
        await ada.say('Hello Bo');
        const toast = bo.toasts().filter({ hasText: 'Hello Bo' });
        await toast.waitFor({ timeout: AT_ONCE_MS });
        const shown = Date.now();
        assert.match((await toast.textContent()) ?? '', new RegExp(ada.name));
        await bo.row(`${ada.name}, 1 unread`).waitFor();
        await eventually(
          () => bo.page.title(),
          (title) => title.startsWith('(1)'),
          1_000,
        );
        await toast.waitFor({ state: 'detached' });
        const lasted = Date.now() - shown;
        assert.ok(lasted > TOAST_MS - 600 && lasted < TOAST_MS + 600, `${lasted} ms`);
        assert.equal(await ada.toasts().count(), 0, 'none for my own');
      },
    ],
    [
      'a click on the toast opens the conversation, which is read after a second',
      async () => {
        await ada.say('Are you there?');
        await bo.toasts().getByText('Are you there?').click();
        await bo.message('Are you there?').waitFor();
        assert.equal(await bo.page.locator('.divider.new').count(), 1);
        await ada.page.getByText(/^Seen \d{1,2}:\d\d/).waitFor();
        await bo.row(ada.name).waitFor();
        const label = () => bo.row(ada.name).textContent();
        await eventually(label, (text) => text !== null && !text.includes('unread'), 2_000);
        await eventually(
          () => bo.page.title(),
          (title) => !title.startsWith('('),
          1_000,
        );
      },
    ],
    [
      'both see each message at once, without a toast',
      async () => {
        for (const [from, to, text] of /** @type {[Person, Person, string][]} */ ([
          [ada, bo, 'one'],
          [bo, ada, 'two'],
          [ada, bo, 'three'],
        ])) {
          await from.say(text);
          await from.message(text).waitFor({ timeout: AT_ONCE_MS });
          await to.message(text).waitFor({ timeout: AT_ONCE_MS });
        }
        assert.equal((await ada.toasts().count()) + (await bo.toasts().count()), 0);
        assert.deepEqual(await ada.texts(), await bo.texts());
      },
    ],
    [
      'the other sees who is typing, until it stops',
      async () => {
        await bo.composer.pressSequentially('hm');
        await ada.page.getByText(`${bo.name} is typing`).waitFor({ timeout: AT_ONCE_MS });
        await bo.composer.fill('');
        await ada.page.getByText(`${bo.name} is typing`).waitFor({ state: 'detached' });
      },
    ],
    [
      'presence is shown, and a closed browser goes offline',
      async () => {
        await bo.row(`${ada.name}, online`).waitFor();
        const eve = await Person.open(browser, url, `eve${suffix}`);
        await eve.register();
        await eve.start([bo.username]);
        await bo.row(`${eve.name}, online`).waitFor();
        await eve.page.context().close();
        await bo.row(`${eve.name}, offline`).waitFor({ timeout: 20_000 });
      },
    ],
    [
      'Shift+Enter breaks the line, an input method keeps its Enter, and text stays text',
      async () => {
        const text = '<b>not bold</b> & <img src=x onerror=alert(1)>';
        await ada.composer.fill('first');
        await ada.composer.press('Shift+Enter');
        await ada.composer.pressSequentially('second');
        await ada.composer.dispatchEvent('keydown', { key: 'Enter', keyCode: 229 });
        assert.equal(await ada.composer.inputValue(), 'first\nsecond');
        await ada.composer.press('Enter');
        await eventually(
          () => bo.texts(),
          (texts) => texts.at(-1) === 'first\nsecond',
          AT_ONCE_MS,
        );
        await ada.say(text);
        await bo.message(text).waitFor();
      },
    ],
    [
      'a draft survives a reload',
      async () => {
        await ada.composer.fill('not finished');
        await ada.page.reload();
        await ada.message('three').waitFor();
        assert.equal(await ada.composer.inputValue(), 'not finished');
        await ada.composer.fill('');
      },
    ],
    [
      'a group has a name, members, and its messages reach all of them',
      async () => {
        const group = await ada.start([bo.username, cem.user.username], 'Garden');
        await ada.page.getByText('3 members').waitFor();
        await cem.send(group, 'Hi all');
        await ada.message('Hi all').waitFor();
        await bo.toasts().getByText('Hi all').waitFor();
        await bo.row('Garden, 1 unread').click();
        await bo.message('Hi all').waitFor();
      },
    ],
    [
      'older messages load while scrolling up, and no row moves',
      async () => {
        const { id } = await cem.post('/conversations', {
          kind: 'direct',
          participant_ids: [(await Rest.login(url, ada.username)).user.id],
        });
        const texts = Array.from({ length: 180 }, (_, n) =>
          `line ${n} ${'word '.repeat(n % 30)}`.trim(),
        );
        for (const text of texts) await cem.send(id, text);
        await ada.row(cem.user.display_name).click();
        await ada.page.locator('.divider.new').waitFor();
        await ada.page.locator('.pill').click();
        await ada.message(texts.at(-1) ?? '').waitFor();
        await pause(300);
        const worst = await scrollToTop(ada);
        assert.ok(worst <= 1, `a row moved by ${worst} px`);
        await ada.page.getByText('This is the beginning of the conversation.').waitFor();
        const shown = await ada.texts();
        assert.deepEqual(shown, texts.slice(0, shown.length), 'a window of them, without a hole');
        assert.ok((await ada.page.locator('.message').count()) <= 200, 'rows in the document');
      },
    ],
    [
      'what arrives while reading history moves nothing and is offered below',
      async () => {
        const id = ada.page.url().split('/c/')[1] ?? '';
        const first = ada.page.locator('.message').first();
        const before = (await first.boundingBox())?.y ?? Number.NaN;
        await cem.send(id, 'news below');
        const pill = ada.page.getByRole('button', { name: '1 new message' });
        await pill.waitFor();
        await pause(300);
        const after = (await first.boundingBox())?.y ?? Number.NaN;
        assert.ok(Math.abs(after - before) <= 1, `moved by ${after - before} px`);
        await pill.click();
        await ada.message('news below').waitFor();
        const box = await ada.message('news below').boundingBox();
        assert.ok(box !== null && box.y < 700, 'in view');
      },
    ],
    [
      'a killed gateway comes back: nothing missing, nothing doubled',
      async () => {
        if (gateway.without === undefined) throw new Error('needs PARLEY_GATEWAY_BIN');
        await ada.row(bo.name).click();
        await bo.row(ada.name).click();
        await ada.message('three').waitFor();
        boByRest = await Rest.login(url, bo.username);
        const sent = Array.from({ length: 40 }, (_, n) => `burst ${n}`);
        const sending = (async () => {
          for (const text of sent) await ada.say(text);
        })();
        await ada.message('burst 5').waitFor();
        await gateway.without(() => pause(4_000));
        await sending;
        const bursts = (/** @type {string[]} */ texts) =>
          texts.filter((t) => t.startsWith('burst'));
        for (const person of [bo, ada]) {
          const look = async () => bursts(await person.texts());
          await eventually(look, (texts) => texts.length >= sent.length, 40_000);
        }
        await eventually(
          () => ada.page.locator('[aria-label="Sending"]').count(),
          (count) => count === 0,
          10_000,
        );
        const stored = await boByRest.texts(direct);
        assert.deepEqual(bursts(stored), sent);
        assert.deepEqual(await ada.texts(), stored.slice(-(await ada.texts()).length));
        assert.deepEqual(bursts(await bo.texts()), sent);
        assert.deepEqual(bursts(await ada.texts()), sent);
        assert.equal((await ada.toasts().count()) + (await bo.toasts().count()), 0);
      },
    ],
    [
      'what is written while the gateway is away is kept, said so, and sent afterwards',
      async () => {
        if (gateway.without === undefined) throw new Error('needs PARLEY_GATEWAY_BIN');
        await gateway.without(async () => {
          await ada.page.getByText(/Reconnecting|Connecting/).waitFor();
          await ada.say('written in the dark');
          await ada.message('written in the dark').waitFor();
          await assert.rejects(ada.page.reload(), 'there is nobody to answer');
        });
        await ada.page.goto(`/c/${direct}`);
        await bo.message('written in the dark').waitFor({ timeout: 30_000 });
        await ada.message('written in the dark').waitFor();
        assert.equal(await ada.message('written in the dark').count(), 1);
      },
    ],
    [
      'a person without a mouse signs in, opens a conversation and writes',
      async () => {
        const keyboard = await Person.open(browser, url, bo.username);
        const { page } = keyboard;
        await page.goto(`/c/${direct}`);
        await page.waitForURL('**/login');
        await page.keyboard.press('Tab');
        await page.keyboard.type(bo.username);
        await page.keyboard.press('Tab');
        await page.keyboard.type('correct horse battery');
        await page.keyboard.press('Enter');
        await page.waitForURL(`**/c/${direct}`);
        await keyboard.composer.waitFor();
        await eventually(
          () => keyboard.composer.evaluate((area) => document.activeElement === area),
          (focused) => focused,
          2_000,
        );
        await page.keyboard.type('by keyboard');
        await page.keyboard.press('Enter');
        await ada.message('by keyboard').waitFor();
        await bo.message('by keyboard').waitFor();
        await page.context().close();
      },
    ],
    [
      'the page fits 320 px',
      async () => {
        await ada.page.setViewportSize({ width: 320, height: 560 });
        for (const path of ['/', `/c/${direct}`]) {
          await ada.page.goto(path);
          await ada.page
            .locator(path === '/' ? '.conversation' : '.message')
            .first()
            .waitFor();
          const wide = await ada.page.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          );
          assert.equal(wide, 0, `${path} is ${wide} px too wide`);
        }
        await ada.page.getByRole('link', { name: 'Back to conversations' }).click();
        await ada.row(bo.name).waitFor();
        await ada.page.setViewportSize({ width: 1100, height: 700 });
      },
    ],
    [
      'signing out forgets, signing in again brings everything back',
      async () => {
        await ada.page.getByRole('button', { name: /^Account/ }).click();
        await ada.page.getByRole('menuitem', { name: 'Sign out' }).click();
        await ada.page.waitForURL('**/login');
        await ada.page.goto('/');
        await ada.page.waitForURL('**/login');
        const left = await ada.page.evaluate(() => Object.keys(localStorage));
        assert.deepEqual(
          left.filter((key) => key.includes('draft') || key.includes('user')),
          [],
        );
        assert.deepEqual(
          await ada.page.evaluate(async () =>
            (await indexedDB.databases()).map(({ name }) => name),
          ),
          [],
        );
        await ada.login();
        await ada.row(bo.name).click();
        await ada.message('by keyboard').waitFor();
      },
    ],
    [
      'no page complained',
      async () => {
        assert.deepEqual([...ada.complaints, ...bo.complaints], []);
      },
    ],
  ];
}
