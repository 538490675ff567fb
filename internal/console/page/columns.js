// The columns of the three lists.

import { attribute, el, showStatus, text } from './dom.js'
import { ago, duration, exact, money, now, time } from './format.js'

const chip = { make: td => td.append(el('span', { class: 'chip' })), show: (td, row) => showStatus(td.firstChild, row.status) }

const amount = {
  id: 'amount', title: 'Amount', down: true, value: row => row.amount,
  text: row => money(row.amount, row.currency),
}

// moment shows a time, or the time since then, with the exact value on hover.
const moment = (iso, words) => ({
  make: td => td.append(el('time')),
  show: (td, row) => {
    const at = iso(row)
    const e = td.firstChild
    text(e, at ? words(at, row) : 'never')
    attribute(e, 'datetime', at || null)
    if (e.dataset.at !== at) {
      e.dataset.at = at
      attribute(e, 'title', at ? exact(at) : null)
    }
  },
})

const isoOf = row => (row.started ? (row.iso ??= new Date(row.started).toISOString()) : '')

export const sessionColumns = [
  { id: 'terminal', title: 'Terminal', value: row => row.terminal, text: row => row.terminal },
  { id: 'order', title: 'Order', value: row => row.order, text: row => row.order },
  amount,
  { id: 'status', title: 'Status', value: row => row.status, ...chip },
  {
    id: 'age', title: 'Age', value: row => -row.started,
    ...moment(isoOf, (_, row) => duration(now() - row.started)),
  },
  { id: 'replica', title: 'Replica', value: row => row.replica, text: row => row.replica || (row.over ? '' : 'between replicas') },
  {
    id: 'stream', title: 'Stream', value: row => row.stream,
    make: td => td.append(el('span', { class: 'stream' })),
    show: (td, row) => {
      attribute(td.firstChild, 'class', `stream ${row.stream || 'none'}`)
      text(td.firstChild, row.stream || (row.over ? 'ended' : 'not yet'))
    },
  },
]

export const paymentColumns = [
  { id: 'at', title: 'When', down: true, value: row => row.revision, ...moment(row => row.at, at => time(at)) },
  { id: 'terminal', title: 'Terminal', value: row => row.terminal, text: row => row.terminal },
  { id: 'order', title: 'Order', value: row => row.order, text: row => row.order },
  amount,
  { id: 'status', title: 'Status', value: row => row.status, ...chip },
  { id: 'took', title: 'Took', down: true, value: row => row.took, text: row => (row.took >= 0 ? duration(row.took) : '') },
]

export const terminalColumns = [
  { id: 'terminal', title: 'Terminal', value: row => row.id, text: row => row.id },
  { id: 'group', title: 'Group', value: row => row.group ?? '', text: row => row.group ?? '' },
  {
    id: 'state', title: 'State', value: row => (row.session ? 0 : 1),
    make: td => td.append(el('span', { class: 'stream' })),
    show: (td, row) => {
      attribute(td.firstChild, 'class', `stream ${row.session ? 'occupied' : 'free'}`)
      text(td.firstChild, row.session ? 'busy' : 'free')
    },
  },
  { id: 'order', title: 'Last order', value: row => row.session?.order ?? row.order ?? '', text: row => row.session?.order ?? row.order ?? '' },
  {
    id: 'status', title: 'Last status', value: row => row.shown,
    make: chip.make, show: (td, row) => showStatus(td.firstChild, row.shown),
  },
  {
    id: 'seen', title: 'Last seen', down: true, value: row => row.seen ?? '',
    ...moment(row => row.seen ?? '', at => ago(now() - Date.parse(at))),
  },
]
