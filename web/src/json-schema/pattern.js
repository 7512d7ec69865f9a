/**
 * The regular expression of a string's value as one of its JSON text. The grammar library puts it between quotes as it
 * is, and a `.` would match the quote that ends the string.
 *
 * What would have to be escaped in JSON is left out of classes, and a pattern without anchors is to match the whole
 * string: every answer fits the pattern, though not everything that fits it can be an answer.
 *
 * @param {string} pattern
 * @returns {string | null} null where it has something that cannot be told in this way
 */
export function jsonPattern(pattern) {
  const tokens = pattern.replace(/^\^/, '').replace(/(?<=(?:^|[^\\])(?:\\\\)*)\$$/, '').match(TOKEN) ?? []
  const parts = tokens.map(inJson)
  return parts.includes(null) ? null : `^(?:${parts.join('')})$`
}

/** A class, an escape, or one character. */
const TOKEN = /\[(?:\\.|[^\]\\])*\]|\\(?:x[\da-f]{2}|u[\da-f]{4}|c[a-z]|.)|[^]/giu

/** Not in a JSON string as they are; the other control characters no token may hold. */
const UNFIT = '"\\\\\\r\\n'

/** @type {Record<string, string>} */
const escapes = {
  '.': `[^${UNFIT}]`, '\\D': `[^0-9${UNFIT}]`, '\\W': `[^0-9A-Za-z_${UNFIT}]`, '\\s': '[ ]',
  '"': '(?:\\\\")', '\\"': '(?:\\\\")', '\\\\': '(?:\\\\\\\\)',
  '\\n': '(?:\\\\n)', '\\r': '(?:\\\\r)', '\\t': '(?:\\\\t)', '\\f': '(?:\\\\f)',
}

/** @param {string} token @returns {string | null} */
function inJson(token) {
  if (Object.hasOwn(escapes, token)) return escapes[token]
  if (token.length > 1 && token[0] === '[') return classInJson(token)
  // Spaces are not of ASCII alone, and the library excludes nothing else.
  if (token === '\\S') return asciiOf(token)
  return /^\\[xucv0]/.test(token) ? null : token
}

/** @param {string} token @returns {string | null} */
function classInJson(token) {
  const plain = /^(?:[\x20-\x7e])*$/.test(token) && !/\\[a-z0]/i.test(token)
  if (token[1] === '^') return plain ? `[^${token.slice(2, -1)}${UNFIT}]` : asciiOf(token)
  const members = token.slice(1, -1).match(/\\?[^](?:-\\?[^])?/gu) ?? []
  if (members.some(member => /\\[a-z0]/i.test(member) && !/^\\[dw]$/.test(member))) return asciiOf(token)
  const kept = members.flatMap(member => {
    const [, low, high = low] = /^(\\?[^])(?:-(\\?[^]))?$/u.exec(member) ?? []
    return /^\\[dw]$/.test(member) ? [member] : without(code(low), code(high))
  })
  return kept.length ? `[${kept.join('')}]` : null
}

/** What a class has of the printable characters of ASCII. @param {string} token @returns {string | null} */
function asciiOf(token) {
  const all = Array.from({ length: 0x7f - 0x20 }, (_, i) => i + 0x20)
  const matched = all.filter(point => new RegExp(token).test(String.fromCharCode(point)))
  return matched.length ? `[${matched.flatMap(point => without(point, point)).join('')}]` : null
}

/** @param {string} character  maybe escaped */
const code = character => /** @type {number} */ (character.codePointAt(character.length > 1 && character[0] === '\\' ? 1 : 0))

/** A range without what is unfit. @param {number} low @param {number} high */
function without(low, high) {
  const ranges = [[0x20, 0x21], [0x23, 0x5b], [0x5d, 0x10ffff]]
  const written = (/** @type {number} */ point) => String.fromCodePoint(point).replace(/[\]^[-]/, '\\$&')
  return ranges
    .map(([from, to]) => [Math.max(from, low), Math.min(to, high)])
    .filter(([from, to]) => from <= to)
    .map(([from, to]) => from === to ? written(from) : `${written(from)}-${written(to)}`)
}
