// The log: what the provider was asked for, did and sent.

import { byId, copyOf, element, parts, perFrame, setHidden, setText } from './dom.js';
import { exactly, time, words } from './format.js';

const held = 1_000; // entries that are kept
const shown = 150; // entries that are on the page
const pause = 200; // milliseconds between two changes of the page

// Which switch of the log an entry belongs to.
const switches = {
  sent: 'stream', stream: 'stream', call: 'call', trap: 'call', webhook: 'webhook',
  order: 'order', status: 'order', fault: 'fault', reset: 'fault', terminal: 'terminal',
};

// summary says in words what a piece of an event stream holds.
function summary(raw) {
  const events = [...raw.matchAll(/^event: ?(\S+)/gm)].map((found) => found[1]);
  const statuses = [...raw.matchAll(/"status":"([^"\\]{1,64})"/g)].map((found) => found[1]);
  const names = [...new Set(events)].join(', ') || 'bytes';
  return statuses.length > 0 ? `${names}: ${statuses.join(', ')}` : names;
}

export class Journal {
  constructor() {
    this.entries = []; // the newest first
    this.fresh = []; // not on the page yet, the oldest first
    this.paused = false;
    this.draw = perFrame(() => this.render(), pause);
    this.list = byId('entries');
    byId('log-find').addEventListener('input', () => this.again());
    byId('log-kinds').addEventListener('change', () => this.again());
    byId('log-clear').addEventListener('click', () => this.clear());
    byId('log-pause').addEventListener('click', () => this.pause(!this.paused));
  }

  pause(paused) {
    this.paused = paused;
    byId('log-pause').setAttribute('aria-pressed', String(paused));
    setText(byId('log-pause'), paused ? 'Resume' : 'Pause');
    this.draw();
  }

  add(entry) {
    this.fresh.push(entry);
    if (this.fresh.length > held) this.fresh.splice(0, this.fresh.length - held);
    this.draw();
  }

  // mark puts a line between entries, in the page's own words.
  mark(text) {
    this.add({ kind: 'mark', text, at: new Date().toISOString() });
  }

  replace(entries) {
    this.entries = [];
    this.fresh = [];
    this.list.replaceChildren();
    for (const entry of entries) this.add(entry);
  }

  clear() {
    this.entries = [];
    this.fresh = [];
    this.again();
  }

  // again shows the entries from the beginning, as they are looked for now.
  again() {
    this.list.replaceChildren();
    const matches = this.matcher();
    this.list.append(...this.entries.filter(matches).slice(0, shown).map((entry) => this.row(entry)));
    this.draw();
  }

  matcher() {
    const find = byId('log-find').value.trim().toLowerCase();
    const on = new Set([...byId('log-kinds').querySelectorAll('input:checked')].map((box) => box.value));
    return (e) => e.kind === 'mark' || (on.has(switches[e.kind] ?? 'order') && (!find ||
      [e.text, e.order_id, e.terminal_id, e.raw, e.kind].some((text) => text?.toLowerCase().includes(find))));
  }

  render() {
    const waiting = byId('log-waiting');
    setHidden(waiting, !this.paused);
    if (this.paused) {
      setText(waiting, this.fresh.length === 0 ? 'Paused.' : `Paused. ${this.fresh.length} more since.`);
    } else if (this.fresh.length > 0) {
      const fresh = this.fresh.reverse();
      this.fresh = [];
      this.entries.unshift(...fresh);
      this.entries.length = Math.min(this.entries.length, held);
      const matches = this.matcher();
      this.list.prepend(...fresh.filter(matches).slice(0, shown).map((entry) => this.row(entry)));
      while (this.list.children.length > shown) this.list.lastElementChild.remove();
    }
    const empty = byId('no-entry');
    setHidden(empty, this.list.children.length > 0);
    setText(empty, this.entries.length === 0 ? 'Nothing yet. Start a payment.' : 'No entry matches.');
  }

  row(entry) {
    const node = copyOf('entry-template');
    const of = parts(node);
    node.dataset.kind = entry.kind;
    if (entry.status) node.dataset.status = entry.status;
    of.time.dateTime = entry.at;
    of.time.textContent = time(entry.at);
    of.time.title = exactly(entry.at);
    of.kind.textContent = entry.kind === 'mark' ? '' : entry.kind;
    of.whom.textContent = [entry.terminal_id, entry.order_id].filter(Boolean).join(' · ');
    if (entry.http_status >= 400) node.dataset.bad = 'true';
    if (!entry.raw) {
      of.text.textContent = words(entry.text);
      return node;
    }
    const details = element('details');
    details.append(element('summary', '', summary(entry.raw)), element('pre', '', entry.raw.trimEnd()));
    of.text.replaceWith(details);
    return node;
  }
}
