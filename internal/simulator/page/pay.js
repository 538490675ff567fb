// Payments that are started on this page, by a till that knows the bridge.

import * as control from './control.js';
import { byId, element, setHidden, setText } from './dom.js';
import { sentence } from './format.js';

const mostTerminals = 500; // in the list of the form
const outcomes = { wait: 'you decide, by hand', approve: 'approved' };

// cents reads an amount such as 12.50 or 12,5; NaN for anything else.
function cents(text) {
  const found = text.trim().match(/^(\d{1,7})(?:[.,](\d{1,2}))?$/);
  return found ? Number(found[1]) * 100 + Number((found[2] ?? '').padEnd(2, '0')) : NaN;
}

export class Till {
  // started is called with the terminal of a payment that has begun.
  constructor(started) {
    this.started = started;
    this.asking = false;
    byId('pay').addEventListener('submit', (event) => {
      event.preventDefault();
      this.pay();
    });
  }

  // offer fills the form; it is hidden where nobody can start a payment.
  offer(can, terminals, scenarios) {
    setHidden(byId('till'), !can);
    if (!can) return;
    const option = (value, text) => Object.assign(element('option', '', text), { value });
    byId('pay-terminal').replaceChildren(...terminals.slice(0, mostTerminals).map((id) => option(id, id)));
    const names = scenarios.map((sc) => sc.name).filter((name) => !outcomes[name]);
    byId('pay-outcome').replaceChildren(
      ...Object.entries(outcomes).map(([name, text]) => option(name, sentence(text))),
      ...names.map((name) => option(name, sentence(name))));
  }

  async pay() {
    if (this.asking) return;
    const amount = cents(byId('pay-amount').value);
    if (!(amount > 0)) {
      this.say('', 'Give an amount such as 12.50');
      byId('pay-amount').focus();
      return;
    }
    const terminal = byId('pay-terminal').value;
    this.asking = true;
    this.say('Asking the bridge…', '');
    try {
      const { order_id: order } = await control.pay({
        terminal_id: terminal, amount, currency: 'EUR', scenario: byId('pay-outcome').value,
      });
      this.say(`Payment ${order} is on ${terminal}.`, '');
      this.started(terminal);
    } catch (error) {
      this.say('', `Not started: ${error.message}`);
    } finally {
      this.asking = false;
    }
  }

  say(what, problem) {
    setText(byId('pay-said'), what);
    setHidden(byId('pay-said'), what === '');
    setText(byId('pay-problem'), problem);
    setHidden(byId('pay-problem'), problem === '');
  }
}
