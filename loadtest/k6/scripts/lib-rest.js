// REST. Asynchronous throughout: a blocking request would keep the sockets of its VU waiting, and
// that would be measured as latency of the gateway.

import http from 'k6/http';
import { sleep } from './lib-time.js';

const TRIES = 8;

/**
 * The answer's JSON. What helps to repeat is repeated (429, 503, no answer); anything else is an
 * error with the route's name and never with its body, which may hold a token.
 */
export async function call(method, url, { name, token, body } = {}) {
  const headers = { 'Content-Type': 'application/json' };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  const sent = body === undefined ? null : JSON.stringify(body);
  for (let attempt = 1; ; attempt += 1) {
    const answer = await http.asyncRequest(method, url, sent, { headers, tags: { name } });
    if (answer.status >= 200 && answer.status < 300) {
      return answer.body ? JSON.parse(answer.body) : null;
    }
    const again = [0, 429, 502, 503, 504].includes(answer.status);
    if (!again || attempt === TRIES) throw new Error(`${name} answered ${answer.status}`);
    const told = Number(answer.headers['Retry-After']) * 1000;
    await sleep(told > 0 ? told : 100 * 2 ** attempt * (0.5 + Math.random()));
  }
}

export class Api {
  constructor(base, token) {
    this.base = base;
    this.token = token;
  }

  ask(method, path, name, body) {
    return call(method, this.base + path, { name, token: this.token, body });
  }

  /** All conversations of the user: their last seq, by id. */
  async lastSeqs() {
    const found = new Map();
    let after = '';
    do {
      const path = `/conversations?limit=200${after}`;
      const page = await this.ask('GET', path, 'GET /conversations');
      for (const { id, last_seq } of page.items) found.set(id, last_seq);
      after = page.next === null ? '' : `&after=${encodeURIComponent(page.next)}`;
    } while (after !== '');
    return found;
  }

  /** `place`: `after=12`, `before=40`, or empty for the newest. */
  page(conversation, place, limit) {
    const path = `/conversations/${conversation}/messages?limit=${limit}${place && `&${place}`}`;
    return this.ask('GET', path, 'GET messages');
  }
}
