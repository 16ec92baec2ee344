// The browser, and a person in it.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { nameOf, PASSWORD } from './gateway.mjs';
import { eventually } from './tools.mjs';

const EXECUTABLE = process.env.PARLEY_CHROMIUM ?? '/usr/bin/chromium';
/** For whatever has no limit of its own; several builds may share the machine. */
const PATIENCE_MS = 15_000;
/** A page that was opened has heard from the server by then. */
const LIVE_MS = 15_000;
/** What fades in or slides has arrived by then; what takes longer shows how time goes by. */
const SETTLED_MS = 3_000;

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);

export async function openBrowser() {
  if (!existsSync(EXECUTABLE)) throw new Error(`there is no browser at ${EXECUTABLE}`);
  return await chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // A name that is no secure context, as on a network at home.
      '--host-resolver-rules=MAP chat.lan 127.0.0.1',
    ],
  });
}

/** One person with a browser of their own. */
export class Person {
  /** What the page should never say: script errors, and what the CSP refused. */
  complaints = /** @type {string[]} */ ([]);
  /** Sockets of the page that have said `live`. */
  #live = /** @type {Set<unknown>} */ (new Set());

  /** @param {import('playwright-core').Page} page @param {string} username */
  constructor(page, username) {
    this.page = page;
    this.username = username;
    this.name = nameOf(username);
    page.on('pageerror', (error) => this.complaints.push(`${username}: ${error.message}`));
    page.on('framenavigated', (frame) => {
      if (frame === page.mainFrame()) this.#live.clear();
    });
    page.on('websocket', (socket) => {
      socket.on('close', () => this.#live.delete(socket));
      socket.on('framereceived', ({ payload }) => {
        if (String(payload).includes('"type":"live"')) this.#live.add(socket);
      });
    });
    page.on('console', (message) => {
      const text = message.text();
      // A refused login and a gateway that is down are part of the tests; over plain http a
      // browser says of one header that it means nothing there.
      const expected =
        /Failed to load resource|WebSocket|Cross-Origin-Opener-Policy header has been/;
      if (message.type() !== 'error' || expected.test(text)) return;
      this.complaints.push(`${username}: ${text}`);
    });
  }

  /**
   * @param {import('playwright-core').Browser} browser @param {string} url
   * @param {string} username
   * @param {import('playwright-core').BrowserContextOptions} [options]
   */
  static async open(browser, url, username, options = {}) {
    const context = await browser.newContext({
      baseURL: url,
      viewport: { width: 1100, height: 700 },
      ...options,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    return new Person(await context.newPage(), username);
  }

  async register() {
    await this.page.goto('/register');
    await this.page.getByLabel('Username').fill(this.username);
    await this.page.getByLabel('Display name').fill(this.name);
    await this.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await this.page.getByRole('button', { name: 'Create account' }).click();
    await this.page.getByText('No conversations yet.').waitFor();
  }

  async login() {
    await this.page.getByLabel('Username').fill(this.username);
    await this.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
  }

  /** Finds people and starts a conversation with them. @param {string[]} names @param {string} [title] */
  async start(names, title) {
    await this.page.getByRole('button', { name: 'New conversation' }).click();
    const dialog = this.page.getByRole('dialog');
    for (const name of names) {
      await dialog.getByLabel('Find people').fill(name);
      await dialog
        .getByRole('list')
        .getByRole('button', { name: nameOf(name) })
        .click();
    }
    if (title !== undefined) await dialog.getByLabel('Group name').fill(title);
    await dialog.getByRole('button', { name: /^(Start conversation|Create group)$/ }).click();
    await dialog.waitFor({ state: 'detached' });
    return this.page.url().split('/c/')[1] ?? '';
  }

  get composer() {
    return this.page.getByRole('textbox', { name: /^Message / });
  }

  /** @param {string} text */
  async say(text) {
    await this.composer.fill(text);
    await this.composer.press('Enter');
  }

  /** @param {string} text */
  message(text) {
    return this.page.locator('.message .words').getByText(text, { exact: true });
  }

  /** A conversation in the sidebar, by the words of its label. @param {string} name */
  row(name) {
    const label = name.replaceAll(', ', '[ ,]+');
    return this.page
      .getByRole('navigation')
      .getByRole('link', { name: new RegExp(`^${label}\\b`) });
  }

  /** Every message text on the page, top to bottom. */
  texts() {
    return this.page.locator('.message .words').allTextContents();
  }

  toasts() {
    return this.page.locator('.toast');
  }

  /** Waits until what happens now is news: a page shows what it kept before it is connected. */
  async live() {
    await eventually(
      () => Promise.resolve(this.#live.size),
      (sockets) => sockets > 0,
      LIVE_MS,
    );
  }

  /** Waits until nothing moves: what is half faded in has colours that nobody is meant to read. */
  async settled() {
    const moving = () =>
      this.page.evaluate(
        (longest) =>
          document
            .getAnimations()
            .filter(({ effect, playState }) => {
              const end = effect?.getComputedTiming().endTime ?? 0;
              return playState === 'running' && Number(end) <= longest;
            })
            .map((animation) => ('animationName' in animation ? animation.animationName : 'fade')),
        SETTLED_MS,
      );
    await eventually(moving, (names) => names.length === 0, SETTLED_MS);
  }

  /** Serious and lesser findings alike. */
  async axe() {
    await this.settled();
    // By evaluation: the page's CSP forbids the script that a tag would bring.
    await this.page.evaluate(axeSource);
    return await this.page.evaluate(async () => {
      // @ts-expect-error put there by the line above
      const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
      return violations.map(
        (/** @type {any} */ v) =>
          `${v.id}: ${v.nodes.map((/** @type {any} */ n) => n.html).join(' ')}`,
      );
    });
  }
}
