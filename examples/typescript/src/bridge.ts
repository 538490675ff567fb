// The bridge as a client sees it: commands with typed errors, the statuses that
// are stored, and the one connection that a program needs.
import { readFileSync } from 'node:fs';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, credsAuthenticator, errors, type NatsConnection } from '@nats-io/transport-node';
import type { CancelReply, ErrorReply, Session, StartReply, StartRequest, StatusEvent } from './messages.js';

export type ErrorCode = ErrorReply['error']['code'];

/** The bridge answered, and the answer is an error. Decide by its code. */
export class BridgeError extends Error {
  constructor(readonly code: ErrorCode, message: string) {
    super(`${code}: ${message}`);
  }
}

/** This request reached nobody. An earlier one may have. */
export class NotSent extends Error {}

/** No answer in time, or the connection broke. The request may have arrived. */
export class NoAnswer extends Error {}

/** How long to wait for an answer: a few seconds longer than the bridge does. */
const WAIT = { start: 35_000, cancel: 25_000, get: 25_000 };

export interface ConnectOptions {
  servers: string;
  credsFile?: string;
  /** The inbox prefix that the user's rights name, such as _INBOX.T1. */
  inboxPrefix?: string;
}

export function connectToNats(o: ConnectOptions): Promise<NatsConnection> {
  return connect({
    servers: o.servers.split(','),
    authenticator: o.credsFile ? credsAuthenticator(readFileSync(o.credsFile)) : undefined,
    inboxPrefix: o.inboxPrefix,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1, // NATS may be away for as long as it likes
    ignoreAuthErrorAbort: true, // also while its users are changed
  });
}

/** An order id as one token of a subject. */
export const orderToken = (order: string) => order.replaceAll('.', '%2E').replaceAll('/', '%2F');

export class Bridge {
  private connected = true;

  constructor(readonly nc: NatsConnection, private readonly prefix = 'pos') {
    void this.watchConnection();
  }

  /** Starts a payment. The same request again is safe: it gets the same payment. */
  start(terminal: string, request: StartRequest, wait = WAIT.start): Promise<StartReply> {
    return this.ask(terminal, 'start', request, wait);
  }

  /** Asks for a payment to be cancelled. What becomes of it arrives as a status. */
  cancel(terminal: string, order: string, wait = WAIT.cancel): Promise<CancelReply> {
    return this.ask(terminal, 'cancel', { order_id: order }, wait);
  }

  /** Asks for what is known of one order, open or over. */
  get(terminal: string, order: string, wait = WAIT.get): Promise<Session> {
    return this.ask(terminal, 'get', { order_id: order }, wait);
  }

  /** Where the statuses of one order are published. */
  statusSubject(terminal: string, order: string): string {
    return `${this.prefix}.${terminal}.${orderToken(order)}.status`;
  }

  /**
   * Reads the statuses of one order from the stream, in order. It fails for a
   * client that may not read the stream; such a client asks with get instead.
   */
  async *stored(terminal: string, order: string): AsyncGenerator<StatusEvent> {
    const stream = this.prefix.replaceAll('.', '_').toUpperCase() + '_STATUS';
    const direct = (await jetstreamManager(this.nc, { checkAPI: false, timeout: 2_000 })).direct;
    for (let seq = 1; ; ) {
      const message = await direct.getMessage(stream, { seq, next_by_subj: this.statusSubject(terminal, order) });
      if (message === null) return;
      yield message.json<StatusEvent>();
      seq = message.seq + 1;
    }
  }

  /** Sends a command on the subject of its terminal, which the least rights allow. */
  private async ask<Reply>(terminal: string, command: string, body: unknown, timeout: number): Promise<Reply> {
    // The client would send it after the reconnect, behind the caller's back.
    if (!this.connected) throw new NotSent('the connection to NATS is lost');
    let answer;
    try {
      answer = await this.nc.request(`${this.prefix}.${terminal}.payment.${command}`, JSON.stringify(body), { timeout });
    } catch (error) {
      if (error instanceof errors.NoRespondersError || (error instanceof errors.RequestError && error.isNoResponders())) {
        throw new NotSent('no replica of the bridge serves');
      }
      throw new NoAnswer(`${command} was not answered: ${String(error)}`);
    }
    if (answer.headers?.has('Nats-Service-Error-Code')) {
      const { code, message } = answer.json<ErrorReply>().error;
      throw new BridgeError(code, message);
    }
    return answer.json<Reply>();
  }

  private async watchConnection(): Promise<void> {
    for await (const change of this.nc.status()) {
      if (change.type === 'disconnect') this.connected = false;
      if (change.type === 'reconnect') this.connected = true;
    }
  }
}
