// A list of any length as a grid of which only what is seen exists. Rows are kept
// by their keys, so that nothing flickers and focus stays where it was.

import { attribute, el, text } from './dom.js'

const overscan = 4

export class List {
  // o: name, label, columns, open(row), empty: element, sort: {column, down}
  // A column: id, title, value(row) for sorting, and either text(row) or
  // make(cell) with show(cell, row).
  constructor(o) {
    this.o = o
    this.rows = []
    this.index = new Map()
    this.shown = new Map()
    this.sort = o.sort
    this.focused = null // key
    this.selected = null
    this.height = 40
    this.head = 0
    this.view = 0
    this.#build()
  }

  #build() {
    const { columns } = this.o
    this.heads = columns.map(c => el('th', { role: 'columnheader', scope: 'col', class: `c-${c.id}` },
      el('button', { type: 'button', onclick: () => this.#sortBy(c) }, c.title, el('span', { class: 'arrow', 'aria-hidden': 'true' }))))
    this.body = el('tbody', { role: 'rowgroup' })
    this.table = el('table', { role: 'grid', 'aria-label': this.o.label, 'aria-colcount': columns.length, class: `grid ${this.o.name}` },
      el('thead', { role: 'rowgroup' }, el('tr', { role: 'row', 'aria-rowindex': 1 }, ...this.heads)), this.body)
    this.scroller = el('div', { class: 'scroller' }, this.table)
    this.scroller.addEventListener('scroll', () => this.draw(), { passive: true })
    this.body.addEventListener('click', e => this.#clicked(e))
    this.table.addEventListener('keydown', e => this.#key(e))
    this.body.addEventListener('focusin', e => {
      this.focused = e.target.closest('tr')?.dataset.key ?? this.focused
    })
    new ResizeObserver(() => {
      this.#measure()
      this.draw()
    }).observe(this.scroller)
    this.#showSort()
  }

  #sortBy(column) {
    const down = this.sort.column === column.id ? !this.sort.down : Boolean(column.down)
    this.sort = { column: column.id, down }
    this.#showSort()
    this.set(this.rows)
  }

  #showSort() {
    this.o.columns.forEach((c, i) => {
      const mine = c.id === this.sort.column
      attribute(this.heads[i], 'aria-sort', mine ? (this.sort.down ? 'descending' : 'ascending') : null)
      text(this.heads[i].querySelector('.arrow'), mine ? (this.sort.down ? '↓' : '↑') : '')
    })
  }

  // set takes new rows, each with a key.
  set(rows) {
    const before = this.index.get(this.focused)
    this.rows = this.#sorted(rows)
    this.index.clear()
    for (let i = 0; i < this.rows.length; i++) this.index.set(this.rows[i].key, i)
    if (this.focused !== null && !this.index.has(this.focused)) this.#focusLost(before)
    attribute(this.table, 'aria-rowcount', this.rows.length + 1)
    attribute(this.scroller, 'hidden', this.rows.length === 0 ? '' : null)
    this.draw()
  }

  // #sorted sorts from the order of before, of which mostly little has changed.
  #sorted(rows) {
    const there = new Array(this.rows.length)
    const added = []
    for (const row of rows) {
      const i = this.index.get(row.key)
      if (i === undefined) added.push(row)
      else there[i] = row
    }
    const order = there.filter(row => row !== undefined).concat(added)
    const { value } = this.o.columns.find(c => c.id === this.sort.column)
    for (const row of order) row.by = value(row)
    const sign = this.sort.down ? -1 : 1
    return order.sort((x, y) => (x.by < y.by ? -sign : x.by > y.by ? sign : x.key < y.key ? -1 : 1))
  }

  // #focusLost goes on at the same place when the row under the focus has gone.
  #focusLost(before) {
    const had = this.body.contains(document.activeElement)
    const next = this.rows[Math.min(before ?? 0, this.rows.length - 1)]
    this.focused = next?.key ?? null
    if (had) this.refocus = true
  }

  // draw makes what is seen be there.
  draw() {
    if (!this.view) this.#measure()
    const { height, head, view } = this
    if (!view) return
    const from = Math.max(0, Math.floor((this.scroller.scrollTop - head) / height) - overscan)
    const to = Math.min(this.rows.length, Math.ceil((this.scroller.scrollTop + view) / height) + overscan)
    const whole = `${this.rows.length * height}px`
    if (this.body.style.height !== whole) this.body.style.height = whole
    const wanted = new Set()
    for (let i = from; i < to; i++) wanted.add(this.rows[i].key)
    const focused = this.index.get(this.focused)
    if (focused !== undefined && this.body.contains(document.activeElement)) wanted.add(this.focused)
    const free = [] // rows that are seen no more, in the order of the document, to be used again where they are
    for (const tr of this.body.children) {
      if (wanted.has(tr.dataset.key)) continue
      this.shown.delete(tr.dataset.key)
      free.push(tr)
    }
    free.reverse()
    const active = document.activeElement
    const tab = this.index.has(this.focused) ? this.focused : this.rows[from + (from > 0 ? overscan : 0)]?.key
    let place = this.body.firstElementChild
    for (const i of [...wanted].map(key => this.index.get(key)).sort((a, b) => a - b)) {
      const row = this.rows[i]
      let tr = this.shown.get(row.key)
      if (!tr) {
        tr = free.pop() ?? this.#makeRow()
        tr.dataset.key = row.key
        this.shown.set(row.key, tr)
      }
      this.#show(tr, row, i, height, tab)
      while (place && !this.shown.has(place.dataset.key)) place = place.nextElementSibling // free
      if (tr === place) place = place.nextElementSibling
      else this.body.insertBefore(tr, place)
    }
    for (const tr of free) tr.remove()
    if (active !== document.activeElement && this.body.contains(active)) active.focus({ preventScroll: true })
    if (this.refocus) {
      this.refocus = false
      this.focus(this.focused)
    }
  }

  // #measure reads what only changes with the window.
  #measure() {
    this.height = parseFloat(getComputedStyle(this.table).getPropertyValue('--row')) || 40
    this.head = this.table.tHead.offsetHeight
    this.view = this.scroller.clientHeight
  }

  #makeRow() {
    const tr = el('tr', { role: 'row' })
    tr.cells_ = this.o.columns.map(c => {
      const td = el('td', { role: 'gridcell', class: `c-${c.id}` })
      c.make?.(td)
      tr.append(td)
      return td
    })
    return tr
  }

  #show(tr, row, i, height, tab) {
    const top = `translateY(${i * height}px)`
    if (tr.style.transform !== top) tr.style.transform = top
    attribute(tr, 'aria-rowindex', i + 2)
    attribute(tr, 'tabindex', row.key === tab ? 0 : -1)
    attribute(tr, 'aria-selected', row.key === this.selected ? 'true' : 'false')
    attribute(tr, 'class', [i % 2 ? 'odd' : '', row.over ? 'over' : '', row.fresh ? 'fresh' : '', row.attention ? 'attention' : ''].join(' ').trim() || null)
    this.o.columns.forEach((c, n) => {
      const td = tr.cells_[n]
      if (c.show) c.show(td, row)
      else text(td, c.text(row))
    })
  }

  // select marks the row whose course is shown.
  select(key) {
    this.selected = key
    this.draw()
  }

  // focus moves the focus to a row, and the row into view.
  focus(key) {
    const i = this.index.get(key)
    if (i === undefined) {
      this.scroller.querySelector('[tabindex="0"]')?.focus()
      return
    }
    this.focused = key
    const { height } = this
    const top = i * height
    const view = this.view - this.head
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top
    else if (top + height > this.scroller.scrollTop + view) this.scroller.scrollTop = top + height - view
    this.draw()
    let tr = this.shown.get(key)
    if (!tr) return
    tr.focus({ preventScroll: true })
    this.draw()
  }

  #clicked(e) {
    const key = e.target.closest('tr')?.dataset.key
    const i = this.index.get(key)
    if (i === undefined) return
    this.focus(key)
    this.o.open(this.rows[i])
  }

  #key(e) {
    if (!e.target.closest('tbody') || e.altKey || e.ctrlKey || e.metaKey) return
    const i = this.index.get(this.focused) ?? 0
    const page = Math.max(1, Math.floor(this.view / this.height) - 2)
    const to = { ArrowDown: i + 1, ArrowUp: i - 1, PageDown: i + page, PageUp: i - page, Home: 0, End: this.rows.length - 1 }[e.key]
    if (to !== undefined) {
      e.preventDefault()
      const row = this.rows[Math.min(this.rows.length - 1, Math.max(0, to))]
      if (row) this.focus(row.key)
    } else if ((e.key === 'Enter' || e.key === ' ') && this.rows[i]) {
      e.preventDefault()
      this.o.open(this.rows[i])
    }
  }
}
