/**
 * Numbers within bounds as a rule of a grammar. The grammar library's own lets 1.7 pass as at most 1, and 3 as at least 4.
 *
 * @typedef {import('./normalize.js').Schema} Schema
 */

/** Decimals at most, unless a bound has more. */
const DECIMALS = 6

/** So many digits a double tells apart: with more a text could be rounded to the other side of a bound. */
const MOST_DIGITS = 15

/**
 * @param {Schema} bounds
 * @returns {string | null} what stands on the right of a rule; null where the bounds cannot be told by a few digits
 */
export function numberRange({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }) {
  const bounds = [minimum, exclusiveMinimum, maximum, exclusiveMaximum].filter(bound => bound !== undefined)
  const texts = bounds.map(String)
  if (!texts.every(text => /^-?\d+(\.\d+)?$/.test(text))) return null
  const before = Math.max(...texts.map(text => text.replace('-', '').split('.')[0].length))
  const needed = Math.max(1, ...texts.map(text => text.split('.')[1]?.length ?? 0))
  if (before + needed > MOST_DIGITS) return null
  const decimals = Math.max(needed, Math.min(DECIMALS, MOST_DIGITS - before))
  // On the grid of these decimals everything is a whole number, and a bound that is excluded is the next one.
  const low = larger(scaled(minimum, decimals), scaled(exclusiveMinimum, decimals, 1n))
  const high = smaller(scaled(maximum, decimals), scaled(exclusiveMaximum, decimals, -1n))
  const choices = []
  if (high === null || high >= 0n) choices.push(...unsigned(low !== null && low > 0n ? low : 0n, high, decimals))
  if (low === null || low < 0n) {
    const negative = unsigned(high !== null && high < 0n ? -high : 0n, low === null ? null : -low, decimals)
    choices.push(...negative.map(choice => `"-" (${choice})`))
  }
  return choices.length ? choices.join(' | ') : null
}

/**
 * Whole numbers.
 *
 * @param {Schema} bounds
 * @returns {string | null}
 */
export function integerRange({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }) {
  const lowest = Math.max(Math.ceil(minimum ?? -Infinity), Math.floor(exclusiveMinimum ?? -Infinity) + 1)
  const highest = Math.min(Math.floor(maximum ?? Infinity), Math.ceil(exclusiveMaximum ?? Infinity) - 1)
  const [low, high] = [lowest, highest].map(bound => Number.isFinite(bound) ? BigInt(bound) : null)
  const choices = high !== null && high < 0n ? [] : whole(low !== null && low > 0n ? low : 0n, high)
  if (low === null || low < 0n) {
    const negative = whole(high !== null && high < 0n ? -high : 1n, low === null ? null : -low)
    choices.push(...negative.map(choice => `"-" (${choice})`))
  }
  return choices.length ? choices.join(' | ') : null
}

/** @param {number | undefined} bound @param {number} decimals @param {bigint} [step] */
function scaled(bound, decimals, step = 0n) {
  if (bound === undefined) return null
  const [whole, fraction = ''] = String(bound).split('.')
  return BigInt(whole + fraction.padEnd(decimals, '0')) + step
}

/** @param {bigint | null} a @param {bigint | null} b */
const larger = (a, b) => a === null ? b : b === null || a > b ? a : b
/** @param {bigint | null} a @param {bigint | null} b */
const smaller = (a, b) => a === null ? b : b === null || a < b ? a : b

/**
 * @param {bigint} low
 * @param {bigint | null} high  null: no bound
 * @param {number} decimals
 * @returns {string[]} choices
 */
function unsigned(low, high, decimals) {
  if (high !== null && low > high) return []
  const unit = 10n ** BigInt(decimals)
  const zeros = '0'.repeat(decimals)
  const nines = '9'.repeat(decimals)
  const fractionOf = (/** @type {bigint} */ value) => String(value % unit).padStart(decimals, '0')
  const first = low / unit
  const last = high === null ? null : high / unit
  if (high !== null && first === last) return withFraction(first, fractionOf(low), fractionOf(high))
  const between = whole(first + 1n, last === null ? null : last - 1n)
  return [
    ...withFraction(first, fractionOf(low), nines),
    ...between.map(choice => `(${choice}) ("." [0-9]{1,${decimals}})?`),
    ...last === null ? [] : withFraction(last, zeros, fractionOf(/** @type {bigint} */ (high))),
  ]
}

/** One whole number with the fractions within bounds. @param {bigint} number @param {string} low @param {string} high */
function withFraction(number, low, high) {
  const fraction = `"${number}." (${firstDigit(low, high, true).join(' | ')})`
  return isAll('0', low) ? [`"${number}"`, fraction] : [fraction]
}

/** @param {bigint} low @param {bigint | null} high @returns {string[]} choices */
function whole(low, high) {
  const choices = []
  let start = low
  for (let length = String(low).length; high === null || length <= String(high).length; length++) {
    const most = 10n ** BigInt(length) - 1n
    if (high === null && length > String(low).length) {
      choices.push(`[1-9] [0-9]{${length - 1},${Math.max(length, MOST_DIGITS) - 1}}`)
      break
    }
    const end = high === null || most < high ? most : high
    if (start <= end) choices.push(...firstDigit(String(start), String(end), false))
    start = most + 1n
  }
  return choices
}

/**
 * Digits from `low` to `high`, which are equally long.
 *
 * @param {string} low
 * @param {string} high
 * @param {boolean} open  fewer digits are welcome: those left out are zeros
 * @returns {string}
 */
function digits(low, high, open) {
  if (!low) return '""'
  if (isAll('0', low) && isAll('9', high)) return `[0-9]{${open ? 0 : low.length},${low.length}}`
  return `(${[...open && isAll('0', low) ? ['""'] : [], ...firstDigit(low, high, open)].join(' | ')})`
}

/** @param {string} low @param {string} high @param {boolean} open @returns {string[]} choices, by their first digit */
function firstDigit(low, high, open) {
  const [lowRest, highRest] = [low.slice(1), high.slice(1)]
  if (low[0] === high[0]) return [`"${low[0]}" ${digits(lowRest, highRest, open)}`]
  const zeros = '0'.repeat(lowRest.length)
  const nines = '9'.repeat(lowRest.length)
  const from = Number(low[0]) + (lowRest === zeros ? 0 : 1)
  const to = Number(high[0]) - (highRest === nines ? 0 : 1)
  return [
    ...lowRest === zeros ? [] : [`"${low[0]}" ${digits(lowRest, nines, open)}`],
    ...from > to ? [] : [`[${from}-${to}] ${digits(zeros, nines, open)}`],
    ...highRest === nines ? [] : [`"${high[0]}" ${digits(zeros, highRest, open)}`],
  ]
}

/** @param {string} digit @param {string} text */
const isAll = (digit, text) => text === digit.repeat(text.length)
