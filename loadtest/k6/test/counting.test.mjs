// Whether the scripts notice what a gateway must never do. A device of theirs is given sockets that
// say what the test wants; nothing else is there.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Counter, forget, Trend } from '../stand-in/metrics.mjs';
import { load } from '../stand-in/worlds.mjs';

const script = (name) => fileURLToPath(new URL(`../scripts/${name}`, import.meta.url));
const CONVERSATION = 'c';
const ME = 'me';

/** The sockets that the device has opened, in their order. */
let sockets = [];

class FakeSocket {
  constructor() {
    this.readyState = 0;
    this.sent = [];
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 2;
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  say(frame, at = 1000) {
    this.onmessage({ data: JSON.stringify(frame), timestamp: at });
  }

  /** Up to `live`, with the conversation at `lastSeq`. */
  greet(lastSeq) {
    this.open();
    const items = [{ id: CONVERSATION, last_seq: lastSeq, last_event_id: 'e', participants: [] }];
    this.say({ type: 'conversations', payload: { items, done: true } });
    this.say({ type: 'live', payload: {} });
  }

  /** A message of the run, of somebody else unless told otherwise. */
  bring(
    seq,
    { from = 7, number = seq, after = 0, sender = 'other', id = `m${seq}`, key = 'k' } = {},
  ) {
    const body = JSON.stringify({ run: 'r', from, number, after, at: 900 });
    const payload = { id, seq, sender_id: sender, client_msg_id: key, body };
    this.say({ type: 'message.new', conversation_id: CONVERSATION, seq, event_id: id, payload });
  }
}

const { Device } = await load(script('lib-device.js'), 1, new Map(), FakeSocket);
const { closeCode } = await load(script('lib-ws.js'), 1, new Map(), FakeSocket);
const { audit } = await load(script('lib-audit.js'), 1, new Map(), FakeSocket);

const count = (name) => new Counter(name).samples.reduce((sum, sample) => sum + sample, 0);
const counts = () => [count('lost'), count('duplicated'), count('out_of_order')];

beforeEach(() => {
  forget();
  sockets = [];
});

function connected(lastSeq = 3) {
  const user = { user_id: ME, access_token: 't' };
  const device = new Device({ index: 0, user, url: 'ws://nowhere', run: 'r', size: 0 });
  device.connect(0, new Trend('connect_ms'));
  sockets[0].greet(lastSeq);
  return { device, socket: sockets[0] };
}

/** What REST tells in the end. */
function database(messages, lastSeq) {
  globalThis.fetch = async (url) => {
    const answer = url.includes('/messages')
      ? { messages, range: { from_seq: 1, to_seq: lastSeq }, has_more_after: false }
      : { items: [{ id: CONVERSATION, last_seq: lastSeq }], next: null };
    return new Response(JSON.stringify(answer));
  };
}

const atTheEnd = (device) => audit(device, { base: 'http://nowhere', patience: 0, thorough: true });

test('a log without a fault', async () => {
  const { device, socket } = connected();
  for (const seq of [4, 5, 6]) socket.bring(seq);
  database(
    [4, 5, 6].map((seq) => ({ seq, id: `m${seq}` })),
    6,
  );
  await atTheEnd(device);
  assert.deepEqual(counts(), [0, 0, 0]);
  assert.equal(count('messages_delivered'), 3);
  assert.equal(count('entries_audited'), 3);
  assert.deepEqual(new Trend('delivery_ms').samples, [100, 100, 100]);
});

test('an entry twice', () => {
  const { socket } = connected();
  for (const seq of [4, 5, 5]) socket.bring(seq);
  assert.deepEqual(counts(), [0, 1, 0]);
});

test('a message twice, at two places', () => {
  const { socket } = connected();
  socket.bring(4, { number: 1 });
  socket.bring(5, { number: 1 });
  assert.deepEqual(counts(), [0, 1, 0]);
});

test('entries in the wrong order', () => {
  const { socket } = connected();
  for (const seq of [5, 4, 6]) socket.bring(seq);
  assert.deepEqual(counts(), [0, 0, 1]);
});

test('a message behind one that was sent after its answer', () => {
  const { socket } = connected();
  socket.bring(4, { number: 2, after: 1 });
  socket.bring(5, { number: 1 });
  assert.deepEqual(counts(), [0, 0, 1]);
});

test('a hole, and the tail', async () => {
  const { device, socket } = connected();
  for (const seq of [4, 6]) socket.bring(seq);
  database(
    [4, 5, 6, 7].map((seq) => ({ seq, id: `m${seq}` })),
    7,
  );
  await atTheEnd(device);
  assert.equal(count('lost'), 2);
});

test('a message that is another one than the database has, and one that it has not', async () => {
  const { device, socket } = connected();
  for (const seq of [4, 5, 6]) socket.bring(seq);
  database(
    [
      { seq: 4, id: 'm4' },
      { seq: 5, id: 'forged' },
    ],
    6,
  );
  await atTheEnd(device);
  assert.equal(count('lost'), 2);
});

test('a hole that only the next connection closes', () => {
  const { device, socket } = connected();
  for (const seq of [4, 6]) socket.bring(seq);
  device.connect(0, new Trend('reconnect_ms'));
  sockets[1].open();
  const { cursors } = sockets[1].sent[0].payload;
  assert.deepEqual(cursors, { [CONVERSATION]: { seq: 4, event_id: 'm4' } });
  for (const seq of [5, 6]) sockets[1].bring(seq);
  assert.deepEqual(counts(), [0, 0, 1]);
});

test('what the socket before still brings is no repetition', () => {
  const { device, socket } = connected();
  device.connect(0, new Trend('reconnect_ms'));
  sockets[1].open();
  socket.bring(4);
  sockets[1].bring(4);
  sockets[1].say({ type: 'live', payload: {} });
  sockets[1].bring(5);
  assert.deepEqual(counts(), [0, 0, 0]);
  assert.equal(new Trend('catch_up_ms').samples.length, 1);
  assert.equal(socket.readyState, 2);
});

test('a send goes out again with its id, and its answer must name its place', () => {
  const { device, socket } = connected();
  device.outbox.post(CONVERSATION, 900);
  const { id, payload } = socket.sent.at(-1);
  device.connect(0, new Trend('reconnect_ms'));
  sockets[1].greet(3);
  const again = sockets[1].sent.at(-1);
  assert.equal(again.payload.client_msg_id, payload.client_msg_id);
  sockets[1].say({ type: 'ack', id, payload: { seq: 4 } });
  sockets[1].bring(5, { from: 0, sender: ME, key: id });
  assert.equal(count('duplicated'), 1);
  assert.deepEqual(new Trend('ack_ms').samples, [100]);
});

test('an acknowledged message that its own sender never gets', async () => {
  const { device, socket } = connected();
  device.outbox.post(CONVERSATION, 900);
  const { id } = socket.sent.at(-1);
  socket.say({ type: 'ack', id, payload: { seq: 4 } });
  socket.say({
    type: 'log.skip',
    conversation_id: CONVERSATION,
    seq: 4,
    event_id: 'e4',
    payload: {},
  });
  database([], 4);
  await atTheEnd(device);
  assert.equal(count('lost'), 1);
});

test('the close code, however k6 tells it', () => {
  assert.equal(closeCode({ code: 1012 }, ''), 1012);
  assert.equal(closeCode({}, 'websocket: close 4408 (slow): too slow'), 4408);
  assert.equal(closeCode({}, 'websocket: bad handshake'), null);
  assert.equal(closeCode({ code: 1006 }, ''), null);
});
