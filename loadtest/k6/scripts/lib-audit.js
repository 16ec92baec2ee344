// The end of a device's life: what it has against what the database has.

import * as metrics from './lib-metrics.js';
import { Api } from './lib-rest.js';
import { eventually } from './lib-time.js';

const PAGE = 200;

/**
 * Every device compares how far each of its logs has come; a `thorough` one also compares every
 * message it still remembers, by its id. What is not there within `patience` ms is lost.
 */
export async function audit(device, { base, patience, thorough }) {
  const api = new Api(base, device.user.access_token);
  const truth = await api.lastSeqs();
  for (const [id, log] of device.logs) {
    const target = truth.get(id);
    if (target === undefined) continue;
    await eventually(() => log.seq >= target, patience);
    metrics.lost.add(log.missing(target));
    if (thorough) await compare(api, id, log);
  }
  // Acknowledged, and not in the log of its own sender, though that has come further.
  for (const { conversation, answered } of device.outbox.own.values()) {
    const log = device.logs.get(conversation);
    if (log !== undefined && answered > log.begin && answered <= log.seq) metrics.lost.add(1);
  }
}

async function compare(api, id, log) {
  // Others may still write: what came after this does not concern us.
  const until = log.seq;
  const expected = new Map([...log.ids].filter(([seq]) => seq <= until));
  let after = log.auditedFrom;
  let more = until > after;
  while (more) {
    const page = await api.page(id, `after=${after}`, PAGE);
    for (const { seq, id: message } of page.messages) {
      if (seq > until) break;
      metrics.audited.add(1);
      if (expected.get(seq) !== message) metrics.lost.add(1);
      expected.delete(seq);
    }
    after = page.range.to_seq;
    more = page.has_more_after && after < until;
  }
  for (const seq of expected.keys()) if (seq > log.auditedFrom) metrics.lost.add(1);
}
