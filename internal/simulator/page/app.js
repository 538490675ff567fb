// The virtual terminal: puts the parts together.

import * as control from './control.js';
import { byId, element, setAttribute, setHidden, setText } from './dom.js';
import { Faults } from './faults.js';
import { follow } from './feed.js';
import { plainTime, words } from './format.js';
import { Grid } from './grid.js';
import { Journal } from './journal.js';
import { Till } from './pay.js';

const narrow = matchMedia('(max-width: 899px)');
const grid = new Grid(narrow);
const till = new Till((terminal) => {
  if (narrow.matches) byId('till').open = false; // it makes room for the terminal
  grid.bring(terminal);
});
const journal = new Journal();
const faults = new Faults((id) => grid.terminals.get(id));

// once loads what never changes while a simulator runs.
async function once() {
  const [scenarios, kinds] = await Promise.all([control.scenarios(), control.faultKinds()]);
  byId('scenarios').replaceChildren(...scenarios.map((sc) => {
    const row = element('tr');
    row.append(element('td', '', `…${sc.amount_ending.slice(0, 2)}.${sc.amount_ending.slice(2)}`),
      element('td', '', words(sc.name)), element('td', '', sc.does));
    return row;
  }));
  grid.scenarios = scenarios;
  faults.build(kinds);
  grid.draw();
}

// soon runs work once, shortly after the last of many calls.
function soon(work) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, 60);
  };
}

async function reload() {
  try {
    show(await control.state());
  } catch {
    // The feed notices as well, and says so.
  }
}
const reloadSoon = soon(reload);
const refreshFaults = soon(() => faults.refresh());

function show(state) {
  grid.replace(state.terminals, state.now);
  faults.show(state.faults);
}

// guide says how to pay, and where the console is, as far as that is known here.
function guide(known, terminal) {
  const words = [...(known.pay ?? 'pos-bridge pay').split(' '), `--terminal ${terminal}`, '--amount 77.99'];
  byId('command').replaceChildren(...words.flatMap((word) => [element('span', '', word), ' ']).slice(0, -1));
  setHidden(byId('elsewhere'), Boolean(known.pay));
  setText(byId('how-to-pay'), known.till ? 'Start a payment above; or in a shell:' : 'In a shell, send a payment over the bus:');
  for (const id of ['console', 'to-console']) setAttribute(byId(id), 'href', known.console ?? null);
  setHidden(byId('to-console'), !known.console);
}

let built = false;
let seenBefore = false;

// build makes what depends on scenarios and kinds of faults; a failure is tried
// again, for without them there is no page.
async function build(present) {
  try {
    await once();
    built = true;
    faults.show(present);
  } catch {
    built = false;
    setTimeout(() => {
      if (!built) build(present);
    }, 2000);
  }
}

const tell = {
  async state(state, fresh) {
    show(state);
    if (fresh) {
      journal.replace(state.log);
      if (seenBefore) journal.mark('Another simulator runs at this address now. Earlier entries are gone');
      seenBefore = true;
      const ids = state.terminals.slice(0, 500).map((t) => t.terminal_id);
      byId('terminal-ids').replaceChildren(...ids.map((id) => {
        const option = element('option');
        option.value = id;
        return option;
      }));
      guide(state.guide ?? {}, ids[0] ?? 'SIM00001');
      openGuide(state.guide ?? {});
    }
    if (!built || fresh) await build(state.faults);
    if (fresh) till.offer(Boolean(state.guide?.till), state.terminals.map((t) => t.terminal_id), grid.scenarios);
  },
  terminal: (t) => grid.change(t),
  entry(entry) {
    journal.add(entry);
    if (entry.kind === 'fault') refreshFaults();
    if (entry.kind === 'reset') reloadSoon();
  },
  missed() {
    journal.mark('Some entries are missing: the simulator keeps only the newest');
    reloadSoon();
  },
  connection,
};

// connection says whether what is on the page is live, and if not, since when.
function connection(c) {
  const line = byId('connection');
  document.body.classList.toggle('stale', !c.live);
  if (c.live) {
    setAttribute(line, 'data-state', 'live');
    setText(byId('connection-text'), 'Live');
    setHidden(byId('lost'), true);
    return;
  }
  setAttribute(line, 'data-state', 'lost');
  setText(byId('connection-text'), 'Not connected');
  const since = document.createElement('time');
  since.dateTime = c.since.toISOString();
  since.title = c.since.toISOString();
  since.textContent = plainTime(c.since);
  byId('lost-detail').replaceChildren('The page shows the state at ', since, ' and connects again by itself.');
  setHidden(byId('lost'), false);
}

const retry = follow(tell);
byId('lost-retry').addEventListener('click', () => retry());

for (const button of document.querySelectorAll('nav [data-view]')) {
  button.addEventListener('click', () => {
    document.body.dataset.view = button.dataset.view;
    for (const other of document.querySelectorAll('nav [data-view]')) {
      setAttribute(other, 'aria-pressed', String(other === button));
    }
  });
}

byId('reset').addEventListener('click', () => byId('reset-dialog').showModal());
byId('reset-dialog').addEventListener('close', async () => {
  const dialog = byId('reset-dialog');
  if (dialog.returnValue !== 'yes') return;
  dialog.returnValue = '';
  try {
    await control.reset();
  } catch (error) {
    setText(byId('counts'), error.message);
  }
});

// The guide stays as it was left, where the browser keeps that. Else it is open if
// the page has room for it, and there is no till, which needs no explanation.
const help = byId('guide');
let left = null;
try {
  left = localStorage.getItem('guide');
} catch {
  // Storage is switched off.
}
function openGuide(known) {
  if (left === null) help.open = !known.till && matchMedia('(min-width: 900px) and (min-height: 850px)').matches;
  else help.open = left === 'open';
}
help.querySelector('summary').addEventListener('click', () => {
  left = help.open ? 'closed' : 'open'; // what the click makes of it
  try {
    localStorage.setItem('guide', left);
  } catch {
    // As above.
  }
});

byId('copy').addEventListener('click', async () => {
  const button = byId('copy');
  try {
    await navigator.clipboard.writeText(byId('command').textContent);
    setText(button, 'Copied');
  } catch {
    getSelection().selectAllChildren(byId('command'));
    setText(button, 'Selected');
  }
  setTimeout(() => setText(button, 'Copy'), 2000);
});
