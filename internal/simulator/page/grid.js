// The terminals side by side: those of one page, of those that were asked for.

import * as control from './control.js';
import { arrange, byId, perFrame, setHidden, setText } from './dom.js';
import { Card } from './terminal.js';

export class Grid {
  // narrow matches while the terminals are below each other.
  constructor(narrow) {
    this.narrow = narrow;
    this.first = new Set(); // terminals that come before the others
    this.terminals = new Map(); // by id, in the simulator's order
    this.cards = new Map(); // of the terminals that have been shown on this page
    this.scenarios = [];
    this.known = false; // the simulator has told its terminals
    this.page = 0;
    this.skew = 0; // the simulator's clock less this one, in milliseconds
    this.draw = perFrame(() => this.render());

    byId('find').addEventListener('input', () => this.turn(0));
    byId('show').addEventListener('change', () => this.turn(0));
    byId('per-page').addEventListener('change', () => this.turn(0));
    byId('previous').addEventListener('click', () => this.turn(this.page - 1));
    byId('next').addEventListener('click', () => this.turn(this.page + 1));
    for (const button of document.querySelectorAll('[data-all]')) {
      button.addEventListener('click', () => this.setAll(button.dataset.all));
    }
    narrow.addEventListener('change', () => this.draw());
    byId('grid').addEventListener('mouseleave', () => this.draw());
    byId('grid').addEventListener('focusout', () => this.draw());
    setInterval(() => this.tick(), 1000);
  }

  async setAll(mode) {
    try {
      for (const t of await control.configureAll({ mode })) this.terminals.set(t.terminal_id, t);
      this.draw();
    } catch (error) {
      setText(byId('counts'), error.message);
    }
  }

  turn(page) {
    this.page = page;
    this.draw();
  }

  // replace takes all terminals as they are now.
  replace(terminals, now) {
    this.skew = Date.parse(now) - Date.now();
    this.terminals = new Map(terminals.map((t) => [t.terminal_id, t]));
    this.known = true;
    const one = new Set(terminals.map((t) => t.group_id)).size <= 1;
    byId('grid').classList.toggle('one-group', one);
    this.draw();
  }

  change(t) {
    if (!this.terminals.has(t.terminal_id)) return;
    this.terminals.set(t.terminal_id, t);
    this.draw();
  }

  // rank says which terminals come first: those that need a hand, and on a narrow
  // page all with a payment. Nothing moves under a hand or a mouse.
  rank(inHand) {
    const used = this.terminals.get(inHand?.replace(/^terminal-/, ''))?.busy;
    if (used || (matchMedia('(hover: hover)').matches && byId('grid').matches(':hover'))) return;
    const comesFirst = this.narrow.matches
      ? (t) => t.busy || t.screen !== 'idle'
      : (t) => t.busy && t.customer === 'hand';
    this.first = new Set([...this.terminals.values()].filter(comesFirst).map((t) => t.terminal_id));
  }

  // bring shows a terminal, wherever it is.
  bring(id) {
    byId('find').value = '';
    byId('show').value = 'all';
    this.render();
    const perPage = Number(byId('per-page').value);
    const at = this.wanted().findIndex((t) => t.terminal_id === id);
    this.page = Math.max(0, Math.floor(at / perPage));
    this.render();
    const card = this.cards.get(id)?.node;
    if (this.narrow.matches) card?.scrollIntoView();
    else card?.querySelector('[data-act="approve"]').scrollIntoView({ block: 'nearest' });
  }

  wanted() {
    const find = byId('find').value.trim().toLowerCase();
    const show = byId('show').value;
    const inHand = document.activeElement?.closest('.terminal')?.id;
    this.rank(inHand);
    const all = [...this.terminals.values()];
    return [...all.filter((t) => this.first.has(t.terminal_id)), ...all.filter((t) => !this.first.has(t.terminal_id))].filter((t) => {
      if (`terminal-${t.terminal_id}` === inHand) return true; // it does not vanish under the hand
      if (find && ![t.terminal_id, t.group_id, t.order_id ?? ''].some((text) => text.toLowerCase().includes(find))) return false;
      switch (show) {
        case 'busy': return t.busy || t.screen !== 'idle';
        case 'hand': return t.busy && t.customer === 'hand';
        default: return true;
      }
    });
  }

  render() {
    if (this.scenarios.length === 0) return; // cards need them
    const wanted = this.wanted();
    const perPage = Number(byId('per-page').value);
    const pages = Math.max(1, Math.ceil(wanted.length / perPage));
    this.page = Math.min(Math.max(0, this.page), pages - 1);
    const shown = wanted.slice(this.page * perPage, (this.page + 1) * perPage);

    const nodes = shown.map((t) => {
      let card = this.cards.get(t.terminal_id);
      if (!card) {
        card = new Card(t.terminal_id, this.scenarios, () => Date.now() + this.skew);
        this.cards.set(t.terminal_id, card);
      }
      if (card.t !== t) card.update(t);
      return card.node;
    });
    arrange(byId('grid'), nodes);
    const kept = new Set(shown.map((t) => t.terminal_id));
    for (const id of this.cards.keys()) if (!kept.has(id)) this.cards.delete(id);

    const all = [...this.terminals.values()];
    const busy = all.filter((t) => t.busy).length;
    const count = (n) => `${n} ${n === 1 ? 'terminal' : 'terminals'}`;
    setText(byId('counts'), wanted.length === all.length
      ? `${count(all.length)}, ${busy === 0 ? 'no payment open' : `${busy} with a payment`}`
      : `${wanted.length} of ${count(all.length)}`);
    const few = all.length <= 6 && wanted.length === all.length; // nothing to look for
    byId('choice').classList.toggle('few', few);
    setHidden(byId('pager'), wanted.length <= 12 && pages === 1);
    setText(byId('page-of'), `${this.page + 1} of ${pages}`);
    byId('previous').disabled = this.page === 0;
    byId('next').disabled = this.page === pages - 1;
    const empty = byId('no-terminal');
    setHidden(empty, shown.length > 0);
    if (this.known) setText(empty, 'No terminal matches. Change the search above.');
  }

  tick() {
    if (document.hidden) return;
    for (const card of this.cards.values()) if (card.t) card.tick();
  }
}
