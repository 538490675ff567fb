// The course of one payment: asked for when it is opened, and again whenever
// something about it may have changed.

import { attribute, el, keyed, showStatus, text } from './dom.js'
import { dayUnlike, duration, exact, fine, money, now, time, toTheMillisecond } from './format.js'

const askPause = 150
const askAgain = 3000
const sources = { stream: 'event stream', reconcile: 'asked the provider', bridge: 'decided by the bridge' }

export class CoursePanel {
  #root
  #closed
  #asked = null
  #timer = 0
  #abort = null
  #parts = null

  constructor(root, closed) {
    this.#root = root
    this.#closed = closed
    root.addEventListener('keydown', e => {
      if (e.key === 'Escape') this.close()
    })
  }

  // order is whose course is shown: {terminal, order}, or null.
  get order() {
    return this.#asked
  }

  open(terminal, order) {
    this.#asked = { terminal, order }
    this.#build(order)
    this.#root.hidden = false
    document.body.classList.add('with-course')
    this.#parts.title.focus()
    this.#ask()
  }

  close() {
    if (!this.#asked) return
    const was = this.#asked
    this.#asked = null
    clearTimeout(this.#timer)
    this.#abort?.abort()
    this.#root.hidden = true
    this.#root.replaceChildren()
    document.body.classList.remove('with-course')
    this.#closed(was)
  }

  // touched asks again soon, when the terminal is the one that is shown.
  touched(terminal) {
    if (this.#asked?.terminal === terminal) this.#again(askPause)
  }

  // tick keeps the time of an open payment.
  tick() {
    if (this.#asked && this.#parts?.course && !this.#parts.course.final) this.#took(this.#parts.course)
  }

  #again(pause) {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#ask(), pause)
  }

  #build(order) {
    const p = {
      title: el('h2', { id: 'course-title', tabindex: '-1', text: order }),
      amount: el('p', { class: 'amount' }),
      chip: el('span', { class: 'chip' }),
      took: el('span', { class: 'took' }),
      facts: el('dl', { class: 'facts', hidden: true }),
      note: el('p', { class: 'hint', hidden: true }),
      problem: el('p', { class: 'problem', role: 'status', text: 'Reading…' }),
      steps: el('ol', { class: 'steps', 'aria-label': 'Course of the payment' }),
    }
    p.sum = el('div', { class: 'sum', hidden: true }, p.amount, p.chip, p.took)
    this.#parts = p
    this.#root.replaceChildren(
      el('header', {}, el('p', { class: 'over-title', text: 'Order' }), p.title,
        el('button', { type: 'button', class: 'close', 'aria-label': 'Close the course', onclick: () => this.close() }, '✕')),
      el('div', { class: 'course-body', tabindex: '0', role: 'group', 'aria-label': 'Details' },
        p.sum, p.facts, p.problem, p.steps, p.note))
  }

  async #ask() {
    const asked = this.#asked
    if (!asked) return
    clearTimeout(this.#timer)
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    const limit = setTimeout(() => abort.abort(), 10000)
    let problem = ''
    let open = true
    try {
      const query = new URLSearchParams({ terminal: asked.terminal, order: asked.order })
      const answer = await fetch(`console/order?${query}`, { signal: abort.signal, cache: 'no-store' })
      const body = await answer.json()
      if (this.#abort !== abort) return
      if (answer.ok) {
        asked.terminal = body.terminal
        this.#show(body)
        open = !body.final
      } else problem = body.problem ?? `The bridge answered with ${answer.status}.`
    } catch {
      if (this.#abort !== abort) return
      problem = 'The course cannot be read now; trying again.'
    } finally {
      clearTimeout(limit)
    }
    const p = this.#parts
    text(p.problem, problem)
    p.problem.hidden = !problem
    if (open || problem) this.#again(askAgain)
  }

  #took(c) {
    if (!c.started) return
    const end = c.final ? Date.parse(c.steps.findLast(s => s.kind === 'status')?.at ?? c.started) : now()
    text(this.#parts.took, c.final ? `took ${duration(end - Date.parse(c.started))}` : `open for ${duration(end - Date.parse(c.started))}`)
  }

  #show(c) {
    const p = this.#parts
    p.course = c
    p.sum.hidden = p.facts.hidden = false
    text(p.amount, money(c.amount, c.currency))
    showStatus(p.chip, c.status)
    this.#took(c)
    const facts = [
      ['Terminal', c.terminal],
      ['Started', c.started && time(c.started), '', c.started && exact(c.started)],
      ['Followed by', c.final ? '' : c.replica || (c.started ? 'between replicas' : '')],
      ['Event stream', c.final ? '' : c.stream],
      ['Financial status', c.financial_status],
      ['Transaction', c.transaction_id, 'code'],
      ['Session', c.session_id, 'code long'],
    ].filter(([, value]) => value)
    keyed(p.facts, facts, f => f[0],
      f => el('div', { class: f[2] }, el('dt', { text: f[0] }), el('dd', { title: f[3] })), (e, f) => text(e.lastChild, f[1]))
    text(p.note, c.note ?? '')
    p.note.hidden = !c.note
    let before = null
    const steps = (c.steps ?? []).map(s => {
      const step = { ...s, day: dayUnlike(s.at, before ?? now()), after: before === null ? null : Date.parse(s.at) - before }
      before = Date.parse(s.at)
      return step
    })
    keyed(p.steps, steps, stepKey, makeStep, showStep)
  }
}

const stepKey = s => (s.kind === 'status' ? `status ${s.sequence}` : `${s.at} ${s.text}`)

function makeStep() {
  return el('li', {},
    el('div', { class: 'when' }, el('span', { class: 'day' }), el('time'), el('span', { class: 'after', title: 'after the step before' })),
    el('span', { class: 'mark', 'aria-hidden': 'true' }),
    el('div', { class: 'words' }, el('p', { class: 'what' }), el('p', { class: 'how' })))
}

function showStep(li, s) {
  attribute(li, 'class', `step ${s.kind}${s.final ? ' final' : ''}`)
  const [when, , words] = li.children
  const [day, time, after] = when.children
  const [what, how] = words.children
  text(day, s.day)
  text(time, toTheMillisecond(s.at))
  attribute(time, 'datetime', s.at)
  if (time.title === '') time.title = exact(s.at)
  text(after, s.after !== null && s.after >= 1000 ? `+${fine(s.after)}` : '')
  const details = []
  if (s.kind === 'status') {
    if (!what.firstChild) what.append(el('span', { class: 'chip' }), ' ', el('span', { class: 'number' }))
    showStatus(what.firstChild, s.status)
    text(what.lastChild, `no. ${s.sequence}`)
    details.push(sources[s.source] ?? s.source)
    if (s.latency_ms !== undefined) details.push(`on the bus in ${fine(s.latency_ms)}`)
    if (s.replica) details.push(s.replica)
  } else {
    text(what, s.text)
    if (s.count > 1) details.push(`${s.count} times, last at ${toTheMillisecond(s.until)}`)
  }
  const told = details.join('\u00a0· ')
  if (how.textContent !== told) { // a detail goes to the next line as a whole
    how.replaceChildren(...details.flatMap((d, i) => [i > 0 ? '\u00a0· ' : '', el('span', { text: d })]))
  }
  how.hidden = details.length === 0
}
