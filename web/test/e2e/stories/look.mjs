// What every page and overlay is like for who cannot see it well, and on small screens.
import assert from 'node:assert/strict';
import { Person } from '../browser.mjs';
import { Rest } from '../gateway.mjs';
import { suffix } from '../tools.mjs';

/** @type {import('../tools.mjs').Story} */
export function look({ gateway, browser }) {
  const { url } = gateway;
  /** @type {Person} */ let ada;
  /** @type {Rest} */ let bo;
  let group = '';
  let sessions = 0;
  let colorScheme = /** @type {'light' | 'dark'} */ ('light');

  /** @typedef {(name: string, who?: Person) => Promise<void>} Visit */

  /** The dialog over the page of somebody whose session was ended. @param {Visit} visit */
  const ended = async (visit) => {
    const viewport = ada.page.viewportSize() ?? { width: 1100, height: 700 };
    const options = { colorScheme, reducedMotion: /** @type {const} */ ('reduce') };
    sessions += 1;
    const eve = await Person.open(browser, url, `leve${sessions}${suffix}`, options);
    await eve.register();
    await eve.page.setViewportSize(viewport);
    const rest = await Rest.login(url, eve.username);
    const { items } = await rest.get('/devices');
    for (const device of items) {
      if (device.current !== true) await rest.delete(`/devices/${device.id}`);
    }
    await eve.page.getByRole('dialog').getByText('Your session has ended').waitFor();
    await visit('session ended', eve);
    await eve.page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
    await eve.page.locator('[aria-invalid="true"]').first().waitFor();
    await visit('session ended, with an error', eve);
    await eve.page.context().close();
  };

  /** Opens each page and overlay in turn. @param {Visit} visit */
  const everywhere = async (visit) => {
    const { page } = ada;
    const visitAndClose = async (/** @type {string} */ name) => {
      await visit(name);
      await page.keyboard.press('Escape');
    };
    await page.goto('/');
    await ada.row('Choir').waitFor();
    await visit('nothing open');
    await page.goto(`/c/${group}`);
    await ada.message('And a reply').waitFor();
    await visit('conversation');
    await ada.message('And a reply').hover();
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menu').waitFor();
    await visitAndClose('message menu');
    await ada.message('My own words').hover();
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: /^Delete/ }).click();
    await page.getByRole('dialog').getByText('Delete this message?').waitFor();
    await visitAndClose('deletion of a message');
    await page.getByRole('button', { name: 'Group info' }).click();
    await page.getByRole('dialog').getByText('Members').waitFor();
    await visit('group info');
    await page.getByRole('button', { name: 'Leave group' }).click();
    await page.getByRole('dialog').getByText('Leave this group?').waitFor();
    await visitAndClose('leaving a group');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Options for/ }).click();
    await visitAndClose('conversation menu');
    await page
      .getByRole('button', { name: /^Read up to here/ })
      .last()
      .click();
    await visitAndClose('readers');
    await ada.composer.fill(':ta');
    await page.getByRole('option').first().waitFor();
    await visitAndClose('emoji');
    await ada.composer.fill('x'.repeat(3_990));
    await visit('a message near the limit');
    await ada.composer.fill('');
    await page.goto('/settings');
    for (const section of ['profile', 'sessions', 'appearance', 'notifications', 'shortcuts']) {
      await page.goto(`/settings/${section}`);
      await page.getByRole('navigation', { name: 'Settings' }).waitFor();
      await page.locator('.settings-body > *').first().waitFor();
      await visit(`settings: ${section}`);
    }
    await page.goto('/settings');
    await page.getByRole('button', { name: 'Delete my account' }).click();
    await visitAndClose('deletion of the account');
    await page.goto('/');
    await ada.row('Choir').waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('option').first().waitFor();
    await visitAndClose('switcher');
    await page.keyboard.press('Control+/');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await visitAndClose('shortcuts');
    if ((page.viewportSize()?.width ?? 0) > 400) {
      await page.getByRole('button', { name: /^Account/ }).click();
      await visitAndClose('account menu');
    }
    await page.getByRole('button', { name: 'New conversation' }).click();
    await page.getByRole('dialog').getByLabel('Find people').fill(bo.user.username);
    await page.getByRole('list', { name: 'People found' }).getByRole('button').first().waitFor();
    await visitAndClose('new conversation');
    await page.goto('/');
    await ada.row('Choir').waitFor();
    await ada.live();
    await bo.send(group, 'And a toast');
    const toast = ada.toasts().filter({ hasText: 'And a toast' });
    // It stays while somebody is at it.
    await toast.hover();
    await visit('toast');
    await toast.getByRole('button', { name: 'Close' }).click();
    await page.goto(`/c/${group}`);
    await ada.message('And a reply').waitFor();
    await page.context().setOffline(true);
    await page.getByText('You’re offline.').waitFor();
    await visit('offline');
    await page.context().setOffline(false);
    await page.getByText('You’re offline.').waitFor({ state: 'detached' });
    await ended(visit);
    await page.goto('/c/00000000-0000-7000-8000-000000000000');
    await page.getByText('This conversation does not exist').waitFor();
    await visit('no such conversation');
  };

  const axe = async () => {
    const found = /** @type {string[]} */ ([]);
    await everywhere(async (name, who = ada) => {
      for (const finding of await who.axe()) found.push(`${name}: ${finding}`);
    });
    assert.deepEqual(found, []);
  };

  return [
    [
      'a group with all there is to see',
      async () => {
        ada = await Person.open(browser, url, `lada${suffix}`);
        await ada.register();
        bo = await Rest.register(url, `lbo${suffix}`);
        const cem = await Rest.register(url, `lcem${suffix}`);
        group = await ada.start([bo.user.username, cem.user.username], 'Choir');
        const first = await bo.send(
          group,
          'Look: **bold**, *italic*, `code`, https://example.org/a',
        );
        await bo.send(group, 'A list:\n- one\n- two\n```\nlet x = 1;\n```');
        await bo.send(group, '🎉');
        const gone = await bo.send(group, 'to be deleted');
        await bo.delete(`/conversations/${group}/messages/${gone.seq}`);
        await ada.say('My own words');
        await ada.page.locator('[aria-label="Sent"]').waitFor();
        const reply = await bo.send(group, 'And a reply', first.seq);
        for (const reader of [bo, cem]) {
          await reader.post(`/conversations/${group}/read`, { seq: reply.seq });
        }
        await ada.message('And a reply').waitFor();
        await ada.page
          .getByRole('button', { name: /^Read up to here/ })
          .last()
          .waitFor();
      },
    ],
    ...['light', 'dark'].map(
      (theme) =>
        /** @type {[string, () => Promise<void>]} */ ([
          `axe finds nothing on any page or overlay, ${theme}`,
          async () => {
            colorScheme = theme === 'dark' ? 'dark' : 'light';
            const stranger = await Person.open(browser, url, 'stranger');
            await stranger.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
            for (const path of ['/login', '/register']) {
              await stranger.page.goto(path);
              await stranger.page
                .getByRole('button', { name: /^(Sign in|Create account)$/ })
                .click();
              await stranger.page.locator('[aria-invalid="true"]').first().waitFor();
              assert.deepEqual(await stranger.axe(), [], path);
            }
            await stranger.page.context().close();
            await ada.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
            await axe();
          },
        ]),
    ),
    ...[
      [320, 560],
      [720, 450],
    ].map(
      ([width = 0, height = 0]) =>
        /** @type {[string, () => Promise<void>]} */ ([
          `nothing is cut off at ${width} by ${height}`,
          async () => {
            await ada.page.setViewportSize({ width, height });
            const found = /** @type {string[]} */ ([]);
            await everywhere(async (name, who = ada) => {
              const wide = await who.page.evaluate(() => {
                const root = document.documentElement;
                const over = [
                  ...document.querySelectorAll('dialog[open], :popover-open, main, nav'),
                ];
                const out = over.filter((element) => {
                  const { left, right, width: own } = element.getBoundingClientRect();
                  return own > 0 && (left < -1 || right > innerWidth + 1);
                });
                return root.scrollWidth > root.clientWidth ? 'the page' : (out[0]?.className ?? '');
              });
              if (wide !== '') found.push(`${name}: ${wide}`);
            });
            assert.deepEqual(found, []);
            await ada.page.setViewportSize({ width: 1100, height: 700 });
          },
        ]),
    ),
    [
      'forced colours and more contrast are served, and targets are large enough',
      async () => {
        await ada.page.emulateMedia({ forcedColors: 'active', contrast: 'more' });
        await ada.page.goto(`/c/${group}`);
        await ada.message('And a reply').waitFor();
        const small = await ada.page.evaluate(() =>
          [...document.querySelectorAll('button, a[href], input, select, textarea')]
            .filter(
              (element) => element.checkVisibility() && element.closest('.words, .skip') === null,
            )
            .filter((element) => {
              const { width, height } = element.getBoundingClientRect();
              return Math.min(width, height) < 24 && !element.matches('[type="radio"], .resizer');
            })
            .map((element) => element.outerHTML.slice(0, 80)),
        );
        assert.deepEqual(small, []);
        const own = await ada.page
          .locator('.message.own')
          .first()
          .evaluate((element) => getComputedStyle(element).borderLeftWidth);
        assert.equal(own, '2px');
        await ada.page.emulateMedia({ forcedColors: 'none', contrast: 'no-preference' });
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
