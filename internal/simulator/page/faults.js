// The simulator's faults as switches.

import * as control from './control.js';
import { arrange, byId, copyOf, element, setAttribute, setHidden, setText } from './dom.js';
import { sentence, words } from './format.js';

const prefix = 'page-'; // of the ids of faults that were switched on here
const groups = [
  ['stream', 'Of the event stream'],
  ['api', 'Of the order API'],
  ['terminal', 'Of the terminal'],
];
const everyCall = ['', 'create', 'get', 'cancel', 'terminals'];
const delays = ['3s', '1s', '12s', '45s'];
// What a fault needs besides a switch and a mode to be worth looking at, by field.
const choices = {
  drop_stream: { after: ['1', '0', '2', '3'] },
  silent_stream: { after: ['1', '0', '2', '3'] },
  refuse_stream: { status: ['500', '401', '403', '410', '429', '503'] },
  lose_answer: { operation: everyCall },
  fail_api: { operation: everyCall, status: ['500', '400', '401', '404', '409', '422', '429', '503'] },
  slow_api: { operation: everyCall, delay: delays },
  redirect: { operation: [...everyCall, 'stream'] },
  errors_with_200: { operation: everyCall },
  repeat_call: { operation: ['create', 'cancel'] },
  hide_order: { delay: delays },
  later_status: {
    when: ['completed', 'cancelled', 'declined'],
    becomes: ['reversed', 'refunded', 'chargeback', 'completed'],
    delay: delays,
  },
};
const labels = { after: 'after', operation: 'call', status: 'status', delay: 'by', when: 'when', becomes: 'becomes' };
const names = {
  after: { 0: 'no event', 1: '1 event', 2: '2 events', 3: '3 events' },
  operation: { '': 'every' },
};
const byHandAlone = ['status', 'patch']; // modes that need more than a switch

// choice makes a labelled select for a fault's field.
function choice(field, label, values, names = {}) {
  const wrap = element('label', '', '');
  const select = element('select');
  select.dataset.field = field;
  for (const value of values) {
    const option = element('option', '', names[value] ?? words(value));
    option.value = value;
    select.append(option);
  }
  wrap.append(element('span', '', label), select);
  return wrap;
}

class Switch {
  constructor(kind, panel) {
    this.kind = kind;
    this.panel = panel;
    this.node = copyOf('fault-template');
    this.button = this.node.querySelector('button');
    this.state = this.node.querySelector('.state');
    const title = this.node.querySelector('h4');
    title.textContent = sentence(kind.name);
    title.id = `fault-${kind.name}`;
    const does = this.node.querySelector('.does');
    does.textContent = kind.does;
    const imitates = this.node.querySelector('.imitates');
    imitates.textContent = kind.imitates;
    imitates.id = `imitates-${kind.name}`;
    this.button.setAttribute('aria-labelledby', title.id);
    this.button.setAttribute('aria-describedby', imitates.id);
    this.button.addEventListener('click', () => this.flip());
    const options = this.node.querySelector('.options');
    for (const [field, values] of Object.entries(choices[kind.name] ?? {})) {
      options.append(choice(field, labels[field], values, names[field]));
    }
    if (kind.modes) options.append(choice('mode', 'how', kind.modes.filter((mode) => !byHandAlone.includes(mode))));
    options.addEventListener('change', () => { if (this.fault) this.set(); });
    if (!options.hasChildNodes()) options.remove();
  }

  fields() {
    const fault = { fault: this.kind.name, ...this.panel.whom() };
    for (const select of this.node.querySelectorAll('select')) {
      if (select.value === '') continue;
      fault[select.dataset.field] = ['after', 'status'].includes(select.dataset.field) ? Number(select.value) : select.value;
    }
    return fault;
  }

  flip() {
    if (this.fault) this.panel.run(() => control.clearFault(this.fault.id));
    else this.set();
  }

  set() {
    this.panel.run(() => control.setFault(prefix + this.kind.name, this.fields()));
  }

  show(fault) {
    this.fault = fault;
    setAttribute(this.button, 'aria-checked', String(Boolean(fault)));
    setAttribute(this.node, 'data-on', String(Boolean(fault)));
    setText(this.state, fault ? `On, ${often(fault)}${whom(fault)}` : '');
  }
}

function often(fault) {
  if (fault.count < 0) return 'until switched off';
  return fault.count === 1 ? 'once more' : `${fault.count} times more`;
}

function whom(fault) {
  if (fault.order_id) return `, order ${fault.order_id}`;
  return fault.terminal_id ? `, terminal ${fault.terminal_id}` : '';
}

export class Faults {
  // terminal returns the terminal with an id.
  constructor(terminal) {
    this.terminal = terminal;
    this.switches = new Map(); // by the name of the fault
    this.others = new Map(); // list items by the id of the fault
    byId('faults-off').addEventListener('click', () => this.run(() => control.clearFaults()));
    byId('drop').addEventListener('click', () => this.drop());
    const again = () => {
      for (const each of this.switches.values()) if (each.fault) each.set();
    };
    byId('fault-terminal').addEventListener('change', again);
    byId('fault-count').addEventListener('change', again);
  }

  // build makes a switch for every kind of fault.
  build(kinds) {
    this.switches.clear();
    const nodes = [];
    for (const [where, title] of groups) {
      const list = element('ul', 'switches');
      for (const kind of kinds.filter((k) => k.where === where)) {
        const each = new Switch(kind, this);
        this.switches.set(kind.name, each);
        list.append(each.node);
      }
      nodes.push(element('h3', '', title), list);
    }
    byId('fault-kinds').replaceChildren(...nodes);
  }

  whom() {
    const terminal = byId('fault-terminal').value.trim();
    return { count: Number(byId('fault-count').value), ...(terminal ? { terminal_id: terminal } : {}) };
  }

  // run does something to the faults, and shows them as they are then.
  async run(work) {
    const problem = byId('faults-problem');
    try {
      const { terminal_id: id } = this.whom();
      if (id && !this.terminal(id)) throw new Error(`There is no terminal ${id}.`);
      await work();
      setHidden(problem, true);
      setText(problem, '');
    } catch (error) {
      setText(problem, error.message);
      setHidden(problem, false);
    }
    await this.refresh();
  }

  async drop() {
    const { terminal_id: id } = this.whom();
    await this.run(() => control.dropStreams(id ? this.terminal(id)?.order_id : ''));
  }

  async refresh() {
    try {
      this.show(await control.faults());
    } catch {
      // The feed notices as well, and says so for the whole page.
    }
  }

  show(faults) {
    const here = new Map(faults.filter((f) => f.id.startsWith(prefix)).map((f) => [f.id.slice(prefix.length), f]));
    for (const [name, each] of this.switches) each.show(here.get(name) ?? null);
    const others = faults.filter((f) => !this.switches.has(f.id.slice(prefix.length)) || !f.id.startsWith(prefix));
    for (const id of this.others.keys()) if (!others.some((f) => f.id === id)) this.others.delete(id);
    arrange(byId('fault-others-list'), others.map((f) => this.other(f)));
    setHidden(byId('fault-others'), others.length === 0);
    const badge = byId('faults-badge');
    setHidden(badge, faults.length === 0);
    setAttribute(byId('faults-view'), 'aria-label', faults.length === 0 ? 'Faults' : `Faults, ${faults.length} on`);
    setText(badge, faults.length === 0 ? '' : String(faults.length));
    byId('faults-off').disabled = faults.length === 0;
  }

  other(f) {
    let node = this.others.get(f.id);
    if (!node) {
      node = element('li');
      const button = element('button', '', 'Take back');
      button.type = 'button';
      button.setAttribute('aria-label', `Take back ${f.id}, ${words(f.fault)}`);
      button.addEventListener('click', () => this.run(() => control.clearFault(f.id)));
      node.append(element('span'), button);
      this.others.set(f.id, node);
    }
    setText(node.firstElementChild, `${sentence(f.fault)} (${f.id}), ${often(f)}${whom(f)}`);
    return node;
  }
}
