// Groups, settings, and everything by keyboard.
import assert from 'node:assert/strict';
import { Person } from '../browser.mjs';
import { PASSWORD, Rest } from '../gateway.mjs';
import { eventually, pause, suffix } from '../tools.mjs';

/** @type {import('../tools.mjs').Story} */
export function people({ gateway, browser }) {
  const { url } = gateway;
  /** @type {Person} */ let ada;
  /** @type {Rest} */ let bo;
  /** @type {Rest} */ let cem;
  let group = '';
  let direct = '';

  const inDialog = () => ada.page.getByRole('dialog').last();
  const button = (/** @type {string} */ name) =>
    inDialog().getByRole('button', { name, exact: true });
  const conversation = () => bo.get(`/conversations/${group}`);
  const focused = () =>
    ada.page.evaluate(() => (document.activeElement?.textContent ?? '').trim().slice(0, 40));

  return [
    [
      'a group is made, renamed, grown and shrunk',
      async () => {
        ada = await Person.open(browser, url, `pada${suffix}`);
        bo = await Rest.register(url, `pbo${suffix}`);
        cem = await Rest.register(url, `pcem${suffix}`);
        const eve = await Rest.register(url, `peve${suffix}`);
        await ada.register();
        group = await ada.start([bo.user.username, cem.user.username], 'Orchard');
        await ada.page.getByRole('button', { name: 'Group info' }).click();
        await inDialog().getByLabel('Group name').fill('Orchard club');
        await button('Rename').click();
        await ada.page.getByRole('heading', { name: 'Orchard club' }).waitFor();
        await button('Add people').click();
        await inDialog().getByLabel('Find people').fill(eve.user.username);
        await inDialog().getByRole('list', { name: 'People found' }).getByRole('button').click();
        await button('Add').click();
        await eventually(conversation, ({ participant_count: n }) => n === 4, 3_000);
        await inDialog().getByLabel(`Role of ${bo.user.display_name}`).selectOption('admin');
        await eventually(conversation, ({ role }) => role === 'admin', 3_000);
        await button(`Remove ${eve.user.display_name}`).click();
        await button(`Remove ${eve.user.display_name}`).click();
        await eventually(conversation, ({ participant_count: n }) => n === 3, 3_000);
        await button('Close').click();
      },
    ],
    [
      'readers stand as faces where they are, and a click lists them',
      async () => {
        await ada.say('Who has seen this?');
        await ada.page.locator('[aria-label="Sent"]').waitFor();
        const { last_seq } = await conversation();
        for (const reader of [bo, cem]) {
          await reader.post(`/conversations/${group}/read`, { seq: last_seq });
        }
        const readers = ada.page.getByRole('button', { name: /^Read up to here/ });
        await eventually(
          async () => (await readers.last().textContent()) ?? '',
          (label) => label.includes(bo.user.display_name) && label.includes(cem.user.display_name),
          5_000,
        );
        await readers.last().click();
        await ada.page
          .locator('.readers-list:popover-open')
          .getByText(bo.user.display_name)
          .waitFor();
        await ada.page.keyboard.press('Escape');
      },
    ],
    [
      'a message is answered, changed and deleted',
      async () => {
        const me = (await Rest.login(url, ada.username)).user.id;
        direct = (await bo.post('/conversations', { kind: 'direct', participant_ids: [me] })).id;
        await bo.send(direct, 'question?');
        await ada.row(bo.user.display_name).click();
        await ada.message('question?').hover();
        await ada.page.getByRole('button', { name: 'Reply' }).click();
        await ada.page.getByText(`Replying to ${bo.user.display_name}`).waitFor();
        await ada.say('answer');
        await ada.page.locator('.quote').getByText('question?').waitFor();
        await ada.page.locator('[aria-label="Sent"]').waitFor();
        await ada.composer.press('ArrowUp');
        const editor = ada.page.getByRole('textbox', { name: 'Editing your message' });
        await editor.fill('better answer');
        await editor.press('Enter');
        await ada.message('better answer').waitFor();
        await ada.page.getByText('edited').waitFor();
        await ada.composer.fill('kept');
        await ada.message('better answer').hover();
        await ada.page.getByRole('button', { name: 'Edit' }).click();
        await editor.press('Escape');
        assert.equal(await ada.composer.inputValue(), 'kept', 'the draft is back');
        await ada.composer.fill('');
        await ada.message('better answer').hover();
        await ada.page.getByRole('button', { name: 'More actions' }).click();
        await ada.page.getByRole('menuitem', { name: /^Delete/ }).click();
        await button('Delete').click();
        await ada.page.locator('.message .deleted').waitFor();
        const { messages } = await bo.get(`/conversations/${direct}/messages`);
        assert.equal(messages.at(-1).body, null);
      },
    ],
    [
      'mute and pin are kept by the server, and a muted conversation raises nothing',
      async () => {
        await eventually(
          () => ada.row(bo.user.display_name).textContent(),
          (label) => label?.includes('unread') === false,
          3_000,
        );
        await ada.page.getByRole('button', { name: /^Options for/ }).click();
        await ada.page.getByRole('menuitem', { name: 'Mute' }).click();
        await ada.page.getByRole('button', { name: /^Options for/ }).click();
        await ada.page.getByRole('menuitem', { name: 'Pin', exact: true }).click();
        await ada.page.locator('.chat-header svg[class*="pin"]').waitFor();
        await ada.page.goto('/');
        await ada.page.getByRole('heading', { name: 'Pinned' }).waitFor();
        await ada.live();
        await bo.send(direct, 'psst');
        await ada.row(`${bo.user.display_name}, 1 unread, offline, muted`).waitFor();
        await pause(300);
        assert.equal(await ada.toasts().count(), 0);
        assert.equal(await ada.page.title(), 'Parley');
        await ada.row(bo.user.display_name).click({ button: 'right' });
        await ada.page.getByRole('menuitem', { name: 'Unmute' }).click();
        await eventually(
          () => ada.page.title(),
          (title) => title.startsWith('(1)'),
          2_000,
        );
      },
    ],
    [
      'unread from here holds until one leaves and returns; everything read can be undone',
      async () => {
        await ada.row(bo.user.display_name).click();
        await ada.message('psst').waitFor();
        await eventually(
          () => ada.page.title(),
          (title) => !title.startsWith('('),
          3_000,
        );
        await ada.message('question?').hover();
        await ada.page.getByRole('button', { name: 'More actions' }).click();
        await ada.page.getByRole('menuitem', { name: 'Mark unread from here' }).click();
        await ada.row(`${bo.user.display_name}, 2 unread`).waitFor();
        await pause(1_500);
        await ada.row(`${bo.user.display_name}, 2 unread`).waitFor();
        await ada.row('Orchard club').click();
        await ada.row(`${bo.user.display_name}, 2 unread`).waitFor();
        await ada.composer.press('Shift+Escape');
        await ada.page.getByText('Everything is marked as read.').waitFor();
        assert.ok(!(await ada.page.title()).startsWith('('));
        await ada.page.getByRole('button', { name: 'Undo' }).click();
        await ada.row(`${bo.user.display_name}, 2 unread`).waitFor();
        await bo.send(direct, 'read me by Escape');
        await ada.row(`${bo.user.display_name}, 3 unread`).click();
        await ada.composer.press('Escape');
        await eventually(
          () => ada.page.title(),
          (title) => !title.startsWith('('),
          3_000,
        );
      },
    ],
    [
      'the keyboard alone: switcher, regions, messages, actions',
      async () => {
        const { keyboard } = ada.page;
        await keyboard.press('Control+k');
        await ada.page.getByRole('combobox').waitFor();
        await keyboard.type('orch');
        await keyboard.press('Enter');
        await ada.page.waitForURL(`**/c/${group}`);
        await keyboard.press('Alt+ArrowUp');
        await ada.page.waitForURL(`**/c/${direct}`);
        await ada.composer.waitFor();
        await keyboard.press('Control+k');
        await ada.page.getByRole('combobox').waitFor();
        await keyboard.press('Escape');
        await eventually(
          () => ada.composer.evaluate((area) => document.activeElement === area),
          (there) => there,
          1_000,
        );
        await keyboard.press('Shift+F6');
        assert.match(await focused(), /Escape/, 'the newest message is the one stop of the list');
        await keyboard.press('Home');
        await keyboard.press('ArrowDown');
        await keyboard.press('r');
        await ada.page.getByText(/^Replying to/).waitFor();
        await keyboard.press('Escape');
        await keyboard.press('Shift+F6');
        await keyboard.press('Enter');
        await ada.page.getByRole('menu').waitFor();
        await keyboard.press('Escape');
        await ada.page.getByRole('menu').waitFor({ state: 'detached' });
        assert.match(
          await focused(),
          /Escape|psst|question|deleted/i,
          'the focus is back at the message',
        );
        await keyboard.press('x');
        assert.equal(await ada.composer.inputValue(), 'x', 'what is typed goes to the composer');
        await ada.composer.fill(':tada');
        await ada.page.getByRole('option', { name: /:tada:/ }).waitFor();
        await keyboard.press('Enter');
        assert.equal(await ada.composer.inputValue(), '🎉 ');
        await ada.composer.fill('');
        await keyboard.press('Control+/');
        await ada.page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
        await keyboard.press('Escape');
        await keyboard.press('Control+,');
        await ada.page.waitForURL('**/settings');
      },
    ],
    [
      'typing finds a conversation in the list, F8 goes to a toast, a click with Ctrl opens a tab',
      async () => {
        const { keyboard } = ada.page;
        await ada.page.goto('/');
        await ada.live();
        await ada.row('Orchard club').focus();
        await keyboard.type(bo.user.display_name.slice(0, 4).toLowerCase());
        assert.ok((await focused()).includes(bo.user.display_name));
        await keyboard.press('ArrowDown');
        assert.match(await focused(), /Orchard club/);
        await bo.send(group, 'look here');
        await ada.toasts().getByText('look here').waitFor();
        assert.match(await focused(), /Orchard club/, 'a toast takes no focus');
        await keyboard.press('F8');
        assert.match(await focused(), /look here/);
        await keyboard.press('Escape');
        await ada.toasts().waitFor({ state: 'detached' });
        const opened = ada.page.context().waitForEvent('page');
        await ada.row('Orchard club').click({ modifiers: ['ControlOrMeta'] });
        const tab = await opened;
        await tab.waitForURL(`**/c/${group}`);
        await tab.close();
        assert.equal(new URL(ada.page.url()).pathname, '/');
      },
    ],
    [
      'on a small screen list and chat are screens of their own, and Back leads from one to the other',
      async () => {
        await ada.page.setViewportSize({ width: 390, height: 700 });
        await ada.page.goto('/');
        await ada.row('Orchard club').click();
        await ada.message('look here').waitFor();
        assert.equal(await ada.row('Orchard club').isVisible(), false);
        const bottom = await ada.composer.evaluate((area) => area.getBoundingClientRect().bottom);
        assert.ok(bottom <= 700, `the composer ends at ${bottom}`);
        await ada.page.goBack();
        await ada.row('Orchard club').waitFor();
        await ada.page.setViewportSize({ width: 1100, height: 700 });
      },
    ],
    [
      'a refused message says why, and is sent again or deleted',
      async () => {
        // Alone: any tab of hers may send what waits.
        const tab = await ada.page.context().newPage();
        await ada.page.goto('about:blank');
        let refusing = true;
        await tab.routeWebSocket(/\/ws/, (socket) => {
          const server = socket.connectToServer();
          socket.onMessage((text) => {
            const { id, type } = JSON.parse(String(text));
            if (!refusing || type !== 'message.send') {
              server.send(text);
              return;
            }
            const payload = { code: 'invalid_field', message: 'It is too odd.', retryable: false };
            socket.send(JSON.stringify({ type: 'error', id, payload }));
          });
        });
        await tab.goto(`/c/${direct}`);
        const odd = new Person(tab, ada.username);
        await odd.say('odd one');
        await tab.getByText('It is too odd.').first().waitFor();
        await odd.say('odd two');
        await tab.getByText('2 messages could not be sent.').waitFor();
        refusing = false;
        await tab.locator('.message').last().getByRole('button', { name: 'Delete' }).click();
        await odd.message('odd two').waitFor({ state: 'detached' });
        await tab.getByRole('button', { name: 'Retry', exact: true }).click();
        await tab.locator('[aria-label="Sent"]').waitFor();
        const texts = await bo.texts(direct);
        assert.equal(texts.at(-1), 'odd one');
        assert.ok(!texts.includes('odd two'));
        await tab.close();
      },
    ],
    [
      'several messages are copied as lines with name and time',
      async () => {
        await ada.page.goto(`/c/${group}`);
        await bo.send(group, 'one');
        await bo.send(group, 'two');
        await ada.message('two').waitFor();
        const copied = await ada.page.evaluate(() => {
          const rows = document.querySelectorAll('.message .words');
          const [first, last] = [rows[rows.length - 2], rows[rows.length - 1]];
          if (first === undefined || last === undefined) throw new Error('no rows');
          document.getSelection()?.setBaseAndExtent(first, 0, last, 1);
          const data = new DataTransfer();
          const event = new ClipboardEvent('copy', {
            clipboardData: data,
            bubbles: true,
            cancelable: true,
          });
          first.dispatchEvent(event);
          return data.getData('text/plain');
        });
        const { display_name: name } = bo.user;
        assert.match(copied, new RegExp(`^${name}, .+: one\\n${name}, .+: two$`));
      },
    ],
    [
      'name, password and sessions are changed in the settings',
      async () => {
        await ada.page.goto('/settings');
        await ada.page.getByLabel('Display name').fill('Ada L.');
        await ada.page.getByRole('button', { name: 'Save' }).click();
        await ada.page.getByText('Saved.').waitFor();
        await ada.page.getByLabel('Current password').fill('not the password');
        await ada.page.getByLabel('New password').fill('another password');
        await ada.page.getByRole('button', { name: 'Change password' }).click();
        await ada.page.getByText('The password is wrong.').waitFor();
        await Rest.login(url, ada.username);
        await ada.page.getByRole('link', { name: 'Sessions' }).click();
        const revoke = ada.page.getByRole('main').getByRole('button', { name: /^Sign out/ });
        await revoke.first().waitFor();
        const before = await revoke.count();
        await revoke.first().click();
        await eventually(
          () => revoke.count(),
          (count) => count === before - 1,
          3_000,
        );
        await ada.page.getByRole('link', { name: 'Notifications' }).click();
        await ada.page.getByRole('button', { name: 'Turn on notifications' }).waitFor();
      },
    ],
    [
      'who leaves a group is told so by its link, and who deletes their account is gone',
      async () => {
        await ada.page.goto(`/c/${group}`);
        await ada.page.getByRole('button', { name: 'Group info' }).click();
        await button('Leave group').click();
        await button('Leave group').click();
        await ada.page.waitForURL(`${url}/`);
        await ada.page.goto(`/c/${group}`);
        await ada.page.getByText('This conversation does not exist').waitFor();
        await ada.page.goto('/settings');
        await ada.page.getByRole('button', { name: 'Delete my account' }).click();
        await inDialog().getByLabel('Password', { exact: true }).fill(PASSWORD);
        await button('Delete for good').click();
        await ada.page.waitForURL('**/login');
        await ada.login();
        await ada.page.getByText('The name or the password is wrong.').waitFor();
        assert.deepEqual(ada.complaints, []);
      },
    ],
  ];
}
