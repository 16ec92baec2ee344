// What is counted and measured, by one name in all scenarios.

import { Counter, Trend } from 'k6/metrics';

const counter = (name) => new Counter(name);
const milliseconds = (name) => new Trend(name, true);

/** Correctness. All of them are 0 in a run that passes. */
export const lost = counter('lost');
export const duplicated = counter('duplicated');
export const outOfOrder = counter('out_of_order');

/** Refused for good, or without an answer at the end. */
export const sendFailed = counter('send_failed');
/** Devices that came to the end of their life and compared what they have with the log. */
export const devicesDone = counter('devices_done');

export const sent = counter('messages_sent');
/** At every recipient; who sent it is none. */
export const delivered = counter('messages_delivered');
/** Entries compared one by one with what the database has. */
export const audited = counter('entries_audited');

/** From the time a message was meant to be sent: no coordinated omission. */
export const delivery = milliseconds('delivery_ms');
/** The same for what came on resuming, before `live`. */
export const catchUp = milliseconds('catch_up_ms');
export const ack = milliseconds('ack_ms');
/** From the time a device was meant to connect, to `live`. */
export const connect = milliseconds('connect_ms');
/** From the loss of a socket to the next `live`. */
export const reconnect = milliseconds('reconnect_ms');
/** Of one page, from the time it was meant to be asked for. */
export const history = milliseconds('history_ms');
export const typing = milliseconds('typing_ms');
export const presence = milliseconds('presence_ms');
/** How late this generator itself was: when it grows, k6 is what is being measured. */
export const lateness = milliseconds('generator_late_ms');

export const reconnects = counter('reconnects');
export const refused = counter('connects_refused');
/** Conversations that were behind too far, and began anew from their newest page. */
export const resets = counter('resets');
export const closes = counter('closes');
