// A till: it takes one payment at a terminal and says what became of it.
//
//   node dist/src/till.js --terminal SIM00001 --amount 1250 --order INV-7
//   node dist/src/till.js                                     resumes what is open
//
// It may be killed at any moment. Its journal has each request before it is sent,
// and each status before anybody sees it: run it again, and it goes on.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { adviceOn, verdictOn } from './advice.js';
import { Bridge, BridgeError, NoAnswer, NotSent, connectToNats } from './bridge.js';
import { Journal } from './journal.js';
import type { Session, StartRequest, StatusEvent } from './messages.js';

/** How often a start is tried again, and how long a lost one may still arrive. */
const PATIENCE = 60_000;
/** The bridge may have forgotten an order that is older. */
const FORGOTTEN = 6 * 24 * 3_600_000;
/** A status can still change after the end, for as long as the bridge settles. */
const SETTLE = 5_000;
/** How often to look for a status that was missed without a sign. */
const LOOK = 15_000;

type Outcome = 'paid' | 'not paid' | 'not started' | 'look it up';

type Line =
  | { kind: 'request'; at: number; terminal: string; request: StartRequest }
  | { kind: 'status'; order: string; sequence: number; status: string; final: boolean }
  | { kind: 'over'; order: string; outcome: Outcome };

interface Payment {
  terminal: string;
  request: StartRequest;
  at: number;
  /** Sequence of the last status that was handled. */
  handled: number;
  status: string;
  final: boolean;
}

const text = (error: unknown) => (error instanceof Error ? error.message : String(error));
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** The payment that the journal has no end of. */
function unfinished(lines: Line[]): Payment | undefined {
  const open = new Map<string, Payment>();
  for (const line of lines) {
    if (line.kind === 'request') {
      open.set(line.request.order_id, { ...line, handled: 0, status: 'created', final: false });
    } else if (line.kind === 'status') {
      Object.assign(open.get(line.order)!, { handled: line.sequence, status: line.status, final: line.final });
    } else {
      open.delete(line.order);
    }
  }
  return [...open.values()][0];
}

class Till {
  private busy: Promise<void> = Promise.resolve();
  /** When the request was last sent; a lost one may arrive for some time after. */
  private sentAt: number;
  private starting = false;
  private cancelling = false;
  private ended = false;
  private end!: (outcome: Outcome) => void;
  private readonly over = new Promise<Outcome>((end) => (this.end = end));
  private settling?: NodeJS.Timeout;

  constructor(private readonly bridge: Bridge, private readonly journal: Journal<Line>, private readonly p: Payment, private readonly resumed: boolean) {
    this.sentAt = p.at;
  }

  async run(): Promise<Outcome> {
    const { terminal, request } = this.p;
    // Subscribe first: statuses may be published before the start is answered.
    const statuses = this.bridge.nc.subscribe(this.bridge.statusSubject(terminal, request.order_id), {
      callback: (error, message) => {
        if (!error) this.queue(() => this.take(message.json<StatusEvent>()));
      },
    });
    await this.bridge.nc.flush();
    const timer = setInterval(() => this.queue(() => this.catchUp()), LOOK);
    void this.watchConnection();
    if (this.p.final) this.settle();
    if (!(this.resumed && (await this.isKnown()))) void this.start();
    this.queue(() => this.catchUp());
    const outcome = await this.over;
    this.ended = true;
    clearInterval(timer);
    statuses.unsubscribe();
    await this.busy;
    this.journal.append({ kind: 'over', order: request.order_id, outcome });
    return outcome;
  }

  /** Cancels the payment, and does not start it any more; what becomes of it arrives as a status. */
  async cancel(): Promise<void> {
    this.cancelling = true;
    for (const until = Date.now() + PATIENCE; Date.now() < until && !this.ended; await pause(1_000)) {
      try {
        const { status } = await this.bridge.cancel(this.p.terminal, this.p.request.order_id);
        console.log(`cancel: ${verdictOn(status, false).cancelled}`);
        return this.queue(() => this.catchUp());
      } catch (error) {
        if (this.ended) return;
        console.log(`not cancelled: ${text(error)}`);
        if (!(error instanceof BridgeError)) continue;
        const { next } = adviceOn('cancel', error.code);
        const early = error.code === 'not_found' && this.p.handled === 0; // the start may arrive after the cancel
        if (next !== 'again' && next !== 'later' && error.code !== 'outcome_unknown' && !early) break;
      }
    }
    if (!this.ended) console.log('Not cancelled: the payment stays open, and this till follows it.');
  }

  /** After a restart: asks before it starts anything. */
  private async isKnown(): Promise<boolean> {
    // Nobody waits at the terminal after that: leave it to catchUp.
    const tooLate = () => Date.now() - this.p.at > PATIENCE;
    for (;;) {
      try {
        const session = await this.bridge.get(this.p.terminal, this.p.request.order_id);
        // With neither, it is only queued, and may still be refused: send it again.
        return session.session_id !== undefined || session.sequence > 0 || tooLate();
      } catch (error) {
        if (error instanceof BridgeError && error.code === 'not_found') return tooLate();
        console.log(`asking again: ${text(error)}`);
        await pause(1_000);
      }
    }
  }

  /** Sends the request until it is known what became of it. */
  private async start(): Promise<void> {
    const until = Date.now() + PATIENCE;
    // A request of before the restart may have arrived.
    let doubt = this.resumed;
    this.starting = true;
    for (; ; await pause(1_000)) {
      if (this.p.handled > 0) break; // it exists
      if (this.cancelling || Date.now() > until) {
        if (!doubt) return this.notStarted();
        console.log('Not known yet whether the payment began. Do not charge under another order id.');
        break;
      }
      try {
        this.sentAt = Date.now();
        await this.bridge.start(this.p.terminal, this.p.request);
        console.log('started');
        break;
      } catch (error) {
        console.log(text(error));
        if (error instanceof NoAnswer) doubt = true;
        else if (error instanceof NotSent) continue; // says nothing about an earlier request
        else if (!(error instanceof BridgeError)) throw error;
        else {
          switch (adviceOn('start', error.code).next) {
            case 'again': // another replica answers; this one may have begun
              doubt = true;
              continue;
            case 'later':
              if (error.code === 'provider_unavailable') doubt = false; // nothing was created
              continue;
            case 'change': // asking again does not help
              return this.notStarted();
            case 'follow': // it may exist
              doubt = true;
          }
          break;
        }
      }
    }
    this.starting = false;
    this.queue(() => this.catchUp());
  }

  private notStarted(): void {
    this.starting = false;
    this.end('not started');
  }

  /** Lets one thing happen after the other. */
  private queue(step: () => void | Promise<void>): void {
    this.busy = this.busy.then(step).catch((error) => console.log(text(error)));
  }

  /** Takes a status event: each once, in order. */
  private async take(event: StatusEvent): Promise<void> {
    if (event.sequence > this.p.handled + 1) await this.readStream();
    this.note(event);
  }

  /** Looks for what was missed: asks for the last status, and reads the others. */
  private async catchUp(): Promise<void> {
    try {
      const session = await this.bridge.get(this.p.terminal, this.p.request.order_id);
      if (session.sequence > this.p.handled) await this.readStream();
      this.note(session); // if the stream could not be read
    } catch (error) {
      if (!(error instanceof BridgeError) || error.code !== 'not_found' || this.starting) return;
      // The bridge drops a start that is older than 30 s, and forgets an order after a week.
      const age = Date.now() - this.sentAt;
      if (age > FORGOTTEN) this.end('look it up');
      else if (age > PATIENCE) this.end('not started');
    }
  }

  private async readStream(): Promise<void> {
    try {
      for await (const event of this.bridge.stored(this.p.terminal, this.p.request.order_id)) this.note(event);
    } catch {
      // Not allowed, or NATS is away: get tells the last status.
    }
  }

  /** Handles a status that is news, after it is stored. */
  private note(news: StatusEvent | Session): void {
    if (news.sequence <= this.p.handled) return;
    const { sequence, status, final } = news;
    this.journal.append({ kind: 'status', order: news.order_id, sequence, status, final });
    Object.assign(this.p, { handled: sequence, status, final });
    console.log(`status ${sequence} ${status}`);
    if (final) this.settle();
  }

  /** Ends the payment when nothing has changed for a while after its end. */
  private settle(): void {
    clearTimeout(this.settling);
    const last = this.p.status === 'not_created' || this.p.status === 'unresolved'; // nothing follows these
    this.settling = setTimeout(() => this.queue(() => this.end(outcomeOf(this.p.status))), last ? 0 : SETTLE);
  }

  private async watchConnection(): Promise<void> {
    for await (const change of this.bridge.nc.status()) {
      if (change.type === 'reconnect') this.queue(() => this.catchUp());
    }
  }
}

function outcomeOf(status: string): Outcome {
  switch (verdictOn(status, true).outcome) {
    case 'paid':
      return 'paid';
    case 'unpaid':
      return status === 'not_created' ? 'not started' : 'not paid';
    case 'returned': // the money goes back
      return 'not paid';
    default: // unresolved, or a status of tomorrow
      return 'look it up';
  }
}

const { values: flags } = parseArgs({
  options: {
    server: { type: 'string', default: process.env.BRIDGE_NATS_URL ?? 'nats://127.0.0.1:4222' },
    creds: { type: 'string' },
    'inbox-prefix': { type: 'string' },
    journal: { type: 'string', default: 'till.jsonl' },
    terminal: { type: 'string' },
    order: { type: 'string', default: 'till-' + randomBytes(6).toString('hex') },
    amount: { type: 'string' },
    currency: { type: 'string', default: 'EUR' },
    scenario: { type: 'string' }, // what a simulated customer does
  },
});
const journal = new Journal<Line>(flags.journal!);
let payment = unfinished(journal.lines);
const resumed = payment !== undefined;
if (!payment) {
  if (!flags.terminal || !flags.amount) throw new Error('nothing to resume; a payment needs --terminal and --amount');
  const request: StartRequest = { order_id: flags.order!, amount: Number(flags.amount), currency: flags.currency as StartRequest['currency'] };
  if (flags.scenario) request.custom_info = { custom_1: `scenario:${flags.scenario}` };
  payment = { terminal: flags.terminal, request, at: Date.now(), handled: 0, status: 'created', final: false };
  journal.append({ kind: 'request', at: payment.at, terminal: payment.terminal, request }); // before it is sent
}
console.log(`${resumed ? 'resuming' : 'stored'} ${payment.request.order_id}`);
const nc = await connectToNats({ servers: flags.server!, credsFile: flags.creds, inboxPrefix: flags['inbox-prefix'] });
const till = new Till(new Bridge(nc), journal, payment, resumed);
let interrupted = false;
process.on('SIGINT', () => {
  if (interrupted) {
    console.log('left open: the payment may still be paid. Run this till with the same --journal to resume it');
    process.exit(3);
  }
  interrupted = true;
  console.log('cancelling; Ctrl-C again stops this till and leaves the payment open');
  void till.cancel();
});
const outcome = await till.run();
console.log(`outcome ${outcome}`);
journal.close();
await nc.close();
process.exitCode = { paid: 0, 'not paid': 1, 'not started': 2, 'look it up': 3 }[outcome];
