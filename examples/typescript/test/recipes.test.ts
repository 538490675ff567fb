// The recipes against "pos-bridge dev", also killed in the middle. POS_BRIDGE
// names the program; go build -o pos-bridge ./cmd/bridge makes it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Bridge, connectToNats } from '../src/bridge.js';
import { Program } from './program.js';

const folder = mkdtempSync(join(tmpdir(), 'pos-bridge-recipes-'));
let dev: Program;
let server: string;
let simulator: string;

before(async () => {
  dev = new Program(process.env.POS_BRIDGE ?? 'pos-bridge', ['dev', '--pace', '20']);
  [, simulator] = await dev.says(/Virtual terminal +(http:\S+)/) as [string, string];
  [, server] = await dev.says(/NATS +(nats:\S+)/) as [string, string];
  await dev.says(/Everything stays up/);
});

after(async () => {
  dev.signal('SIGTERM');
  await dev.ends();
  rmSync(folder, { recursive: true });
});

const script = (name: string) => fileURLToPath(new URL(`../src/${name}.js`, import.meta.url));
const file = (name: string) => join(folder, name + '.jsonl');
const lines = (name: string) => readFileSync(file(name), 'utf8').trim().split('\n').map((line) => JSON.parse(line));

/** Runs the till; the order names its journal. */
function till(order: string, ...args: string[]): Program {
  return new Program(process.execPath, [script('till'), '--server', server, '--journal', file(order), '--order', order, ...args]);
}

const pay = (order: string, terminal: string, scenario = 'approve') =>
  till(order, '--terminal', terminal, '--amount', '1250', '--scenario', scenario);

/** Asks the simulator's control API. */
async function control(path: string, method = 'GET', body?: unknown): Promise<any> {
  const answer = await fetch(simulator + 'simulator/' + path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

const press = (terminal: string, action: string) => control(`terminals/${terminal}/${action}`, 'POST');
const until = (order: string, status: string) => control(`wait?order=${order}&status=${status}&timeout=60s`);

/** One order was made at the provider, and the till handled each status once, in order. */
async function once(order: string, ...statuses: string[]): Promise<void> {
  assert.equal((await control(`calls/${order}`)).made, 1, 'orders at the provider');
  const handled = lines(order).filter((line) => line.kind === 'status');
  assert.deepEqual(handled.map((line) => line.sequence), handled.map((_, i) => i + 1), 'sequences');
  if (statuses.length) assert.deepEqual(handled.map((line) => line.status), statuses);
}

test('a till takes a payment', async () => {
  const t = pay('plain', 'SIM00001');
  assert.equal(await t.ends(), 0, t.lines.join('\n'));
  await t.says(/^outcome paid$/);
  await once('plain');
});

test('a till that is killed in the middle of a payment goes on where it was', async () => {
  const first = pay('killed', 'SIM00002', 'wait');
  await first.says(/^started$/);
  await press('SIM00002', 'tap');
  await first.says(/^status 1 initialized$/);
  await first.kill();
  await press('SIM00002', 'decline');
  await press('SIM00002', 'tap');
  await press('SIM00002', 'approve');
  await until('killed', 'completed');
  const second = till('killed');
  await second.says(/^resuming killed$/);
  assert.equal(await second.ends(), 0, second.lines.join('\n'));
  await once('killed', 'initialized', 'declined', 'initialized', 'completed');
});

test('a till that is killed before it is answered makes one payment', async () => {
  const first = pay('early', 'SIM00003');
  await first.says(/^stored early$/);
  await first.kill();
  const second = till('early');
  assert.equal(await second.ends(), 0, second.lines.join('\n'));
  await once('early');
});

test('a till that is killed after the end says what became of the payment', async () => {
  const first = pay('ended', 'SIM00003');
  await first.says(/ completed$/);
  await first.kill();
  const second = till('ended');
  assert.equal(await second.ends(), 0, second.lines.join('\n'));
  await once('ended');
});

test('a till waits for a busy terminal', async () => {
  const other = pay('first', 'SIM00004', 'wait');
  await other.says(/^started$/);
  const t = pay('waits', 'SIM00004');
  await t.says(/terminal_busy/);
  await press('SIM00004', 'approve');
  assert.deepEqual([await other.ends(), await t.ends()], [0, 0], t.lines.join('\n'));
  await once('waits');
});

test('a till cancels on Ctrl-C', async () => {
  const t = pay('cancels', 'SIM00002', 'wait');
  await t.says(/^started$/);
  t.signal('SIGINT');
  assert.equal(await t.ends(), 1, t.lines.join('\n'));
  await once('cancels');
});

test('a till that waits for a busy terminal stops waiting on Ctrl-C', async () => {
  const other = pay('holds', 'SIM00004', 'wait');
  await other.says(/^started$/);
  const t = pay('stops', 'SIM00004');
  await t.says(/terminal_busy/);
  t.signal('SIGINT');
  assert.equal(await t.ends(), 2, t.lines.join('\n'));
  other.signal('SIGINT');
  assert.equal(await other.ends(), 1, other.lines.join('\n'));
});

test('a second Ctrl-C leaves the payment open, and says how to resume it', async () => {
  await control('faults', 'POST', { fault: 'fail_api', operation: 'cancel', order_id: 'leaves', status: 503 });
  const first = pay('leaves', 'SIM00002', 'wait');
  await first.says(/^started$/);
  first.signal('SIGINT');
  await first.says(/^cancelling; /);
  first.signal('SIGINT');
  assert.equal(await first.ends(), 3, first.lines.join('\n'));
  await first.says(/^left open: .* same --journal/);
  const second = till('leaves');
  await second.says(/^resuming leaves$/);
  await press('SIM00002', 'approve');
  assert.equal(await second.ends(), 0, second.lines.join('\n'));
  await once('leaves');
});

test('a till follows a start whose outcome is unknown', async () => {
  await control('faults', 'POST', { fault: 'lose_create_answer', order_id: 'doubt', mode: 'status', status: 522 });
  await control('faults', 'POST', { fault: 'hide_order', order_id: 'doubt', delay: '3s' });
  const t = pay('doubt', 'SIM00001');
  assert.equal(await t.ends(), 0, t.lines.join('\n'));
  await once('doubt');
});

test('a till says that a refused payment was not started', async () => {
  await control('faults', 'POST', { fault: 'fail_api', operation: 'create', order_id: 'refused', status: 400, error_code: 1001 });
  const t = pay('refused', 'SIM00001');
  assert.equal(await t.ends(), 2, t.lines.join('\n'));
  await t.says(/^provider_rejected/);
});

test('a consumer that is killed books every status once', async () => {
  const consumer = (...args: string[]) =>
    new Program(process.execPath, [script('consumer'), '--server', server, '--ledger', file('ledger'), ...args]);
  const first = consumer('--create');
  await first.says(/^consuming$/);
  const tills = [];
  for (const [i, terminal] of ['SIM00001', 'SIM00002', 'SIM00003'].entries()) {
    tills.push(pay(`booked-${i}`, terminal, 'soft_decline_then_approve'));
  }
  await first.says(/^booked booked-. 2 /);
  await first.kill();
  for (const t of tills) assert.equal(await t.ends(), 0, t.lines.join('\n'));

  const nc = await connectToNats({ servers: server });
  const stored: string[] = [];
  for (const i of tills.keys()) {
    for await (const e of new Bridge(nc).stored(`SIM0000${i + 1}`, `booked-${i}`)) stored.push(`${e.order_id} ${e.sequence}`);
  }
  await nc.close();
  assert.ok(stored.length >= 3 * 4, String(stored));
  const second = consumer();
  for (const what of stored) {
    const known = lines('ledger').some((line) => `${line.order} ${line.sequence}` === what);
    if (!known) await second.says(new RegExp(`^booked ${what} `));
  }
  second.signal('SIGTERM');
  assert.equal(await second.ends(), 0);
  const ids = lines('ledger').map((line) => line.id);
  assert.equal(new Set(ids).size, ids.length, 'booked twice');
  const all = lines('ledger').map((line) => `${line.order} ${line.sequence}`);
  for (const what of stored) assert.ok(all.includes(what), `${what} was missed`);
});
