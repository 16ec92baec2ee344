// What devices do while the load is on. Each activity takes a device and its `plan`, and ends when
// the load does. Times are planned ahead: who is late sends at once, with the time that was planned.

import * as metrics from './lib-metrics.js';
import { Api } from './lib-rest.js';
import { since, sleep, spread, until } from './lib-time.js';

const pick = (list) => list[Math.floor(Math.random() * list.length)];

/** Conversations that this device writes to. */
const places = (device, plan) => (plan.hot ? [plan.hot] : [...device.logs.keys()]);

/** Calls `act` at the planned times of this device, which are all devices' times in turn. */
async function inTurn(device, { begins, ends, rate, among }, act) {
  const step = (among * 1000) / rate;
  for (let at = begins + (device.index / among) * step; at < ends; at += step) {
    await until(at);
    act(Math.round(at));
  }
}

/** Messages, at `rate` a second by all senders, or by that of each stage. */
export async function send(device, plan) {
  const among = plan.senders || plan.devices;
  if (device.index >= among) return;
  for (const { begins, ends, rate, stage } of plan.stages) {
    await inTurn(device, { begins, ends, rate, among }, (at) => {
      const conversations = places(device, plan);
      if (conversations.length > 0) device.outbox.post(pick(conversations), at, stage);
    });
  }
}

/** Now and then somebody opens one of the conversations that have something new, and reads it. */
export async function read(device, plan) {
  const EVERY_MS = 5000;
  const told = new Map();
  for (let at = plan.begins + Math.random() * EVERY_MS; at < plan.ends; at += EVERY_MS) {
    await until(at);
    const unread = [...device.logs].filter(([id, log]) => log.seq > (told.get(id) || log.begin));
    if (unread.length === 0) continue;
    const [id, { seq }] = pick(unread);
    const payload = { conversation_id: id, seq };
    if (device.tell({ type: 'conversation.read', payload })) told.set(id, seq);
  }
}

/**
 * Every third of the own messages is edited or deleted in turn. Never both: requests of one
 * connection may overtake each other, and what is deleted cannot be edited.
 */
export async function change(device, plan) {
  let count = 0;
  device.outbox.onSent = (conversation_id, seq) => {
    count += 1;
    if (count % 3 !== 0 || Date.now() > plan.ends) return;
    const place = { conversation_id, seq };
    if (count % 2 === 0) device.tell({ type: 'message.delete', payload: place });
    else device.tell({ type: 'message.edit', payload: { ...place, body: `edited ${count}` } });
  };
}

/** Pages backwards through a conversation, from its newest; each page must join the one before. */
export async function history(device, plan) {
  const LIMIT = 50;
  const api = new Api(plan.base, device.user.access_token);
  let place = null;
  const page = async (at) => {
    if (place === null) {
      const conversations = [...device.logs.keys()];
      if (conversations.length === 0) return;
      place = { id: pick(conversations), before: null };
    }
    const { id, before } = place;
    const answer = await api.page(id, before === null ? '' : `before=${before}`, LIMIT);
    metrics.history.add(Date.now() - at);
    const { messages, range } = answer;
    if (before !== null && messages.length > 0 && range.to_seq !== before - 1) metrics.lost.add(1);
    messages.forEach((message, index) => {
      const previous = index === 0 ? range.from_seq - 1 : messages[index - 1].seq;
      if (message.seq === previous) metrics.duplicated.add(1);
      else if (message.seq < previous || message.seq > range.to_seq) metrics.outOfOrder.add(1);
    });
    place = answer.has_more_before ? { id, before: range.from_seq } : null;
  };
  // One page of a device after the other: a slow answer delays the next, whose time stays as planned.
  let last = Promise.resolve();
  const turns = { begins: plan.begins, ends: plan.ends, rate: plan.reads, among: plan.devices };
  await inTurn(device, turns, (at) => {
    last = last.then(() => page(at));
  });
  await last;
}

/**
 * Everybody types at times that follow from their id, and anybody who knows the id knows the time:
 * typing carries none of its own.
 */
export async function type(device, plan) {
  const EVERY_MS = 5000;
  const offset = (user) => spread(`typing ${user}`, EVERY_MS);
  device.on['user.typing'] = ({ payload: { user_id: user, typing } }, at) => {
    if (!typing || at < plan.begins || user === device.user.user_id) return;
    metrics.typing.add(since(plan.begins + offset(user), EVERY_MS, at));
  };
  for (let at = plan.begins + offset(device.user.user_id); at < plan.ends; at += EVERY_MS) {
    await until(at);
    const conversations = places(device, plan);
    if (conversations.length === 0) continue;
    const conversation_id = pick(conversations);
    device.tell({ type: 'user.typing', payload: { conversation_id, typing: true } });
    await sleep(1000);
    device.tell({ type: 'user.typing', payload: { conversation_id, typing: false } });
  }
}

/** Everybody is away and back again, at times that follow from their id too. */
export async function comeAndGo(device, plan) {
  const EVERY_MS = 10_000;
  const offset = (user) => spread(`presence ${user}`, EVERY_MS);
  // The first answers tell how things are, not what has just changed.
  const from = plan.begins + 2000;
  device.on['presence.updated'] = ({ payload: { user_id: user, status } }, at) => {
    if (status !== 'online' && status !== 'away') return;
    if (at < from || at > plan.ends || user === device.user.user_id) return;
    metrics.presence.add(since(plan.begins + offset(user), EVERY_MS, at));
  };
  device.on.live = () => device.watch(plan.watched);
  device.watch(plan.watched);
  let away = false;
  for (let at = plan.begins + offset(device.user.user_id); at < plan.ends; at += EVERY_MS) {
    await until(at);
    away = !away;
    device.tell({ type: 'presence.set', payload: { status: away ? 'away' : 'online' } });
  }
}

/** All at once, or nearly so, lose their network; those who write among them too. */
export async function storm(device, plan) {
  for (const at of plan.storms) {
    await until(at);
    if (Math.random() < plan.share) device.drop(Math.random() * plan.jitter);
  }
}
