// What one device has of the log of one conversation. Its numbers are dense, so a device knows by
// itself what it must still get: no recipient has to hear of the senders, and loss is counted
// exactly although every k6 VU is a world of its own.

import { Sender } from './lib-message.js';

/** Ids that are kept to be compared one by one at the end. */
const KEPT = 2000;

export class Log {
  /** Stands at the entry `seq`, which it need not have: everything up to it is taken as read. */
  constructor(seq, eventId) {
    this.begin = seq;
    this.seq = seq;
    this.highest = seq;
    this.eventId = eventId;
    /** Entries above a hole: they are not applied before it is closed. */
    this.beyond = new Map();
    /** Message ids by seq, complete above `auditedFrom`. */
    this.ids = new Map();
    this.auditedFrom = seq;
    this.senders = new Map();
  }

  get cursor() {
    return { seq: this.seq, event_id: this.eventId };
  }

  /**
   * A new connection goes on from the cursor, and tells again what stood above a hole: how many
   * entries the last one had passed over. It must not have, even if they come now.
   */
  resume() {
    const passedOver = this.missing(this.highest);
    if (passedOver > 0) {
      this.beyond.clear();
      this.senders.clear();
      this.highest = this.seq;
    }
    return passedOver;
  }

  /** What is wrong with an entry that came: 'duplicated', 'out of order', or null. */
  take(seq, eventId) {
    if (seq <= this.seq || this.beyond.has(seq)) return 'duplicated';
    this.beyond.set(seq, eventId);
    const late = seq < this.highest;
    this.highest = Math.max(this.highest, seq);
    while (this.beyond.has(this.seq + 1)) {
      this.seq += 1;
      this.eventId = this.beyond.get(this.seq);
      this.beyond.delete(this.seq);
    }
    return late ? 'out of order' : null;
  }

  /** An entry that is a message. */
  remember(seq, id) {
    this.ids.set(seq, id);
    if (this.ids.size <= KEPT) return;
    const oldest = this.ids.keys().next().value;
    this.ids.delete(oldest);
    this.auditedFrom = oldest;
  }

  sender(from) {
    if (!this.senders.has(from)) this.senders.set(from, new Sender());
    return this.senders.get(from);
  }

  /** How many entries up to `target` never came. */
  missing(target) {
    let above = 0;
    for (const seq of this.beyond.keys()) if (seq <= target) above += 1;
    return Math.max(0, target - this.seq - above);
  }
}
