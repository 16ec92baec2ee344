// Two replicas behind a proxy, and the one that serves the page dies.
import assert from 'node:assert/strict';
import { Person } from '../browser.mjs';
import { Rest } from '../gateway.mjs';
import { openReplicas } from '../replicas.mjs';
import { eventually, suffix } from '../tools.mjs';

const BURST = 500;
/** So far the burst has come when the replica dies. */
const KILLED_AT = 150;
const RESUMED_MS = 30_000;

/** @type {import('../tools.mjs').Story} */
export function replicas({ browser, atEnd }) {
  /** @type {Awaited<ReturnType<typeof openReplicas>>} */ let cluster;
  /** @type {Person} */ let ada;
  /** @type {Person} */ let bo;
  let direct = '';

  const sockets = () => Promise.all(cluster.replicas.map((replica) => replica.sockets()));
  const bursts = (/** @type {string[]} */ texts) => texts.filter((t) => t.startsWith('burst'));

  /** Everything on a page from its end to the first of the burst, by the place it has in the log. */
  const collect = async (/** @type {Person} */ person) => {
    const seen = /** @type {Map<string, string>} */ (new Map());
    await eventually(
      async () => {
        const rows = await person.page.locator('.message').evaluateAll((all) => {
          const box = document.querySelector('.scroller');
          if (box !== null) box.scrollTop -= box.clientHeight;
          return all.map((row) => [
            /** @type {HTMLElement} */ (row).dataset.key ?? '',
            row.querySelector('.words')?.textContent ?? '',
          ]);
        });
        const texts = bursts(rows.map(([, text = '']) => text));
        const first = Number(texts[0]?.split(' ')[1]);
        const inOrder = texts.map((_, n) => `burst ${first + n}`);
        assert.deepEqual(texts, inOrder, 'in order, without a hole');
        for (const [key = '', text = ''] of rows) seen.set(key, text);
        return [...seen.values()];
      },
      (texts) => texts.includes('burst 0'),
      RESUMED_MS,
    );
    return bursts([...seen.values()]).toSorted(
      (a, b) => Number(a.split(' ')[1]) - Number(b.split(' ')[1]),
    );
  };

  return [
    [
      'two people, each on a replica of their own, talk to each other',
      async () => {
        cluster = await openReplicas();
        atEnd(cluster.stop);
        const { url } = cluster;
        ada = await Person.open(browser, url, `rada${suffix}`);
        await ada.register();
        bo = await Person.open(browser, url, `rbo${suffix}`);
        await bo.register();
        await eventually(sockets, (counts) => counts.every((count) => count === 1), 5_000);
        direct = await ada.start([bo.username]);
        await ada.say('hello');
        await bo.row(`${ada.name}, 1 unread, online`).click();
        await bo.message('hello').waitFor();
        await ada.page.getByText(/^Seen \d/).waitFor();
      },
    ],
    [
      'the replica of one is killed in the middle of five hundred messages: both have all, once, in order',
      async () => {
        // Whose replica is whose shows when one of them is away.
        const before = await sockets();
        await ada.page.goto('about:blank');
        const after = await eventually(
          sockets,
          (counts) => counts.some((count, n) => count < (before[n] ?? 0)),
          5_000,
        );
        const others = after.findIndex((count, n) => count === before[n]);
        await ada.page.goto(`${cluster.url}/c/${direct}`);
        await ada.message('hello').waitFor();
        const counts = await eventually(
          sockets,
          (now) => now.reduce((sum, count) => sum + count, 0) === 2,
          5_000,
        );
        const own = counts[others] === 2 ? others : 1 - others;
        const rest = await Rest.login(cluster.url, bo.username);
        const sent = Array.from({ length: BURST }, (_, n) => `burst ${n}`);
        await ada.page.evaluate((texts) => {
          const area = document.querySelector('textarea');
          let next = 0;
          const write = () => {
            const text = texts[next];
            if (area === null || text === undefined) return;
            next += 1;
            area.value = text;
            area.dispatchEvent(new InputEvent('input', { bubbles: true }));
            area.form?.requestSubmit();
            setTimeout(write, 4);
          };
          write();
        }, sent);
        await bo.message(`burst ${KILLED_AT}`).waitFor({ timeout: RESUMED_MS });
        cluster.replicas[own]?.kill();
        const stored = async () => bursts(await rest.texts(direct));
        await eventually(stored, (texts) => texts.length >= BURST, RESUMED_MS);
        assert.deepEqual(await stored(), sent);
        for (const person of [ada, bo]) {
          await eventually(
            async () => (await person.texts()).at(-1),
            (text) => text === sent.at(-1),
            RESUMED_MS,
          );
          assert.deepEqual(await collect(person), sent);
        }
        assert.equal(await ada.page.locator('[aria-label="Sending"]').count(), 0);
        assert.equal((await ada.toasts().count()) + (await bo.toasts().count()), 0);
        assert.deepEqual([...ada.complaints, ...bo.complaints], []);
      },
    ],
  ];
}
