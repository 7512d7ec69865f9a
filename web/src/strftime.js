/**
 * Dates as C's strftime writes them, in English: templates put today's date into a system prompt.
 */

const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October',
  'November', 'December']
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

/** @param {number} number @param {number} width @param {string} [fill] */
const pad = (number, width, fill = '0') => String(number).padStart(width, fill)

/** @param {Date} date */
const dayOfYear = date =>
  Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 0)) / 864e5)

/** @type {Record<string, (date: Date) => string>} */
const directives = {
  Y: date => String(date.getFullYear()),
  y: date => pad(date.getFullYear() % 100, 2),
  m: date => pad(date.getMonth() + 1, 2),
  B: date => months[date.getMonth()],
  b: date => months[date.getMonth()].slice(0, 3),
  h: date => months[date.getMonth()].slice(0, 3),
  d: date => pad(date.getDate(), 2),
  e: date => pad(date.getDate(), 2, ' '),
  j: date => pad(dayOfYear(date), 3),
  A: date => days[date.getDay()],
  a: date => days[date.getDay()].slice(0, 3),
  H: date => pad(date.getHours(), 2),
  I: date => pad(date.getHours() % 12 || 12, 2),
  p: date => date.getHours() < 12 ? 'AM' : 'PM',
  M: date => pad(date.getMinutes(), 2),
  S: date => pad(date.getSeconds(), 2),
  F: date => strftime(date, '%Y-%m-%d'),
  D: date => strftime(date, '%m/%d/%y'),
  T: date => strftime(date, '%H:%M:%S'),
  R: date => strftime(date, '%H:%M'),
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
}

/**
 * @param {Date} date    written in local time
 * @param {string} format  with "%-d" for a number without its leading zero; an unknown directive stays as it is
 * @returns {string}
 */
export function strftime(date, format) {
  return String(format).replace(/%(-?)([A-Za-z%])/g, (whole, bare, letter) => {
    const written = directives[letter]?.(date)
    if (written === undefined) return whole
    return bare ? written.replace(/^[0 ]+(?=.)/, '') : written
  })
}
