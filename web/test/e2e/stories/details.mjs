// What makes a list of messages and a field to write in feel right, one thing at a time.
import assert from 'node:assert/strict';
import { Person } from '../browser.mjs';
import { Rest } from '../gateway.mjs';
import { eventually, pause, suffix } from '../tools.mjs';

const MANY = 160;
/** The floating date outlasts the scrolling by two seconds. */
const DATE_GONE_MS = 3_000;

/** @type {import('../tools.mjs').Story} */
export function details({ gateway, browser }) {
  const { url } = gateway;
  /** @type {Person} */ let ada;
  /** @type {Rest} */ let bo;
  /** @type {Rest} */ let cem;
  let long = '';
  let short = '';

  const scrollBy = (/** @type {number} */ px) =>
    ada.page.locator('.scroller').evaluate((box, by) => {
      box.scrollTop += by;
    }, px);
  const fromEnd = () =>
    ada.page.locator('.scroller').evaluate((box) => Math.round(Math.abs(box.scrollTop)));
  const atRow = () =>
    ada.page.evaluate(() => document.activeElement?.querySelector('.words')?.textContent ?? '');
  const inDialog = () => ada.page.getByRole('dialog');
  /** The skeleton was there, at any moment of it. @param {() => Promise<unknown>} act */
  const skeletons = async (act) => {
    await ada.page.evaluate(() => {
      const seen = { count: 0 };
      const watcher = new MutationObserver(() => {
        seen.count += document.querySelectorAll('.chat .skeleton').length;
      });
      watcher.observe(document.body, { childList: true, subtree: true });
      Object.assign(globalThis, { seen });
    });
    await act();
    // @ts-expect-error put there above
    return await ada.page.evaluate(() => globalThis.seen.count);
  };

  return [
    [
      'two conversations, one of them long; times are of the reader’s place',
      async () => {
        ada = await Person.open(browser, url, `dada${suffix}`, {
          locale: 'de-DE',
          timezoneId: 'Pacific/Auckland',
        });
        await ada.register();
        const me = (await Rest.login(url, ada.username)).user.id;
        bo = await Rest.register(url, `dbo${suffix}`);
        cem = await Rest.register(url, `dcem${suffix}`);
        const make = (/** @type {Rest} */ who) =>
          who.post('/conversations', { kind: 'direct', participant_ids: [me] });
        long = (await make(bo)).id;
        short = (await make(cem)).id;
        for (let n = 0; n < MANY; n += 1) await bo.send(long, `line ${n}`);
        await cem.send(short, 'Look at https://example.org/a and mail@example.org');
        await ada.page.goto(`/c/${short}`);
        const link = ada.page.getByRole('link', { name: 'https://example.org/a' });
        assert.equal(await link.getAttribute('rel'), 'noopener nofollow ugc');
        const time = ada.page.locator('.message time').first();
        const at = new Date((await time.getAttribute('datetime')) ?? '');
        const written = (/** @type {Intl.DateTimeFormatOptions} */ style) =>
          new Intl.DateTimeFormat('de-DE', { ...style, timeZone: 'Pacific/Auckland' }).format(at);
        assert.equal(await time.textContent(), written({ timeStyle: 'short' }));
        const whole = written({ dateStyle: 'full', timeStyle: 'short' });
        assert.equal(await time.getAttribute('title'), whole);
        await eventually(
          () => ada.row(cem.user.display_name).textContent(),
          (label) => label?.includes('unread') === false,
          3_000,
        );
      },
    ],
    [
      'while one reads history the date floats above it, and goes two seconds later',
      async () => {
        await ada.row(bo.user.display_name).click();
        await ada.page.locator('.divider.new').waitFor();
        await ada.page.locator('.pill').click();
        await ada.message(`line ${MANY - 1}`).waitFor();
        await pause(1_200);
        assert.equal(await ada.page.locator('.floating-date').count(), 0);
        await scrollBy(-900);
        await ada.page.locator('.floating-date').waitFor();
        const began = Date.now();
        await ada.page
          .locator('.floating-date')
          .waitFor({ state: 'detached', timeout: DATE_GONE_MS });
        assert.ok(Date.now() - began > 1_500, 'not while somebody may look at it');
      },
    ],
    [
      'neither the sidebar’s width nor its becoming a rail moves a row',
      async () => {
        const held = await ada.page.locator('.message .words').evaluateAll((rows) => {
          const inView = rows.find((row) => row.getBoundingClientRect().top > 200);
          return inView?.textContent ?? '';
        });
        const top = async () => (await ada.message(held).boundingBox())?.y ?? Number.NaN;
        const resizer = ada.page.getByRole('separator', { name: 'Width of the sidebar' });
        const { x = 0, y = 0 } = (await resizer.boundingBox()) ?? {};
        const moved = /** @type {string[]} */ ([]);
        const stays = async (
          /** @type {string} */ what,
          /** @type {() => Promise<unknown>} */ act,
        ) => {
          const before = await top();
          await act();
          await pause(250);
          const by = Math.abs((await top()) - before);
          if (!(by <= 1)) moved.push(`${what}: ${by} px`);
        };
        await stays('wider by pointer', async () => {
          await ada.page.mouse.move(x + 2, y + 200);
          await ada.page.mouse.down();
          await ada.page.mouse.move(x + 82, y + 200, { steps: 8 });
          await ada.page.mouse.up();
        });
        assert.ok(Number(await resizer.getAttribute('aria-valuenow')) > 330);
        await stays('narrower by keys', async () => {
          await resizer.focus();
          for (let n = 0; n < 8; n += 1) await ada.page.keyboard.press('ArrowLeft');
        });
        await stays('a rail', () => ada.page.setViewportSize({ width: 860, height: 700 }));
        await stays('a sidebar again', () =>
          ada.page.setViewportSize({ width: 1100, height: 700 }),
        );
        assert.deepEqual(moved, []);
      },
    ],
    [
      'who is at the end stays there, and their own message leads there from anywhere',
      async () => {
        await ada.page.locator('.pill').click();
        await eventually(fromEnd, (px) => px === 0, 1_000);
        await scrollBy(-60);
        await pause(300);
        await bo.send(long, 'near the end');
        await eventually(
          () => ada.message('near the end').boundingBox(),
          (box) => box !== null && box.y < 700,
          2_000,
        );
        assert.equal(await fromEnd(), 0);
        for (let turn = 0; turn < 5; turn += 1) await scrollBy(-700);
        await pause(300);
        await ada.say('mine, from far away');
        await eventually(fromEnd, (px) => px === 0, 1_000);
        await ada.message('mine, from far away').waitFor();
      },
    ],
    [
      'a message is there in the same frame, and no state of it moves anything',
      async () => {
        await ada.page.locator('[aria-label="Sent"]').last().waitFor();
        const seen = await ada.page.evaluate(async () => {
          const area = document.querySelector('textarea');
          if (area === null) throw new Error('no field');
          area.value = 'at once';
          area.dispatchEvent(new InputEvent('input', { bubbles: true }));
          area.form?.requestSubmit();
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          const row = [...document.querySelectorAll('.message')].at(-1);
          return row?.querySelector('.words')?.textContent ?? 'nothing';
        });
        assert.equal(seen, 'at once');
        const places = () =>
          ada.page
            .locator('.message')
            .evaluateAll((rows) => rows.slice(-5).map((row) => row.getBoundingClientRect().top));
        const sending = await places();
        await ada.page.locator('.message').last().locator('[aria-label="Sent"]').waitFor();
        assert.deepEqual(await places(), sending, 'sent');
        const { last_seq: seq } = await bo.get(`/conversations/${long}`);
        await bo.post(`/conversations/${long}/read`, { seq });
        await ada.page.getByText(/^Seen \d{1,2}:\d\d$/).waitFor();
        assert.deepEqual(await places(), sending, 'seen');
      },
    ],
    [
      'the line for who is typing is always there, so that nothing jumps',
      async () => {
        const box = () => ada.page.locator('.status-line').boundingBox();
        const empty = await box();
        const other = await Person.open(browser, url, bo.user.username);
        await other.page.goto(`/c/${long}`);
        await other.login();
        await other.composer.pressSequentially('hm');
        await ada.page.getByText(`${bo.user.display_name} is typing`).waitFor();
        assert.deepEqual(await box(), empty);
        await other.page.context().close();
      },
    ],
    [
      'older messages are asked for ahead; if they cannot be loaded a button asks again',
      async () => {
        await ada.page.goto('about:blank');
        let failing = true;
        /** Screens above the reader when older messages were first asked for. */
        let ahead = 0;
        await ada.page.route('**/messages?*before=*', async (route) => {
          ahead ||= await ada.page
            .locator('.scroller')
            .evaluate((box) => (box.scrollHeight + box.scrollTop) / box.clientHeight - 1);
          await (failing ? route.abort() : route.continue());
        });
        await ada.page.goto(`/c/${long}`);
        await ada.message('at once').waitFor();
        const failed = ada.page.getByText('Older messages could not be loaded.');
        await eventually(
          async () => {
            await scrollBy(-300);
            return await failed.count();
          },
          (count) => count > 0,
          8_000,
        );
        assert.ok(ahead > 1, `${ahead} screens`);
        failing = false;
        await ada.page.getByRole('button', { name: 'Load older messages' }).click();
        await ada.message('line 0').waitFor();
        await ada.page.getByText('This is the beginning of the conversation.').waitFor();
        await ada.page.unroute('**/messages?*before=*');
      },
    ],
    [
      'a switch back to what is in memory shows no skeleton',
      async () => {
        const there = ada.page.locator('.message a').first();
        await ada.row(cem.user.display_name).click();
        await there.waitFor();
        const count = await skeletons(async () => {
          await ada.row(bo.user.display_name).click();
          await ada.page.locator('.message').first().waitFor();
          await ada.row(cem.user.display_name).click();
          await there.waitFor();
        });
        assert.equal(count, 0);
      },
    ],
    [
      'the keyboard in the list: pages, ends, and what a letter does',
      async () => {
        const { keyboard } = ada.page;
        await ada.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
        await ada.row(bo.user.display_name).click();
        await ada.page.locator('.pill').click();
        await ada.message('at once').waitFor();
        await ada.composer.focus();
        await keyboard.press('Shift+F6');
        assert.equal(await atRow(), 'at once');
        await keyboard.press('ArrowUp');
        await keyboard.press('ArrowUp');
        assert.equal(await atRow(), 'near the end');
        await keyboard.press('PageUp');
        assert.equal(await atRow(), `line ${MANY - 10}`);
        await keyboard.press('PageDown');
        assert.equal(await atRow(), 'near the end');
        const outline = await ada.page.evaluate(() => {
          const { outlineWidth, outlineStyle } = getComputedStyle(
            document.activeElement ?? document.body,
          );
          return `${outlineWidth} ${outlineStyle}`;
        });
        assert.equal(outline, '2px solid');
        await keyboard.press('c');
        await ada.page.getByText('Copied.').waitFor();
        assert.equal(await ada.page.evaluate(() => navigator.clipboard.readText()), 'near the end');
        await keyboard.press('ArrowDown');
        await keyboard.press('e');
        const editor = ada.page.getByRole('textbox', { name: 'Editing your message' });
        assert.equal(await editor.inputValue(), 'mine, from far away');
        await keyboard.press('Escape');
        await keyboard.press('Shift+F6');
        await keyboard.press('Delete');
        await inDialog().getByText('Delete this message?').waitFor();
        await keyboard.press('Escape');
        await inDialog().waitFor({ state: 'detached' });
        assert.equal(await atRow(), 'mine, from far away', 'the focus is back');
        for (let n = 0; n < 14; n += 1) await keyboard.press('PageUp');
        await eventually(atRow, (text) => text.startsWith('line '), 1_000);
        await keyboard.press('End');
        await eventually(atRow, (text) => text === 'at once', 2_000);
      },
    ],
    [
      'Escape leads to the end, Alt+Shift+Down to what is unread, the switcher has it first',
      async () => {
        const { keyboard } = ada.page;
        await ada.page.goto('/');
        await ada.row(cem.user.display_name).waitFor();
        await bo.send(long, 'unread one');
        await ada.row(`${bo.user.display_name}, 1 unread`).waitFor();
        await cem.send(short, 'and another');
        await ada.row(`${cem.user.display_name}, 1 unread`).waitFor();
        await ada.row(`${cem.user.display_name}, 1 unread`).click();
        await ada.message('and another').waitFor();
        await keyboard.press('Control+k');
        const first = ada.page.getByRole('option').first();
        await eventually(
          async () => (await first.textContent()) ?? '',
          (label) => label.includes(bo.user.display_name),
          1_000,
        );
        await keyboard.press('Escape');
        await keyboard.press('Alt+Shift+ArrowDown');
        await ada.page.waitForURL(`**/c/${long}`);
        await ada.message('unread one').waitFor();
      },
    ],
    [
      'what is typed goes to the composer, but not past a selection or a dialog',
      async () => {
        const { keyboard } = ada.page;
        await ada.page.getByRole('button', { name: 'Skip to messages' }).focus();
        await keyboard.press('Enter');
        assert.equal(await atRow(), 'unread one', 'a skip link');
        await ada.message('unread one').dblclick();
        await keyboard.press('y');
        assert.equal(await ada.composer.inputValue(), '');
        await ada.page.evaluate(() => document.getSelection()?.removeAllRanges());
        await keyboard.press('Control+/');
        await inDialog().waitFor();
        await keyboard.press('z');
        await keyboard.press('Escape');
        await inDialog().waitFor({ state: 'detached' });
        assert.equal(await ada.composer.inputValue(), '');
        await keyboard.press('F6');
        await keyboard.press('F6');
        assert.notEqual(
          await ada.page.evaluate(() => document.activeElement?.closest('#messages')?.id),
          'messages',
        );
      },
    ],
    [
      'the composer grows to two fifths of the page, then scrolls; it counts near the limit',
      async () => {
        await ada.composer.fill(Array.from({ length: 60 }, (_, n) => `line ${n}`).join('\n'));
        const { height, scrolls } = await ada.composer.evaluate((area) => ({
          height: area.getBoundingClientRect().height,
          scrolls: area.scrollHeight > area.clientHeight,
        }));
        assert.ok(height > 200 && height <= 0.4 * 700 + 2, `${height} px`);
        assert.ok(scrolls);
        await ada.composer.fill('x'.repeat(3_700));
        assert.equal(await ada.page.locator('.count').textContent(), '');
        await ada.composer.fill('x'.repeat(4_005));
        await ada.page.getByText('5 characters too many').waitFor();
        await ada.composer.press('Enter');
        assert.equal((await ada.composer.inputValue()).length, 4_005, 'nothing typed is lost');
        await ada.composer.fill('');
      },
    ],
    [
      'a setting sends with Ctrl+Enter, and leaves Enter to the lines',
      async () => {
        await ada.page.goto('/settings/appearance');
        await ada.page.getByRole('radio', { name: 'Ctrl or Cmd + Enter' }).check();
        await ada.page.goto(`/c/${long}`);
        await ada.message('unread one').waitFor();
        await ada.composer.fill('first');
        await ada.composer.press('Enter');
        await ada.composer.pressSequentially('second');
        assert.equal(await ada.composer.inputValue(), 'first\nsecond');
        await ada.composer.press('Control+Enter');
        await eventually(
          () => bo.texts(long),
          (texts) => texts.at(-1) === 'first\nsecond',
          2_000,
        );
        await ada.page.goto('/settings/appearance');
        await ada.page.getByRole('radio', { name: 'Enter', exact: true }).check();
      },
    ],
    [
      'a draft keeps its caret and what it answers across a reload',
      async () => {
        await ada.page.goto(`/c/${long}`);
        await ada.message('unread one').hover();
        await ada.page.getByRole('button', { name: 'Reply' }).click();
        await ada.composer.fill('half a thought');
        await ada.composer.press('Home');
        await ada.composer.pressSequentially('only ');
        await ada.page.reload();
        await ada.page.getByText(`Replying to ${bo.user.display_name}`).waitFor();
        assert.equal(await ada.composer.inputValue(), 'only half a thought');
        const caret = await ada.composer.evaluate(
          (area) => /** @type {HTMLTextAreaElement} */ (area).selectionStart,
        );
        assert.equal(caret, 'only '.length);
        await ada.composer.fill('');
        await ada.composer.press('Escape');
      },
    ],
    [
      'a message in the open conversation is read aloud, history is not',
      async () => {
        const live = ada.page.locator('.shell > [aria-live="polite"]').last();
        await bo.send(long, 'say this');
        await eventually(
          async () => (await live.textContent()) ?? '',
          (said) => said === `${bo.user.display_name}: say this`,
          3_000,
        );
        const label = await ada.page
          .locator('.message', { hasText: 'say this' })
          .getAttribute('aria-label');
        assert.match(label ?? '', new RegExp(`^${bo.user.display_name}: say this, \\d+:\\d\\d$`));
        for (let turn = 0; turn < 4; turn += 1) {
          await scrollBy(-2_000);
          await pause(100);
        }
        await pause(600);
        assert.equal(await live.textContent(), `${bo.user.display_name}: say this`);
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
