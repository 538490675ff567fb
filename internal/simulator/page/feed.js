// The simulator's own event stream, read by hand: so that heartbeats are seen, a
// dead connection is noticed, and reading goes on after the last entry.

import * as control from './control.js';

const silence = 40_000; // milliseconds; the simulator says something every 15 s
const firstPause = 400;
const longestPause = 5_000;

// follow reads for ever. tell gets:
//   state(state, fresh)   everything as it is now; fresh when nothing of before counts
//   terminal(t)           a terminal that changed
//   entry(e)              a line of the journal
//   missed()              lines of the journal are gone
//   connection(c)         {live: true}, or {live: false, since, retryAt}
// It returns a function that tries again at once.
export function follow(tell) {
  let wake = () => {};
  const now = () => wake();
  window.addEventListener('online', now);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) now(); });
  (async () => {
    const position = { run: '', seq: 0 };
    let pause = firstPause;
    let since = null;
    for (;;) {
      try {
        await readOnce(position, tell, () => {
          pause = firstPause;
          since = null;
          tell.connection({ live: true });
        });
      } catch {
        // Said below: whatever it was, the connection is gone.
      }
      since ??= new Date();
      const wait = pause * (0.75 + Math.random() / 2);
      tell.connection({ live: false, since, retryAt: Date.now() + wait });
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, wait);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      wake = () => {};
      pause = Math.min(pause * 2, longestPause);
    }
  })();
  return now;
}

async function readOnce(position, tell, live) {
  const present = await control.state();
  const fresh = present.run !== position.run;
  if (fresh) {
    position.run = present.run;
    position.seq = present.seq;
  }
  tell.state(present, fresh);

  const abort = new AbortController();
  let dog;
  const alive = () => {
    clearTimeout(dog);
    dog = setTimeout(() => abort.abort(), silence);
  };
  alive();
  try {
    const answer = await fetch('/simulator/events', {
      headers: { Accept: 'text/event-stream', 'Last-Event-ID': String(position.seq) },
      signal: abort.signal,
      cache: 'no-store',
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    let first = true;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      if (first) live();
      first = false;
      text += value;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        dispatch(text.slice(0, end), position, tell);
        text = text.slice(end + 2);
      }
    }
  } finally {
    clearTimeout(dog);
    abort.abort();
  }
}

function dispatch(block, position, tell) {
  let name = '';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data = line.slice(6);
  }
  if (!name) return; // a heartbeat
  const value = JSON.parse(data);
  switch (name) {
    case 'terminal':
      tell.terminal(value);
      break;
    case 'log':
      position.seq = value.seq;
      tell.entry(value);
      break;
    case 'missed':
      tell.missed();
      break;
  }
}
