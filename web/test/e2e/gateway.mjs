// The gateway under test: one that runs already (PARLEY_URL), or one started from a binary
// (PARLEY_GATEWAY_BIN) on a free port with a folder of its own.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment, freePort } from './servers.mjs';

const READY_MS = 20_000;

export async function openGateway() {
  const { PARLEY_URL: url, PARLEY_GATEWAY_BIN: binary } = process.env;
  if (url !== undefined) {
    await untilServing(url);
    return { url, data: undefined, without: undefined, stop: async () => {} };
  }
  if (binary === undefined) throw new Error('set PARLEY_URL or PARLEY_GATEWAY_BIN');
  if (!existsSync(binary)) throw new Error(`there is no gateway at ${binary}`);
  return await startGateway(binary);
}

/** @param {string} binary */
async function startGateway(binary) {
  const data = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
  const port = await freePort();
  const admin = await freePort(port + 1);
  const url = `http://127.0.0.1:${port}`;
  let log = '';
  const start = () => {
    const started = spawn(binary, ['serve'], {
      env: {
        ...environment,
        PARLEY_LISTEN: `127.0.0.1:${port}`,
        PARLEY_ADMIN_LISTEN: `127.0.0.1:${admin}`,
        PARLEY_DATA_DIR: data,
        PARLEY_RATE_LIMITS: 'off',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (chunk) => {
        log = (log + String(chunk)).slice(-8_000);
      });
    }
    return started;
  };
  let child = start();
  /** @param {NodeJS.Signals} signal */
  const end = async (signal) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  };
  const ready = () =>
    untilServing(url, () => {
      if (child.exitCode !== null) throw new Error(`the gateway ended:\n${log}`);
    });
  await ready().catch(async (error) => {
    await end('SIGKILL');
    rmSync(data, { recursive: true, force: true });
    throw error;
  });
  /** Kills it without warning, and starts it again after the task, on the same port and data. */
  const without = async (/** @type {() => Promise<unknown>} */ task) => {
    await end('SIGKILL');
    try {
      await task();
    } finally {
      child = start();
      await ready();
    }
  };
  return {
    url,
    /** Its folder, with the database in it. */
    data,
    without,
    stop: async () => {
      const forced = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await end('SIGTERM');
      clearTimeout(forced);
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/**
 * Waits until the gateway serves a page, and insists that it is the page built here: tests of an
 * old build would prove nothing.
 * @param {string} url
 */
async function untilServing(url, alive = () => {}) {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    alive();
    const page = await fetch(url).then(
      (response) => (response.ok ? response.text() : `status ${response.status}`),
      () => undefined,
    );
    if (page !== undefined) {
      const built = readFileSync(new URL('../../dist/index.html', import.meta.url), 'utf8');
      if (page === built) return;
      throw new Error('the gateway does not serve the page in dist/: build both again');
    }
    if (Date.now() > deadline) throw new Error(`nothing answers at ${url}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A user without a browser, by REST alone. */
export class Rest {
  /** @param {string} url @param {any} account */
  constructor(url, account) {
    this.url = url;
    this.user = account.user;
    this.token = account.access_token;
  }

  /** @param {string} url @param {string} username */
  static async register(url, username) {
    const credentials = { username, password: PASSWORD, display_name: nameOf(username) };
    return new Rest(url, await request(url, '/auth/register', 'POST', credentials));
  }

  /** @param {string} url @param {string} username */
  static async login(url, username) {
    return new Rest(
      url,
      await request(url, '/auth/login', 'POST', { username, password: PASSWORD }),
    );
  }

  /** @param {string} path @param {unknown} [body] */
  post(path, body) {
    return request(this.url, path, 'POST', body, this.token);
  }

  /** @param {string} path */
  get(path) {
    return request(this.url, path, 'GET', undefined, this.token);
  }

  /** @param {string} path @param {string} body */
  patch(path, body) {
    return request(this.url, path, 'PATCH', { body }, this.token);
  }

  /** @param {string} path */
  delete(path) {
    return request(this.url, path, 'DELETE', undefined, this.token);
  }

  /** @param {string} conversation @param {string} body @param {number | null} [reply_to_seq] */
  send(conversation, body, reply_to_seq = null) {
    const message = { client_msg_id: crypto.randomUUID(), body, reply_to_seq };
    return this.post(`/conversations/${conversation}/messages`, message);
  }

  /** Every message text of a conversation, oldest first. @param {string} conversation */
  async texts(conversation) {
    const texts = [];
    let before = '';
    for (;;) {
      const page = await this.get(`/conversations/${conversation}/messages?limit=200${before}`);
      texts.unshift(
        ...page.messages.flatMap((/** @type {any} */ m) => (m.kind === 'text' ? [m.body] : [])),
      );
      if (page.has_more_before !== true) return texts;
      before = `&before=${page.range.from_seq}`;
    }
  }
}

export const PASSWORD = 'correct horse battery';

/** @param {string} username */
export const nameOf = (username) => username.charAt(0).toUpperCase() + username.slice(1);

/**
 * @param {string} url @param {string} path @param {string} method
 * @param {unknown} [body] @param {string} [token]
 * @returns {Promise<any>}
 */
async function request(url, path, method, body, token) {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
