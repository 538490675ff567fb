// Building and changing the page. Everything goes in as text.

// el makes an element with properties, attributes (data-, aria-, role…) and children.
export function el(name, properties = {}, ...children) {
  const e = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue
    if (key === 'class') e.className = value
    else if (key === 'text') e.textContent = value
    else if (key.startsWith('on')) e.addEventListener(key.slice(2), value)
    else e.setAttribute(key, value === true ? '' : value)
  }
  e.append(...children.filter(c => c !== null && c !== undefined))
  return e
}

// text changes a text only when it is another one. The text node stays, which is
// cheaper than a new one.
export function text(e, value) {
  const node = e.firstChild
  if (node instanceof Text && !node.nextSibling) {
    if (node.data !== value) node.data = value
  } else if (e.textContent !== value) e.textContent = value
}

// attribute sets, changes or removes an attribute, only when that changes something.
export function attribute(e, name, value) {
  if (value === null || value === undefined || value === false) {
    if (e.hasAttribute(name)) e.removeAttribute(name)
  } else if (e.getAttribute(name) !== String(value)) {
    e.setAttribute(name, String(value))
  }
}

// keyed makes the children of a parent be one for each item, kept by their keys:
// what is there stays the same element.
export function keyed(parent, items, key, make, change) {
  const there = new Map()
  for (const child of parent.children) there.set(child.dataset.key, child)
  let place = parent.firstElementChild
  for (const item of items) {
    const k = String(key(item))
    let child = there.get(k)
    if (child) there.delete(k)
    else {
      child = make(item)
      child.dataset.key = k
    }
    change(child, item)
    if (child === place) place = place.nextElementSibling
    else parent.insertBefore(child, place)
  }
  for (const child of there.values()) child.remove()
}

// status is a status in a form that is known at a glance, not by colour alone.
export function showStatus(e, status) {
  const known = kinds[status] ?? 'other'
  attribute(e, 'class', `chip ${known}`)
  text(e, status || '–')
}

const kinds = {
  created: 'quiet', initialized: 'busy', declined: 'warn', reserved: 'busy', uncleared: 'busy',
  completed: 'good', shipped: 'good',
  cancelled: 'over', expired: 'over', void: 'over', not_created: 'over',
  reversed: 'back', refunded: 'back', partial_refunded: 'back', chargeback: 'back', chargedback: 'back',
  unresolved: 'bad', refused: 'bad',
}
