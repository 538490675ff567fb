// The simulator's control API.

const limit = 10_000; // milliseconds of one call

// Refusal is an answer that says no, in the simulator's words.
export class Refusal extends Error {}

export async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(`/simulator/${path}`, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(limit),
      cache: 'no-store',
    });
  } catch {
    throw new Error('The simulator does not answer.');
  }
  if (answer.status === 204) return null;
  let data;
  try {
    data = await answer.json();
  } catch {
    throw new Error(`The simulator’s answer (${answer.status}) makes no sense.`);
  }
  if (!answer.ok) throw new Refusal(data.error ?? `The simulator says no (${answer.status}).`);
  return data;
}

const at = (id) => encodeURIComponent(id);

export const state = () => ask('GET', 'state');
export const pay = (payment) => ask('POST', 'payments', payment);
export const faults = () => ask('GET', 'faults');
export const scenarios = () => ask('GET', 'scenarios');
export const faultKinds = () => ask('GET', 'fault-kinds');
export const act = (terminal, action) => ask('POST', `terminals/${at(terminal)}/${action}`);
export const configure = (terminal, settings) => ask('PUT', `terminals/${at(terminal)}`, settings);
export const configureAll = (settings) => ask('PUT', 'terminals', settings);
export const setFault = (id, fault) => ask('PUT', `faults/${at(id)}`, fault);
export const clearFault = (id) => ask('DELETE', `faults/${at(id)}`);
export const clearFaults = () => ask('DELETE', 'faults');
export const dropStreams = (order) => ask('POST', order ? `orders/${at(order)}/drop` : 'streams/drop');
export const reset = () => ask('POST', 'reset');
