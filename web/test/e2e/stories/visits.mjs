// What outlasts a visit: conversations that can be read before the server has answered.
import assert from 'node:assert/strict';
import { Person } from '../browser.mjs';
import { PASSWORD, Rest } from '../gateway.mjs';
import { eventually, suffix } from '../tools.mjs';

/** Messages are on the disk half a second after the last of them, if the machine is at leisure. */
const WRITTEN_MS = 8_000;
/** More than a resumption tells one by one. */
const FAR = 1_050;
/** For a page that nobody answers. */
const UNANSWERED_MS = 8_000;

/** @type {import('../tools.mjs').Story} */
export function visits({ gateway, browser }) {
  const { url } = gateway;
  /** @type {Person} */ let ada;
  /** @type {Rest} */ let bo;
  /** @type {Rest} */ let cem;
  let long = '';
  let short = '';
  let me = '';

  /** The page comes, from a cache or another server; the server itself does not answer. */
  const block = async () => {
    await ada.page.route('**/*', (route) => {
      const { pathname } = new URL(route.request().url());
      const page = route.request().isNavigationRequest() || pathname.startsWith('/assets/');
      return page ? route.continue() : route.abort();
    });
  };
  const unblock = () => ada.page.unroute('**/*');
  /** What is on the disk, by conversation: up to where, and how many messages. */
  const kept = () =>
    ada.page.evaluate(async (user) => {
      const database = await new Promise((resolve) => {
        const request = indexedDB.open(`parley.${user}`);
        request.onsuccess = () => resolve(request.result);
      });
      const all = await new Promise((resolve) => {
        const request = database.transaction('chats').objectStore('chats').getAll();
        request.onsuccess = () => resolve(request.result);
      });
      database.close();
      return Object.fromEntries(
        all.map((/** @type {any} */ { conversation, applied, history }) => [
          conversation.id,
          { seq: applied.seq, messages: history?.messages.length ?? 0 },
        ]),
      );
    }, me);
  /** @param {string} id */
  const written = async (id) => {
    const { last_seq } = await bo.get(`/conversations/${id}`);
    await eventually(kept, (all) => all[id]?.seq === last_seq, WRITTEN_MS);
  };
  /** @param {Rest} person */
  const read = (person) =>
    eventually(
      () => ada.row(person.user.display_name).textContent(),
      (label) => label?.includes('unread') === false,
      3_000,
    );
  const shownAsStored = async (/** @type {string} */ id) => {
    const stored = (await bo.texts(id)).filter((text) => text !== null);
    const tail = async () => ada.texts();
    await eventually(tail, (texts) => texts.at(-1) === stored.at(-1), 5_000);
    const shown = await tail();
    assert.deepEqual(shown, stored.slice(-shown.length));
  };

  return [
    [
      'what was read is on the disk, a hundred messages of it',
      async () => {
        ada = await Person.open(browser, url, `vada${suffix}`);
        await ada.register();
        me = (await Rest.login(url, ada.username)).user.id;
        bo = await Rest.register(url, `vbo${suffix}`);
        cem = await Rest.register(url, `vcem${suffix}`);
        const make = (/** @type {Rest} */ who) =>
          who.post('/conversations', { kind: 'direct', participant_ids: [me] });
        long = (await make(bo)).id;
        short = (await make(cem)).id;
        for (let n = 0; n < 130; n += 1) await bo.send(long, `line ${n}`);
        await cem.send(short, 'from Cem');
        await ada.page.goto(`/c/${short}`);
        await ada.message('from Cem').waitFor();
        await read(cem);
        await ada.row(bo.user.display_name).click();
        await ada.page.locator('.divider.new').waitFor();
        await ada.page.locator('.pill').click();
        await ada.message('line 129').waitFor();
        await ada.row(`${bo.user.display_name}, offline`).waitFor();
        await ada.say('I read it all');
        await ada.page.locator('[aria-label="Sent"]').waitFor();
        await written(long);
        assert.equal((await kept())[long]?.messages, 100);
      },
    ],
    [
      'while the server does not answer, the conversation is there',
      async () => {
        await block();
        await ada.page.reload();
        await ada.message('I read it all').waitFor({ timeout: UNANSWERED_MS });
        await ada.row(bo.user.display_name).waitFor();
        await ada.row(cem.user.display_name).click();
        await ada.message('from Cem').waitFor();
        await ada.row(bo.user.display_name).click();
        await ada.page.getByText(/Reconnecting|Connecting/).waitFor();
        await ada.say('written without a server');
        await ada.page
          .locator('.message svg[aria-label="Waiting for connection"]')
          .first()
          .waitFor();
        await ada.page.reload();
        await ada.message('written without a server').waitFor({ timeout: UNANSWERED_MS });
      },
    ],
    [
      'and when it does again, all is as it stands there',
      async () => {
        const { messages } = await bo.get(`/conversations/${long}/messages?limit=60`);
        const texts = messages.filter((/** @type {any} */ m) => m.sender_id === bo.user.id);
        const [gone, changed] = [texts.at(-2), texts.at(-3)];
        await bo.delete(`/conversations/${long}/messages/${gone.seq}`);
        await bo.patch(`/conversations/${long}/messages/${changed.seq}`, 'changed meanwhile');
        await bo.send(long, 'said meanwhile');
        await cem.send(short, 'one for later');
        await ada.message('written without a server').waitFor();
        assert.equal(await ada.message('said meanwhile').count(), 0, 'it cannot know yet');
        await unblock();
        await ada.message('said meanwhile').waitFor({ timeout: 15_000 });
        await ada.message('changed meanwhile').waitFor();
        assert.equal(await ada.message(gone.body).count(), 0);
        await ada.row(`${cem.user.display_name}, 1 unread`).waitFor();
        await eventually(
          () => bo.texts(long),
          (all) => all.at(-1) === 'written without a server',
          15_000,
        );
        await shownAsStored(long);
        assert.equal(await ada.toasts().count(), 0, 'no burst of what was missed');
      },
    ],
    [
      'what is new since the last visit stands below the "New" divider',
      async () => {
        await read(bo);
        await written(long);
        await ada.page.goto('/settings');
        await bo.send(long, 'news of the night');
        await ada.row(`${bo.user.display_name}, 1 unread`).waitFor();
        await written(long);
        await ada.page.goto('about:blank');
        for (let n = 0; n < 40; n += 1) await bo.send(long, `of the morning ${n}`);
        await ada.page.goto(`/c/${long}`);
        await ada.page.locator('.divider.new').waitFor();
        await ada.message('news of the night').waitFor();
        const after = await ada.page.evaluate(() => {
          const divider = document.querySelector('.divider.new');
          const texts = [...document.querySelectorAll('.message .words')];
          return texts.find(
            (text) =>
              divider !== null &&
              (divider.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0,
          )?.textContent;
        });
        assert.equal(after, 'news of the night');
        await eventually(
          () => ada.message('news of the night').boundingBox(),
          (box) => box !== null && box.y > 48 && box.y < 500,
          2_000,
        );
        await eventually(
          () => ada.page.title(),
          (title) => title.startsWith('(1)'),
          3_000,
        );
      },
    ],
    [
      'after so long that the server starts anew, nothing is joined that does not belong together',
      async () => {
        await written(long);
        await ada.page.goto('about:blank');
        let next = 0;
        const worker = async () => {
          while (next < FAR) {
            next += 1;
            await bo.send(long, `far ${next}`);
          }
        };
        await Promise.all(Array.from({ length: 16 }, worker));
        await bo.send(long, 'the end of it');
        await ada.page.goto(`/c/${long}`);
        await ada.page.locator('.divider.new').waitFor();
        await ada.page.locator('.pill').click();
        await ada.message('the end of it').waitFor();
        const older = ada.message('of the morning 39');
        await eventually(
          async () => {
            await ada.page.locator('.scroller').evaluate((box) => {
              box.scrollTop -= box.clientHeight;
            });
            return await older.count();
          },
          (count) => count > 0,
          30_000,
        );
        await eventually(
          () => ada.page.locator('.gap').count(),
          (gaps) => gaps === 0,
          5_000,
        );
        const stored = (await bo.texts(long)).filter((text) => text !== null);
        const shown = await ada.texts();
        const at = stored.indexOf(shown[0] ?? '');
        assert.deepEqual(shown, stored.slice(at, at + shown.length), 'no hole, no doubles');
      },
    ],
    [
      'a session that was ended leaves nothing to read here',
      async () => {
        await written(long);
        const rest = await Rest.login(url, ada.username);
        await ada.page.goto('about:blank');
        const { items } = await rest.get('/devices');
        for (const device of items) {
          if (device.current !== true) await rest.delete(`/devices/${device.id}`);
        }
        await ada.page.goto(`/c/${long}`);
        await ada.page.waitForURL('**/login');
        await eventually(kept, (all) => Object.keys(all).length === 0, WRITTEN_MS);
        await ada.page.getByLabel('Username').fill(ada.username);
        await ada.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
        await ada.page.getByRole('button', { name: 'Sign in' }).click();
        await ada.page.waitForURL(`**/c/${long}`);
        await ada.message('the end of it').waitFor();
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
