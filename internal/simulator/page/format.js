// How amounts and times are written, for the viewer's language and zone.

const formats = new Map();

// money writes an amount in the smallest unit of a currency that has so many
// digits (ISO 4217; not every browser's own table agrees with it).
export function money(amount, currency, digits) {
  const key = `${currency}/${digits}`;
  let format = formats.get(key);
  if (!format) {
    try {
      format = new Intl.NumberFormat(undefined, {
        style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits,
      });
    } catch {
      format = new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    }
    formats.set(key, format);
  }
  return format.format(amount / 10 ** digits);
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 });
const plainClock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

// withDay puts the day before a time of day that is not today's.
function withDay(format, at) {
  const text = format.format(at);
  return at.toDateString() === new Date().toDateString() ? text : `${day.format(at)}, ${text}`;
}

export function time(iso) {
  return withDay(clock, new Date(iso));
}

export function plainTime(date) {
  return withDay(plainClock, date);
}

// exactly is what stands in a tooltip: the viewer's time, and UTC as it was sent.
export function exactly(iso) {
  return `${exact.format(new Date(iso))}\n${iso}`;
}

// words turns a name such as drop_stream into words.
export function words(name) {
  return name.replaceAll('_', ' ');
}

export function sentence(name) {
  const text = words(name);
  return text.charAt(0).toUpperCase() + text.slice(1);
}
