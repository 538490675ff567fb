// How times, money and numbers are written: in the viewer's language and zone.

let digitsOf = {}
let skew = 0 // of the server's clock against this one, in ms

export function setDigits(digits) {
  digitsOf = digits
  formats.clear()
}

// setClock notes what time it is at the server.
export function setClock(now) {
  const difference = Date.parse(now) - Date.now()
  if (Number.isFinite(difference)) skew = difference
}

// now is the server's time, in ms.
export const now = () => Date.now() + skew

const formats = new Map()

// money writes an amount that is in the currency's smallest unit.
export function money(amount, currency) {
  if (!currency) return ''
  const digits = digitsOf[currency] ?? 2
  let format = formats.get(currency)
  if (!format) {
    try {
      format = new Intl.NumberFormat(undefined, {
        style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits,
      })
    } catch {
      format = { format: value => `${value.toFixed(digits)} ${currency}` }
    }
    formats.set(currency, format)
  }
  return format.format(amount / 10 ** digits)
}

const plain = new Intl.NumberFormat()

// number writes what may be a number for people.
export const number = value => (/^\d+$/.test(String(value)) ? plain.format(value) : String(value))

// duration writes a time span, in ms, in at most two units.
export function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000))
  if (s < 60) return `${s} s`
  const m = Math.floor(s / 60)
  if (m < 60) return `${m} min ${String(s % 60).padStart(2, '0')} s`
  const h = Math.floor(m / 60)
  if (h < 48) return `${h} h ${String(m % 60).padStart(2, '0')} min`
  return `${Math.floor(h / 24)} days`
}

// ago writes how long ago something was, in one unit.
export function ago(ms) {
  const s = Math.max(0, Math.floor(ms / 1000))
  if (s < 60) return `${s} s ago`
  if (s < 3600) return `${Math.floor(s / 60)} min ago`
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ago`
  return `${Math.floor(s / 86400)} days ago`
}

// fine writes a short time span, in ms.
export function fine(ms) {
  if (ms < 10) return `${Number(ms.toFixed(1))}\u00a0ms`
  if (ms < 1000) return `${Math.round(ms)}\u00a0ms`
  if (ms < 60000) return `${(ms / 1000).toFixed(1)}\u00a0s`
  return duration(ms)
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const precise = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 })
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' })

// time writes when something was: the time of day, with the day when it was not today.
export function time(iso) {
  const at = new Date(iso)
  return at.toDateString() === new Date(now()).toDateString() ? clock.format(at) : day.format(at)
}

// toTheMillisecond writes a time of day.
export const toTheMillisecond = iso => precise.format(new Date(iso))

const dayOnly = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' })

// dayUnlike writes the day of a time, when it is another than that of before.
export function dayUnlike(iso, before) {
  const at = new Date(iso)
  return at.toDateString() === new Date(before).toDateString() ? '' : dayOnly.format(at)
}

// exact is what stands there on hover: the whole truth, and what the bus says.
export const exact = iso => `${full.format(new Date(iso))}\n${iso}`
