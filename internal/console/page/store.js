// What is known: terminals with their sessions, and payments that are over.

import { now } from './format.js'

// farewell is how long a session that has ended stays in the list, in ms.
const farewell = 4000
const maxPayments = 300
// old is when an open session has been open for too long, in ms.
const old = 10 * 60 * 1000

// silent is how long after its start a session without any status is worth a look, in ms.
const silent = 90 * 1000

export class Store {
  terminals = new Map()
  payments = new Map()
  overview = null
  // generation counts the beginnings of the stream.
  generation = 0

  begin(hello) {
    this.generation++
    this.overview = hello.overview
  }

  // live drops what the new stream did not tell of.
  live() {
    for (const [id, t] of this.terminals) {
      if (t.generation !== this.generation) this.terminals.delete(id)
    }
  }

  takeTerminals(list) {
    for (const t of list) {
      const before = this.terminals.get(t.id)
      t.generation = this.generation
      t.search = `${t.id}\n${t.session?.order ?? t.order ?? ''}`.toLowerCase()
      if (t.session) {
        t.session.started = Date.parse(t.session.started)
        t.changed = before?.session && before.session.order === t.session.order && before.session.status !== t.session.status
          ? now() : before?.changed
      } else if (before?.session) {
        t.gone = { ...before.session, until: now() + farewell }
      } else if (before?.gone && before.gone.until > now()) {
        t.gone = before.gone
      }
      if (t.gone && t.order === t.gone.order) t.gone.status = t.status
      this.terminals.set(t.id, t)
    }
  }

  takePayments(list) {
    for (const p of list) {
      const key = `${p.terminal}/${p.order}`
      p.key = key
      p.search = `${p.terminal}\n${p.order}`.toLowerCase()
      this.payments.delete(key)
      this.payments.set(key, p)
    }
    for (const key of this.payments.keys()) {
      if (this.payments.size <= maxPayments) break
      this.payments.delete(key)
    }
  }

  // sessions that are open, and those that have just ended.
  sessions() {
    const rows = []
    const time = now()
    for (const t of this.terminals.values()) {
      if (t.session) rows.push(sessionRow(t, t.session, false, time))
      else if (t.gone && t.gone.until > time) rows.push(sessionRow(t, t.gone, true, time))
    }
    return rows
  }

  // open counts the open sessions.
  open() {
    let n = 0
    for (const t of this.terminals.values()) if (t.session) n++
    return n
  }
}

function sessionRow(t, s, over, time) {
  return {
    key: t.id, terminal: t.id, order: s.order, amount: s.amount, currency: s.currency, status: s.status,
    started: s.started, replica: s.replica ?? '', stream: over ? '' : s.stream ?? '', over, search: t.search,
    fresh: t.changed !== undefined && time - t.changed < 1500,
    attention: !over && (!s.replica || s.stream === 'reconnecting' || s.stream === 'polling' ||
      s.status === 'unresolved' || s.status === 'created' && time - s.started > silent || time - s.started > old),
  }
}
