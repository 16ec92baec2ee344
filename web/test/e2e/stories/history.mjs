// Reading: where a conversation opens, what moves and what does not, and what counts as read.
import assert from 'node:assert/strict';
import { Person } from '../browser.mjs';
import { Rest } from '../gateway.mjs';
import { eventually, pause, suffix } from '../tools.mjs';

const MANY = 420;

/** @type {import('../tools.mjs').Story} */
export function history({ gateway, browser }) {
  const { url } = gateway;
  /** @type {Person} */ let ada;
  /** @type {Rest} */ let bo;
  /** @type {Rest} */ let cem;
  let long = '';
  let other = '';
  /** Places of the log that Ada's page has told the server she has read. */
  const marks = /** @type {number[]} */ ([]);

  const top = (/** @type {string} */ text) =>
    ada.message(text).evaluate((element) => element.getBoundingClientRect().top);
  /** How far a message moves while something is done. */
  const drift = async (/** @type {string} */ text, /** @type {() => Promise<unknown>} */ act) => {
    const before = await top(text);
    await act();
    await pause(250);
    return Math.abs((await top(text)) - before);
  };
  const fromEnd = () =>
    ada.page.locator('.scroller').evaluate((box) => Math.round(Math.abs(box.scrollTop)));
  const scrollBy = (/** @type {number} */ px) =>
    ada.page.locator('.scroller').evaluate((box, by) => {
      box.scrollTop += by;
    }, px);
  const open = async (/** @type {string} */ id) => {
    await ada.page.locator(`.conversation[href="/c/${id}"]`).click();
    await ada.page.waitForURL(`**/c/${id}`);
  };

  return [
    [
      'a long conversation is there',
      async () => {
        ada = await Person.open(browser, url, `hada${suffix}`);
        ada.page.on('websocket', (socket) =>
          socket.on('framesent', ({ payload }) => {
            const frame = JSON.parse(String(payload));
            if (frame.type === 'conversation.read') marks.push(frame.payload.seq);
          }),
        );
        await ada.register();
        const me = (await Rest.login(url, ada.username)).user.id;
        bo = await Rest.register(url, `hbo${suffix}`);
        cem = await Rest.register(url, `hcem${suffix}`);
        const make = (/** @type {Rest} */ who) =>
          who.post('/conversations', { kind: 'direct', participant_ids: [me] });
        long = (await make(bo)).id;
        other = (await make(cem)).id;
        for (let n = 0; n < MANY; n += 1) {
          await bo.send(long, `line ${n} ${'word '.repeat(n % 23)}`.trim());
        }
        await cem.send(other, 'short');
      },
    ],
    [
      'unread opens at the divider, a quarter from the top, and stays',
      async () => {
        await ada.page.reload();
        await open(long);
        const divider = ada.page.locator('.divider.new');
        await divider.waitFor();
        const box = await ada.page.locator('.scroller').boundingBox();
        const place = async () => ((await divider.boundingBox())?.y ?? 0) - (box?.y ?? 0);
        const quarter = (box?.height ?? 0) / 4;
        await eventually(place, (y) => Math.abs(y - quarter) < 3, 1_000);
        await ada.message('line 0').waitFor();
        await pause(1_300);
        await bo.send(long, 'the last one');
        await pause(300);
        assert.ok(Math.abs((await place()) - quarter) < 3, 'it stays where it was');
        await ada.page.locator('.pill').click();
        await ada.message('the last one').waitFor();
      },
    ],
    [
      'with nothing unread, the newest message is at the bottom on the first frame',
      async () => {
        await open(other);
        await ada.message('short').waitFor();
        await ada.page.evaluate(() => {
          const seen = /** @type {number[]} */ ([]);
          Object.assign(globalThis, { seen });
          const look = () => {
            const box = document.querySelector('.scroller');
            if (document.querySelectorAll('.message').length > 10 && box !== null) {
              seen.push(Math.abs(box.scrollTop));
            }
            if (seen.length < 20) requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        });
        await open(long);
        await ada.message('the last one').waitFor();
        await pause(500);
        // @ts-expect-error put there above
        const seen = await ada.page.evaluate(() => globalThis.seen);
        assert.ok(seen.length > 0 && Math.max(...seen) <= 1, JSON.stringify(seen));
      },
    ],
    [
      'what changes around a reader in history moves no row',
      async () => {
        for (let turn = 0; turn < 6; turn += 1) {
          await scrollBy(-500);
          await pause(60);
        }
        await pause(400);
        const held = await ada.page.locator('.message .words').evaluateAll((rows) => {
          const inView = rows.find((row) => row.getBoundingClientRect().top > 200);
          return inView?.textContent ?? '';
        });
        assert.notEqual(held, '');
        const { messages } = await bo.get(`/conversations/${long}/messages?limit=200`);
        const index = messages.findIndex((/** @type {any} */ m) => m.body === held);
        const [above, below] = [messages[index - 25], messages[index + 30]];
        const longer = `edited ${'longer '.repeat(60)}`;
        const cases = /** @type {[string, () => Promise<unknown>][]} */ ([
          ['a message at the end', () => bo.send(long, 'while you read')],
          ['an edit above', () => bo.patch(`/conversations/${long}/messages/${above.seq}`, longer)],
          ['a deletion above', () => bo.delete(`/conversations/${long}/messages/${above.seq}`)],
          ['an edit below', () => bo.patch(`/conversations/${long}/messages/${below.seq}`, longer)],
          ['a deletion below', () => bo.delete(`/conversations/${long}/messages/${below.seq}`)],
          ['a growing composer', () => ada.composer.fill('one\ntwo\nthree\nfour\nfive')],
          ['a shrinking composer', () => ada.composer.fill('')],
          ['a lower window', () => ada.page.setViewportSize({ width: 1100, height: 600 })],
          ['a narrower window', () => ada.page.setViewportSize({ width: 1000, height: 600 })],
          ['a wider one', () => ada.page.setViewportSize({ width: 1100, height: 700 })],
        ]);
        const moved = [];
        for (const [name, act] of cases) {
          const by = await drift(held, act);
          if (by > 1) moved.push(`${name}: ${by} px`);
        }
        assert.deepEqual(moved, []);
        await ada.page.getByRole('button', { name: '1 new message' }).waitFor();
      },
    ],
    [
      'leaving and returning finds the same row at the same place',
      async () => {
        await scrollBy(-300);
        await pause(300);
        const held = await ada.page.locator('.message .words').evaluateAll((rows) => {
          const inView = rows.find((row) => row.getBoundingClientRect().top > 200);
          return inView?.textContent ?? '';
        });
        const before = await top(held);
        await open(other);
        await ada.message('short').waitFor();
        await open(long);
        await ada.message(held).waitFor();
        await pause(300);
        assert.ok(Math.abs((await top(held)) - before) <= 1, `${await top(held)} for ${before}`);
      },
    ],
    [
      'a jump to the latest lands exactly at the end, within half a second',
      async () => {
        await ada.page.locator('.pill').click();
        await eventually(fromEnd, (px) => px === 0, 500);
        await ada.message('while you read').waitFor();
        await open(other);
        await open(long);
        await ada.message('while you read').waitFor();
        assert.equal(await fromEnd(), 0, 'who was at the end returns to the end');
      },
    ],
    [
      'a jump to what was answered swaps the page, marks it, and Back returns',
      async () => {
        const first = await bo.get(`/conversations/${long}/messages?after=0&limit=10`);
        const original = first.messages.find(
          (/** @type {any} */ m) => m.body === 'line 3 word word word',
        );
        await bo.send(long, 'about that', original.seq);
        await ada.message('about that').waitFor();
        await pause(300);
        const before = await top('about that');
        await ada.page.locator('.quote').click();
        await ada.message('line 3 word word word').waitFor();
        await ada.page.locator('.message.marked').waitFor();
        const box = await ada.message('line 3 word word word').boundingBox();
        assert.ok(box !== null && box.y > 60 && box.y < 640, JSON.stringify(box));
        await ada.page.goBack();
        await ada.message('about that').waitFor();
        await pause(300);
        assert.ok(Math.abs((await top('about that')) - before) <= 80);
      },
    ],
    [
      'what is missing between two stretches is a row that loads when it is reached',
      async () => {
        const first = await bo.get(`/conversations/${long}/messages?after=0&limit=60`);
        const { seq, body } = first.messages.at(-2);
        // A page that has never seen this conversation, by a link into its middle.
        const fresh = await ada.page.context().newPage();
        await fresh.goto(`/c/${long}/m/${seq}`);
        await fresh.locator('.message .words').getByText(body, { exact: true }).waitFor();
        for (let turn = 0; turn < 300; turn += 1) {
          const there = await fresh.locator('.message .words').evaluateAll((rows) => {
            const last = rows.at(-1);
            const end =
              last?.textContent === 'about that' && document.querySelector('.gap') === null;
            return end && last.getBoundingClientRect().bottom <= innerHeight;
          });
          if (there) break;
          const waits = await fresh
            .locator('.gap')
            .evaluateAll((gaps) =>
              gaps.some((gap) => gap.getBoundingClientRect().top < innerHeight),
            );
          if (!waits) {
            await fresh.locator('.scroller').evaluate((box) => {
              box.scrollTop += 400;
            });
          }
          await pause(50);
        }
        const shown = await fresh.locator('.message .words').allTextContents();
        const stored = (await bo.texts(long)).filter((text) => text !== null);
        const at = stored.indexOf(shown[0] ?? '');
        assert.deepEqual(shown, stored.slice(at, at + shown.length), 'no hole, no doubles');
        assert.equal(await fresh.locator('.gap').count(), 0);
        await fresh.close();
      },
    ],
    [
      'nothing is read by a glance, in the background, or by a scroll that nobody made',
      async () => {
        await open(other);
        await pause(1_300);
        await open(long);
        await pause(1_300);
        for (let turn = 0; turn < 6; turn += 1) await scrollBy(-600);
        await pause(400);
        marks.length = 0;
        await bo.send(long, 'unseen');
        await pause(1_500);
        assert.deepEqual(marks, [], 'it came in below the view');
        await ada.page.locator('.scroller').evaluate(async (box) => {
          const { scrollTop } = box;
          box.scrollTop = 0;
          await new Promise((resolve) => setTimeout(resolve, 600));
          box.scrollTop = scrollTop;
        });
        await pause(1_500);
        assert.deepEqual(marks, [], 'it was there for less than a second');
        await ada.page.locator('.pill').click();
        await eventually(
          async () => marks.length,
          (count) => count > 0,
          3_000,
        );
      },
    ],
  ];
}
