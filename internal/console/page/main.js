// The console: what comes from the stream goes into the store, and from there,
// once per frame, onto the page.

import { paymentColumns, sessionColumns, terminalColumns } from './columns.js'
import { CoursePanel } from './course.js'
import { attribute, el, keyed, text } from './dom.js'
import { Feed } from './feed.js'
import { List } from './list.js'
import { duration, now, number, setClock, setDigits, time } from './format.js'
import { Store } from './store.js'

const $ = id => document.getElementById(id)
const store = new Store()
const names = ['sessions', 'payments', 'terminals']
let current = 'sessions'
let query = ''
let onlyAttention = false
let link = 'connecting'
let heardAt = null // when the last news came, as an ISO time
let wasLive = false

// --- the course ---

const course = new CoursePanel($('course'), was => {
  history.replaceState(null, '', location.pathname)
  settle()
  const list = lists[current]
  list.select(null)
  list.focus(list.focused ?? keyOf(was))
})

function open(terminal, order) {
  if (!order) return
  const now = course.order
  if (now && now.terminal === terminal && now.order === order) {
    $('course-title').focus()
    return
  }
  course.open(terminal, order)
  history.replaceState(null, '', `#${new URLSearchParams({ terminal, order })}`)
  settle()
  lists[current].select(keyOf({ terminal, order }))
}

const keyOf = o => (current === 'payments' ? `${o.terminal}/${o.order}` : o.terminal)

// settle makes what is behind a course unreachable where the course covers it.
const covers = matchMedia('(max-width: 899px)')
function settle() {
  for (const part of $('page').children) {
    if (part.id !== 'course') part.inert = Boolean(course.order) && covers.matches
  }
}
covers.addEventListener('change', settle)

// --- the lists ---

const lists = {
  sessions: new List({
    name: 'sessions', label: 'Open sessions', columns: sessionColumns,
    sort: { column: 'age', down: false }, open: row => open(row.terminal, row.order),
  }),
  payments: new List({
    name: 'payments', label: 'Recent payments', columns: paymentColumns,
    sort: { column: 'at', down: true }, open: row => open(row.terminal, row.order),
  }),
  terminals: new List({
    name: 'terminals', label: 'Terminals', columns: terminalColumns,
    sort: { column: 'terminal', down: false }, open: row => open(row.id, row.session?.order ?? row.order),
  }),
}
const nothing = el('div', { class: 'nothing' }, el('p', { class: 'big' }), el('p'), el('button', { type: 'button' }))
nothing.lastChild.addEventListener('click', () => lookUp())
const holder = $('list')
holder.append(nothing, ...names.map(n => lists[n].scroller))

function rowsOf(name) {
  switch (name) {
    case 'sessions':
      return store.sessions()
    case 'payments':
      return [...store.payments.values()].map(p => ({
        ...p, took: p.started ? Date.parse(p.at) - Date.parse(p.started) : -1,
      }))
    default:
      return [...store.terminals.values()].map(t => ({ ...t, key: t.id, shown: t.session?.status ?? t.status ?? '' }))
  }
}

function show() {
  const all = rowsOf(current)
  let rows = all
  if (query) rows = rows.filter(r => r.search.includes(query))
  if (onlyAttention && current === 'sessions') rows = rows.filter(r => r.attention)
  for (const n of names) lists[n].scroller.classList.toggle('current', n === current)
  lists[current].set(rows)
  showNothing(rows.length, all.length)
  const open = store.open()
  text($('count-sessions'), number(open))
  text($('count-payments'), number(store.payments.size))
  text($('count-terminals'), number(store.terminals.size))
  const attention = (current === 'sessions' ? all : store.sessions()).filter(r => r.attention).length
  text($('count-attention'), number(attention))
  $('attention').classList.toggle('some', attention > 0)
  text($('found'), all.length > 0 && (query || (onlyAttention && current === 'sessions')) ? `${number(rows.length)} of ${number(all.length)} shown` : '')
  const title = wasLive ? `${link === 'live' ? '' : '⚠ '}${number(open)} open · pos-bridge` : 'pos-bridge console'
  if (document.title !== title) document.title = title
}

const emptyWords = {
  sessions: ['No payment is open', 'A session appears here the moment a start is accepted, and leaves when its payment is over.'],
  payments: ['No payment has ended yet', 'The latest payments of all terminals that ended appear here.'],
  terminals: ['No terminal is known yet', 'Terminals of the terminal groups file are listed here, and others once they are used.'],
}

function showNothing(rows, all) {
  nothing.hidden = rows > 0
  if (rows > 0) return
  const [big, small, button] = nothing.children
  button.hidden = true
  if (!wasLive) {
    text(big, link === 'lost' ? 'Nothing to show yet' : 'Connecting…')
    text(small, link === 'lost' ? 'The bridge cannot be reached.' : '')
  } else if (query && rows === 0) {
    text(big, `Nothing here matches “${$('search').value.trim()}”`)
    text(small, 'Payments that ended longer ago can be looked up by their whole order id.')
    button.hidden = false
    text(button, 'Look this order up')
  } else if (onlyAttention && all > 0) {
    text(big, 'Nothing needs attention')
    text(small, 'Every open session has a replica and a connected stream.')
  } else {
    text(big, emptyWords[current][0])
    text(small, emptyWords[current][1])
  }
}

function lookUp() {
  const order = $('search').value.trim()
  if (order) open('', order)
}

function choose(name, focus) {
  current = name
  for (const n of names) {
    const tab = $(`tab-${n}`)
    attribute(tab, 'aria-selected', n === name)
    attribute(tab, 'tabindex', n === name ? null : -1)
    if (n === name && focus) tab.focus()
  }
  attribute(holder, 'aria-labelledby', `tab-${name}`)
  $('attention').hidden = name !== 'sessions'
  show()
  lists[name].select(course.order ? keyOf(course.order) : null)
}

for (const n of names) {
  $(`tab-${n}`).addEventListener('click', () => choose(n))
  $(`tab-${n}`).addEventListener('keydown', e => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key]
    if (step) choose(names[(names.indexOf(current) + step + names.length) % names.length], true)
  })
}

$('search').addEventListener('input', e => {
  query = e.target.value.trim().toLowerCase()
  show()
})
$('find').addEventListener('submit', e => {
  e.preventDefault()
  const rows = lists[current].rows
  if (rows.length > 0) lists[current].focus(rows[0].key)
  else lookUp()
})
$('attention').addEventListener('click', e => {
  onlyAttention = !onlyAttention
  attribute(e.currentTarget, 'aria-pressed', onlyAttention)
  show()
})
const callsSearch = e => e.key === '/' && !e.ctrlKey && !e.metaKey && !$('lists').inert && document.activeElement?.tagName !== 'INPUT'
document.addEventListener('keyup', e => {
  if (callsSearch(e)) $('search').focus()
})
document.addEventListener('keydown', e => {
  if (callsSearch(e)) e.preventDefault() // some browsers have a search of their own there
  if (e.key === 'Escape' && course.order && document.activeElement !== $('search')) course.close()
})

// --- health, numbers, the link ---

function showOverview() {
  const o = store.overview
  if (!o) return
  text($('replica'), o.replica)
  text($('replica-again'), o.replica)
  text($('version'), o.version ?? '')
  const health = o.health ?? []
  keyed($('health'), health, h => h.name,
    () => el('li', {}, el('span', { class: 'dot', 'aria-hidden': 'true' }), el('b'), el('span', { class: 'words' })),
    (li, h) => {
      attribute(li, 'class', h.state)
      text(li.children[1], h.name)
      text(li.children[2], h.words)
    })
  $('health').classList.toggle('well', health.every(h => h.state === 'good' || h.state === 'unknown'))
  keyed($('totals'), o.totals ?? [], t => t.name,
    t => el('div', { title: `pos_bridge_${t.metric}` }, el('dt', { text: t.name }), el('dd')),
    (e, t) => text(e.lastChild, number(t.value)))
  showBanner()
}

let lost = null // {until, why} while the link is lost

function showBanner() {
  let words = ''
  if (link === 'lost' || (link === 'connecting' && lost)) {
    words = lost.why
    if (heardAt) words += ` The lists show the state at ${time(heardAt)}.`
  } else if (store.overview?.problem) words = store.overview.problem
  const banner = $('banner')
  text(banner, words)
  banner.hidden = !words
  document.body.classList.toggle('stale', Boolean(words) && wasLive)
}

function showLink() {
  attribute(document.body, 'data-link', link)
  let words = { connecting: 'Connecting…', live: 'Live', lost: 'Connection lost' }[link]
  if (link === 'lost') {
    const left = Math.ceil((lost.until - performance.now()) / 1000)
    words += left > 0 ? ` – next try in ${left} s` : ''
  }
  $('link').setAttribute('aria-label', { connecting: 'Connecting', live: 'Live', lost: 'Connection lost, trying again' }[link])
  text($('link-words'), words)
  $('retry').hidden = link !== 'lost'
  showBanner()
}

// --- the stream ---

// later shows what has changed with the next frame, and not more often than that
// an eighth of the time is spent on it.
let waiting = false
let rested = 0
function later() {
  if (waiting) return
  waiting = true
  setTimeout(() => requestAnimationFrame(() => {
    waiting = false
    const began = performance.now()
    show()
    showOverview()
    const ended = performance.now()
    rested = ended + Math.min(1000, 7 * (ended - began))
  }), rested - performance.now())
}

const heard = () => {
  heardAt = new Date(now()).toISOString()
  later()
}

const feed = new Feed('console/events', {
  hello(h) {
    setClock(h.now)
    setDigits(h.digits)
    store.begin(h)
    $('leave').hidden = !h.token
    $('to-terminals').hidden = !h.terminals
    attribute($('to-terminals'), 'href', h.terminals ?? null)
    heard()
  },
  terminals(list) {
    store.takeTerminals(list)
    for (const t of list) course.touched(t.id)
    heard()
  },
  payments(list) {
    store.takePayments(list)
    for (const p of list) course.touched(p.terminal)
    heard()
  },
  overview(beat) {
    setClock(beat.now)
    store.overview = beat.overview
    heard()
  },
  live() {
    store.live()
    wasLive = true
    heard()
  },
  link(state, { wait, why }) {
    link = state
    if (state === 'lost') lost = { until: performance.now() + wait, why }
    if (state === 'live') lost = null
    showLink()
    later()
  },
})

$('retry').addEventListener('click', () => feed.open())
addEventListener('online', () => link === 'lost' && feed.open())

// Ages grow by themselves; what has ended leaves.
setInterval(() => {
  if (link === 'lost') showLink()
  course.tick()
  later()
}, 1000)

feed.open()
const asked = new URLSearchParams(location.hash.slice(1))
if (asked.get('order')) open(asked.get('terminal') ?? '', asked.get('order'))
