// One SmartPOS on the page.

import * as control from './control.js';
import { copyOf, element, parts, setAttribute, setHidden, setText } from './dom.js';
import { exactly, money, words } from './format.js';

const shortestPIN = 4;
const longestPIN = 6;
const problemTime = 8_000; // milliseconds that an error stays
const keys = { t: 'tap', i: 'insert', w: 'walk_away', a: 'approve', d: 'decline', Escape: 'cancel' };

const icons = {
  idle: 'i-card', amount_due: 'i-waves', pin: 'i-pin', processing: 'i-card',
  approved: 'i-check', declined: 'i-cross', cancelled: 'i-cross', reversed: 'i-back',
};

// possible lists what can be done at a terminal now.
function possible(t) {
  if (t.busy && t.stuck) return [];
  const acts = [];
  if (t.busy) {
    acts.push('cancel');
    if (t.customer !== 'left') acts.push('walk_away');
    switch (t.screen) {
      case 'amount_due':
      case 'declined':
        acts.push('tap', 'insert');
        break;
      case 'pin':
        acts.push('pin');
        break;
      case 'processing':
        acts.push('approve', 'decline');
        break;
    }
  }
  if (t.status === 'completed') acts.push('reverse', 'refund', 'chargeback');
  return acts;
}

// face says what the screen shows.
function face(t) {
  switch (t.screen) {
    case 'amount_due':
      if (t.stuck) return { headline: 'Stuck', detail: 'A PATCH left the order declined: only a cancel by the API helps' };
      if (t.customer === 'left') return { headline: 'To pay', detail: 'The customer has left' };
      if (t.status === 'declined') return { headline: 'To pay', detail: 'Try again: insert the card and enter the PIN' };
      return { headline: 'To pay', detail: 'Hold or insert your card' };
    case 'pin':
      return { headline: 'Enter your PIN', detail: '' };
    case 'processing':
      return { headline: 'One moment', detail: t.customer === 'left' ? 'The customer has left' : 'The card’s issuer is asked' };
    case 'approved':
      return { headline: 'Approved', detail: 'Thank you' };
    case 'declined':
      return { headline: 'Declined', detail: 'Another try is possible' };
    case 'cancelled':
      return { headline: 'Cancelled', detail: 'Nothing was paid' };
    case 'reversed':
      return {
        headline: { refunded: 'Refunded', chargeback: 'Charged back' }[t.status] ?? 'Reversed',
        detail: 'The payment was taken back',
      };
    default:
      return { headline: 'Ready', detail: 'Waiting for a payment' };
  }
}

// spoken is the same as one sentence for a screen reader.
function spoken(t, amount) {
  const { headline, detail } = face(t);
  if (t.screen === 'idle') return `${t.terminal_id}: ready`;
  if (t.screen === 'pin') return `${t.terminal_id}: ${amount}. Enter the PIN: any four digits, then Enter`;
  return [`${t.terminal_id}: ${headline}`, amount, detail].filter(Boolean).join('. ');
}

// note says who is at the terminal, and what to do.
function note(t) {
  if (t.busy && t.customer === 'virtual') return 'A virtual customer acts. Touch anything to take over.';
  if (t.busy && t.customer === 'left') return 'The customer has left. The payment is cancelled when its time is over.';
  if (t.busy && t.screen === 'processing' && !t.stuck) return 'You are the issuer now: approve or decline.';
  if (t.busy && t.screen === 'pin') return 'It is your turn: any four digits, then OK.';
  if (t.busy && !t.stuck) return 'It is your turn: tap or insert a card.';
  if (t.busy) return 'Only a cancel by the till helps now.';
  return t.mode === 'auto' ? 'The next payment is made by a virtual customer.' : 'The next payment waits for you.';
}

export class Card {
  // clock tells the simulator's present time in milliseconds.
  constructor(id, scenarios, clock) {
    this.id = id;
    this.clock = clock;
    this.t = null;
    this.pinLength = 0;
    this.acting = false;
    this.node = copyOf('terminal-template');
    this.of = parts(this.node);
    this.buttons = [...this.node.querySelectorAll('[data-act]')];
    this.icon = this.node.querySelector('.icon use');
    this.radios = [...this.node.querySelectorAll('.mode input')];

    this.node.id = `terminal-${id}`;
    this.of.id.id = `name-${id}`;
    this.of.id.textContent = id;
    this.node.setAttribute('aria-labelledby', this.of.id.id);
    for (const radio of this.radios) {
      radio.name = `mode-${id}`;
      radio.addEventListener('change', () => this.set({ mode: radio.value }));
    }
    for (const sc of scenarios) {
      const option = element('option', '', words(sc.name));
      option.value = sc.name;
      this.of.scenario.append(option);
    }
    this.of.scenario.addEventListener('change', () => this.set({ scenario: this.of.scenario.value }));
    this.node.addEventListener('click', (event) => this.clicked(event));
    this.node.addEventListener('keydown', (event) => this.pressed(event));
  }

  clicked(event) {
    const button = event.target.closest('button');
    if (!button || button.getAttribute('aria-disabled') === 'true') return;
    if (button.dataset.act) this.act(button.dataset.act);
    else if (button.dataset.digit) this.digit(button.dataset.digit);
  }

  pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches('select, input[type="search"]')) return;
    if (this.t?.screen === 'pin') {
      if (/^[0-9]$/.test(event.key)) {
        event.preventDefault();
        return this.digit(event.key);
      }
      if (event.key === 'Backspace' || event.key === 'Delete') return this.digit('clear');
      if (event.key === 'Enter' && !event.target.matches('[data-digit], [data-act="cancel"], [data-act="walk_away"]')) {
        event.preventDefault();
        return this.digit('ok');
      }
    }
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || event.repeat || !possible(this.t).includes(action)) return;
    event.preventDefault();
    this.act(action);
  }

  // digit is a key of the PIN pad. Only how many there were is kept.
  digit(key) {
    if (!possible(this.t).includes('pin')) return;
    switch (key) {
      case 'clear':
        this.pinLength = 0;
        break;
      case 'ok':
        if (this.pinLength < shortestPIN) {
          this.complain('A PIN has at least four digits; any will do.');
          return;
        }
        this.act('pin');
        break;
      default:
        this.pinLength = Math.min(this.pinLength + 1, longestPIN);
        this.complain('');
    }
    this.showPIN();
  }

  // act does something by hand. A terminal that acts by itself waits for the hand
  // from now on, so that both do not fight.
  async act(action) {
    if (this.acting) return;
    this.acting = true;
    this.complain('');
    try {
      if (this.t.mode === 'auto') await control.configure(this.id, { mode: 'manual' });
      await control.act(this.id, action);
    } catch (error) {
      this.complain(error.message);
    } finally {
      this.acting = false;
    }
  }

  async set(settings) {
    try {
      await control.configure(this.id, settings);
    } catch (error) {
      this.complain(error.message);
      this.update(this.t);
    }
  }

  complain(text) {
    clearTimeout(this.forget);
    setText(this.of.problem, text);
    setHidden(this.of.problem, text === '');
    if (text) this.forget = setTimeout(() => this.complain(''), problemTime);
  }

  update(t) {
    const before = this.t;
    this.t = t;
    const { of, node } = this;
    const amount = t.order_id && t.screen !== 'idle' ? money(t.amount, t.currency, t.currency_digits) : '';
    setAttribute(node, 'data-screen', t.screen);
    setAttribute(node, 'data-mode', t.mode);
    setAttribute(node, 'data-customer', t.customer ?? 'none');
    setText(of.group, t.group_id);
    setAttribute(of.group, 'title', 'terminal group');
    setText(of.listens, t.busy ? (t.streams > 0 ? 'listening' : 'no listener') : '');
    setAttribute(of.listens, 'data-on', String(t.streams > 0));
    setAttribute(of.listens, 'title', t.busy ? `Event streams that are open for this payment: ${t.streams}. The bridge keeps one, and connects again when it is lost.` : null);

    const { headline, detail } = face(t);
    setText(of.headline, headline);
    setText(of.amount, amount);
    of.amount.style.setProperty('--length', String(Math.max(amount.length, 6)));
    setText(of.detail, detail);
    const described = t.description && t.description !== t.order_id ? `${t.description} · ` : '';
    setText(of.order, amount ? described + t.order_id : '');
    setAttribute(this.icon, 'href', `#${icons[t.screen] ?? 'i-card'}`);
    const pin = t.screen === 'pin';
    if (!pin || before?.screen !== 'pin') this.pinLength = 0;
    setHidden(of.pin, !pin);
    this.showPIN();
    setText(of.note, note(t));
    // Of many terminals that act by themselves only the one in hand is read out.
    if (before && before.screen !== t.screen && (t.mode === 'manual' || node.contains(document.activeElement))) {
      setText(of.spoken, spoken(t, amount));
    }

    const acts = possible(t);
    for (const button of this.buttons) {
      setAttribute(button, 'aria-disabled', acts.includes(button.dataset.act) ? null : 'true');
    }
    for (const radio of this.radios) if (radio.checked !== (radio.value === t.mode)) radio.checked = radio.value === t.mode;
    if (of.scenario.value !== t.scenario) of.scenario.value = t.scenario;
    this.showCourse(t);
    this.tick();
  }

  showPIN() {
    setText(this.of.dots, '●'.repeat(this.pinLength) + '○'.repeat(Math.max(0, shortestPIN - this.pinLength)));
  }

  showCourse(t) {
    const list = this.of.course;
    const wanted = t.events.map((e) => `${t.order_id} ${e.at} ${e.status}`);
    const nodes = wanted.map((key, i) => {
      const old = [...list.children].find((child) => child.dataset.key === key);
      if (old) return old;
      const e = t.events[i];
      const item = element('li', '', e.status);
      item.dataset.key = key;
      item.dataset.status = e.status;
      item.title = exactly(e.at);
      return item;
    });
    for (const child of [...list.children]) if (!nodes.includes(child)) child.remove();
    nodes.forEach((child, i) => { if (list.children[i] !== child) list.insertBefore(child, list.children[i] ?? null); });
  }

  // tick shows how much of the inactivity time is left.
  tick() {
    const { deadline } = this.t;
    if (!this.t.busy || !deadline) {
      setText(this.of.left, '');
      this.of.bar.style.setProperty('--left', '0');
      return;
    }
    const left = Math.max(0, (Date.parse(deadline) - this.clock()) / 1000);
    // The whole time is not told: it is what was left when the deadline was set.
    if (this.deadline !== deadline) {
      this.deadline = deadline;
      this.whole = Math.max(left, 1);
    }
    setText(this.of.left, `${Math.round(left)} s left`);
    this.of.bar.style.setProperty('--left', String(Math.min(1, left / this.whole)));
  }
}
