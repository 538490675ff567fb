// A consumer: it books every status of every payment once, also those of the time
// while it was away.
//
//   node dist/src/consumer.js --create        makes its durable consumer, if it may
//   node dist/src/consumer.js
//
// It may be killed at any moment. A line of its ledger is both the work and the
// note that the work is done, so the two cannot come apart. With a database, write
// the key and the work in one transaction.
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { parseArgs } from 'node:util';
import { connectToNats } from './bridge.js';
import { Journal } from './journal.js';
import type { StatusEvent } from './messages.js';

interface Booked {
  /** The message's Nats-Msg-Id: the same for every copy of an event. */
  id: string;
  order: string;
  sequence: number;
  status: string;
}

const { values: flags } = parseArgs({
  options: {
    server: { type: 'string', default: process.env.BRIDGE_NATS_URL ?? 'nats://127.0.0.1:4222' },
    creds: { type: 'string' },
    'inbox-prefix': { type: 'string' },
    'api-prefix': { type: 'string' }, // POS.API in an account of its own, see deploy/nats
    stream: { type: 'string', default: 'POS_STATUS' },
    name: { type: 'string', default: 'ledger' },
    filter: { type: 'string', default: 'pos.*.*.status' },
    ledger: { type: 'string', default: 'ledger.jsonl' },
    create: { type: 'boolean', default: false },
  },
});
const ledger = new Journal<Booked>(flags.ledger!);
// Keep the ids, not the highest sequence of each order: after a restart newer
// events are delivered before those that were delivered and not acknowledged.
const booked = new Set(ledger.lines.map((line) => line.id));

const nc = await connectToNats({ servers: flags.server!, credsFile: flags.creds, inboxPrefix: flags['inbox-prefix'] });
const api = { checkAPI: false, ...(flags['api-prefix'] && { apiPrefix: flags['api-prefix'] }) };
if (flags.create) {
  await (await jetstreamManager(nc, api)).consumers.add(flags.stream!, {
    durable_name: flags.name!,
    filter_subject: flags.filter!,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(10_000),
    deliver_policy: DeliverPolicy.All,
  });
}
const consumer = await jetstream(nc, api).consumers.get(flags.stream!, flags.name!);
const messages = await consumer.consume({ max_messages: 100 });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => messages.stop());
console.log('consuming');
for await (const message of messages) {
  const event = message.json<StatusEvent>();
  const id = message.headers?.get('Nats-Msg-Id') || `${event.terminal_id}.${event.order_id}.${event.sequence}`;
  if (!booked.has(id)) {
    ledger.append({ id, order: event.order_id, sequence: event.sequence, status: event.status });
    booked.add(id);
    console.log(`booked ${event.order_id} ${event.sequence} ${event.status}`);
  }
  message.ack(); // after the work; a lost acknowledgement means a second delivery
}
ledger.close();
await nc.drain();
