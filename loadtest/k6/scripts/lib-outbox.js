// What one device sends. A message is kept until it has a definite answer, and goes out again with
// the same client_msg_id on the next connection; the time it was meant to be sent stays the first.

import { write } from './lib-message.js';
import * as metrics from './lib-metrics.js';

/** Unanswered sends of one connection; the gateway reads on from a socket up to 64. */
const AT_ONCE = 48;
const RETRY_MS = 500;

export class Outbox {
  /** `transmit` takes a frame, and answers whether there was a live connection for it. */
  constructor({ run, from, size }, transmit) {
    this.run = run;
    this.from = from;
    this.size = size;
    this.transmit = transmit;
    this.number = 0;
    this.waiting = [];
    this.asked = new Map();
    this.places = new Map();
    /** Messages until both their answer and they themselves have come, by client_msg_id. */
    this.own = new Map();
    /** Called with (conversation, seq) of each message that was acknowledged. */
    this.onSent = null;
  }

  post(conversation, at, stage) {
    this.number += 1;
    const place = this.place(conversation);
    place.open.add(this.number);
    const message = { id: uuid(), number: this.number, conversation, at, stage, body: null };
    this.own.set(message.id, message);
    this.waiting.push(message);
    this.pump();
  }

  /** On a new connection: what is not answered was not heard, or its answer was not. */
  resume() {
    this.waiting.unshift(...this.asked.values());
    this.asked.clear();
    this.pump();
  }

  pump() {
    while (this.waiting.length > 0 && this.asked.size < AT_ONCE) {
      const message = this.waiting[0];
      if (message.body === null) this.compose(message);
      const payload = {
        conversation_id: message.conversation,
        client_msg_id: message.id,
        body: message.body,
      };
      if (!this.transmit({ type: 'message.send', id: message.id, payload })) return;
      this.waiting.shift();
      this.asked.set(message.id, message);
    }
  }

  /** At its first attempt: what is answered by then must stand below it. */
  compose(message) {
    const place = this.place(message.conversation);
    const after = Math.min(...place.open) - 1;
    message.floor = place.highest;
    metrics.lateness.add(Math.max(0, Date.now() - message.at));
    message.body = write({ ...message, run: this.run, from: this.from, after }, this.size);
  }

  acknowledged(frame, now) {
    const message = this.asked.get(frame.id);
    if (message === undefined) return;
    const { seq } = frame.payload;
    const place = this.close(message);
    metrics.ack.add(now - message.at, tags(message.stage));
    metrics.sent.add(1);
    if (seq <= message.floor) metrics.outOfOrder.add(1);
    place.highest = Math.max(place.highest, seq);
    message.answered = seq;
    this.match(message);
    if (this.onSent !== null) this.onSent(message.conversation, seq);
    this.pump();
  }

  refused(frame) {
    const message = this.asked.get(frame.id);
    if (message === undefined) return;
    const { code, retryable, retry_after_ms: after } = frame.payload;
    if (retryable) {
      this.asked.delete(frame.id);
      setTimeout(() => {
        this.waiting.unshift(message);
        this.pump();
      }, after || RETRY_MS);
      return;
    }
    this.close(message);
    console.warn(`device ${this.from} may not send: ${code}`);
    metrics.sendFailed.add(1, { code });
    this.pump();
  }

  /** An own message came back to its sender, as to every other member. */
  echo(id, seq) {
    const message = this.own.get(id);
    if (message === undefined) return;
    message.echoed = seq;
    this.match(message);
  }

  /** Answer and echo, whichever comes first, name the same place in the log. */
  match({ id, answered, echoed }) {
    if (answered === undefined || echoed === undefined) return;
    this.own.delete(id);
    if (answered !== echoed) metrics.duplicated.add(1);
  }

  get idle() {
    return this.waiting.length === 0 && this.asked.size === 0;
  }

  close(message) {
    this.asked.delete(message.id);
    const place = this.place(message.conversation);
    place.open.delete(message.number);
    return place;
  }

  place(conversation) {
    let place = this.places.get(conversation);
    if (place === undefined) {
      place = { open: new Set(), highest: 0 };
      this.places.set(conversation, place);
    }
    return place;
  }
}

/** k6 keeps a figure of its own for each tag, so only scenarios with stages have any. */
export const tags = (stage) => (stage === undefined ? undefined : { stage });

function uuid() {
  const hex = () => Math.floor(Math.random() * 16).toString(16);
  return 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, hex);
}
