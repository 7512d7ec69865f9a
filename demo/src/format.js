// Numbers as people read them. Sizes are decimal, as download sizes are everywhere else.

/** @param {number} bytes */
export function bytes(bytes) {
  if (!(bytes >= 0)) return 'unknown size'
  if (bytes < 1000) return `${Math.round(bytes)} B`
  const units = ['kB', 'MB', 'GB']
  let value = bytes / 1000, unit = 0
  while (value >= 999.5 && unit < 2) { value /= 1000; unit++ }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** @param {number} n a count such as parameters: 3.8 M */
export function count(n) {
  if (n < 1e3) return String(Math.round(n))
  if (n < 1e6) return `${trim(n / 1e3)} k`
  if (n < 1e9) return `${trim(n / 1e6)} M`
  return `${trim(n / 1e9)} B`
}

/** @param {number} ms */
export function duration(ms) {
  if (ms < 0.05) return '<0.1 ms'
  if (ms < 9.95) return `${ms.toFixed(1)} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  return `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`
}

/** @param {number} perSecond tokens per second, three figures */
export function rate(perSecond) {
  if (!Number.isFinite(perSecond) || perSecond <= 0) return '–'
  return perSecond < 9.95 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString('en')
}

/** @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = one + 's') => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

/** @param {number} value */
const trim = (value) => String(value < 9.95 ? Math.round(value * 10) / 10 : Math.round(value))
