// One device: a socket that is live or on its way to be, the logs of its conversations, its outbox.
// It behaves as a good client does: it resumes from its cursors, has the next socket before it gives
// up one that was asked to leave, and waits longer each time it is turned away.

import { Log } from './lib-log.js';
import { read } from './lib-message.js';
import * as metrics from './lib-metrics.js';
import { Outbox, tags } from './lib-outbox.js';
import { open } from './lib-ws.js';

const BACKOFF_MS = 250;
const BACKOFF_MAX_MS = 8000;
const CURSORS = 500;
/** Signed out, a frame that it should not have sent, one that is too long: nothing to try again. */
const FINAL = [4403, 4400, 1009];

export class Device {
  constructor({ index, user, url, run, size }) {
    this.index = index;
    this.user = user;
    this.url = url;
    this.run = run;
    this.logs = new Map();
    this.people = new Set();
    this.outbox = new Outbox({ run, from: index, size }, (frame) => this.tell(frame));
    /** The connection that is live, and the one that the log is read from. */
    this.live = null;
    this.reading = null;
    this.attempts = 0;
    /** Of the plans to connect, the latest counts. */
    this.plan = 0;
    this.done = false;
    this.failed = null;
    /** Others may listen: by the type of a frame. */
    this.on = {};
  }

  /** `asked`: since when it should be connected. */
  connect(asked, metric) {
    const link = { asked, metric, over: false, leaveAfter: null, socket: null };
    link.socket = open(this.url, this.user.access_token, {
      onOpen: () => this.greet(link),
      onText: (text, at) => this.hear(link, JSON.parse(text), at),
      onEnd: (code) => this.ended(link, code),
    });
    this.newest = link;
  }

  /** Whether there was a live connection to say it on. */
  tell(frame) {
    if (this.live === null) return false;
    this.live.socket.send(JSON.stringify(frame));
    return true;
  }

  /** The network is gone all of a sudden, and comes back after `pause` ms. */
  drop(pause) {
    for (const link of [this.live, this.newest]) {
      if (link === null || link.over) continue;
      link.over = true;
      link.socket.close();
    }
    this.live = null;
    this.againIn(pause);
  }

  finish() {
    this.done = true;
    for (const link of [this.live, this.newest]) if (link !== null) link.socket.close();
  }

  greet(link) {
    // From here on the log is read from this socket alone, and goes on where it stands now. What
    // the one before still brings, this one will bring again.
    this.reading = link;
    const cursors = {};
    let room = CURSORS;
    for (const [id, log] of this.logs) {
      metrics.outOfOrder.add(log.resume());
      if (room > 0) cursors[id] = log.cursor;
      room -= 1;
    }
    const hello = { type: 'hello', payload: { cursors, client: 'k6' } };
    link.socket.send(JSON.stringify(hello));
  }

  hear(link, frame, at) {
    const { type } = frame;
    if (type === 'ack') this.outbox.acknowledged(frame, at);
    else if (type === 'error') this.complain(frame);
    else if (type === 'reconnect') this.leave(link, frame.payload.after_ms);
    else if (link === this.reading) this.follow(link, frame, at);
  }

  /** What is said on the connection that the log is read from. */
  follow(link, frame, at) {
    const { type, conversation_id: id, payload } = frame;
    switch (type) {
      case 'message.new':
      case 'message.updated':
      case 'log.skip':
        this.enter(link, frame, at);
        break;
      case 'conversations':
        for (const conversation of payload.items) this.meet(conversation);
        break;
      case 'live':
        this.arrive(link, at);
        break;
      case 'conversation.reset':
        metrics.resets.add(1, { reason: payload.reason });
        this.logs.delete(id);
        this.meet(payload.conversation);
        break;
      case 'conversation.added':
        this.logs.set(id, new Log(payload.joined_seq - 1, null));
        break;
      case 'conversation.removed':
        this.logs.delete(id);
        break;
      default:
        if (this.on[type] !== undefined) this.on[type](frame, at);
    }
  }

  /** A conversation of the snapshot; one that is known goes on from its cursor. */
  meet({ id, last_seq, last_event_id, participants }) {
    for (const { user } of participants) this.people.add(user.id);
    if (!this.logs.has(id)) this.logs.set(id, new Log(last_seq, last_event_id));
  }

  /** Asks for the presence of some of the people that it shares conversations with. */
  watch(count) {
    this.tell({ type: 'presence.watch', payload: { user_ids: [...this.people].slice(0, count) } });
  }

  /** An entry of a log. */
  enter(link, { type, conversation_id: id, seq, event_id, payload }, at) {
    const log = this.logs.get(id);
    if (log === undefined) return;
    const wrong = log.take(seq, event_id);
    blame(wrong);
    if (wrong === 'duplicated' || type !== 'message.new') return;
    log.remember(seq, payload.id);
    if (payload.sender_id === this.user.user_id) this.outbox.echo(payload.client_msg_id, seq);
    const message = read(payload.body);
    if (message === null || message.run !== this.run) return;
    blame(log.sender(message.from).heard(message));
    if (message.from === this.index) return;
    metrics.delivered.add(1);
    const took = Math.max(0, at - message.at);
    if (link === this.live) metrics.delivery.add(took, tags(message.stage));
    else metrics.catchUp.add(took);
  }

  arrive(link, at) {
    const before = this.live;
    this.live = link;
    this.attempts = 0;
    link.metric.add(Math.max(0, at - link.asked));
    if (before !== null && before !== link) {
      before.over = true;
      before.socket.close();
    }
    this.outbox.resume();
    if (this.on.live !== undefined) this.on.live();
  }

  complain(frame) {
    if (frame.id) this.outbox.refused(frame);
    else {
      console.warn(`device ${this.index} was told: ${frame.payload.code}`);
      metrics.sendFailed.add(1, { code: frame.payload.code });
    }
  }

  /** The gateway drains, or has too much to do: it says when to come again. */
  leave(link, afterMs) {
    link.leaveAfter = Date.now() + afterMs;
    if (link === this.live) this.againIn(afterMs, afterMs);
  }

  ended(link, code) {
    link.over = true;
    metrics.closes.add(1, { code: String(code) });
    if (link === this.live) this.live = null;
    // The one that was left for another, or another is on its way already.
    if (this.done || link !== this.newest) return;
    if (FINAL.includes(code)) {
      this.failed = code;
      return;
    }
    if (code === null && link !== this.reading) metrics.refused.add(1);
    this.againIn(this.pause(link));
  }

  /** Connects after `pause` ms; the loss, if there is one, is `lostIn` ms away. */
  againIn(pause, lostIn = 0) {
    this.plan += 1;
    const { plan } = this;
    const asked = Date.now() + lostIn;
    setTimeout(() => {
      if (this.done || plan !== this.plan) return;
      metrics.reconnects.add(1);
      this.connect(asked, metrics.reconnect);
    }, pause);
  }

  /** When to try again: as told, else later each time. */
  pause(link) {
    this.attempts += 1;
    const longest = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.attempts);
    const told = link.leaveAfter === null ? 0 : link.leaveAfter - Date.now();
    return Math.max(told, Math.random() * longest);
  }
}

function blame(wrong) {
  if (wrong === 'duplicated') metrics.duplicated.add(1);
  else if (wrong === 'out of order') metrics.outOfOrder.add(1);
}
