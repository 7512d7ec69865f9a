/**
 * What the cache knows of a download: lines of text that are only ever added to, so that a kill in the middle of a write
 * costs the last line and nothing else.
 *
 *   {"url":...,"chunkBytes":...} 1a2b3c4d      facts, and the beginning of their SHA-256; later ones come over earlier ones
 *   7 <64 hexadecimal digits>                  chunk 7 is there, with this SHA-256
 *
 * A damaged line of facts spoils the entry, a damaged chunk line that chunk: a hash that does not fit its chunk is no
 * different from a chunk that does not fit its hash.
 *
 * @typedef {object} Facts
 * @property {string} url
 * @property {number} chunkBytes
 * @property {string | null} etag
 * @property {string | null} modified
 * @property {number | undefined} total
 * @property {number} updated  ms since 1970
 */

const encoder = new TextEncoder()
const CHECK_DIGITS = 8

/** @param {Uint8Array} bytes @returns {Promise<string>} */
export async function sha256(bytes) {
  const digest = await crypto.subtle.digest('SHA-256', /** @type {Uint8Array<ArrayBuffer>} */ (bytes))
  return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('')
}

/** @param {string} text */
const sha256OfText = text => sha256(encoder.encode(text))

/** Under which name a URL is kept. @param {string} url */
export const keyOf = async url => (await sha256OfText(url)).slice(0, 32)

/** @param {Partial<Facts>} facts */
export async function factsLine(facts) {
  const text = JSON.stringify(facts)
  return `${text} ${(await sha256OfText(text)).slice(0, CHECK_DIGITS)}\n`
}

/** @param {number} chunk @param {string} hash */
export const chunkLine = (chunk, hash) => `${chunk} ${hash}\n`

/**
 * @param {string} text
 * @returns {Promise<{ facts: Facts, hashes: Map<number, string> } | null>} null where nothing can be made of it
 */
export async function parseLog(text) {
  /** @type {Map<number, string>} */
  const hashes = new Map()
  /** @type {any} */
  let facts = null
  const lines = text.split('\n')
  lines.pop()                                           // empty, or cut off
  for (const line of lines) {
    const chunk = /^(\d{1,9}) ([0-9a-f]{64})$/.exec(line)
    if (chunk) hashes.set(Number(chunk[1]), chunk[2])
    if (!line.startsWith('{')) continue
    const json = line.slice(0, -CHECK_DIGITS - 1)
    if ((await sha256OfText(json)).slice(0, CHECK_DIGITS) !== line.slice(-CHECK_DIGITS)) return null
    facts = { ...facts, ...JSON.parse(json) }
  }
  return facts?.url && facts.chunkBytes > 0 ? { facts, hashes } : null
}

/**
 * Bytes of a chunk; the last one is shorter.
 *
 * @param {{ chunkBytes: number, total?: number }} facts
 * @param {number} chunk
 */
export const chunkLength = ({ chunkBytes, total = Infinity }, chunk) =>
  Math.max(0, Math.min(chunkBytes, total - chunk * chunkBytes))

/**
 * How much of an entry is there, by its own account.
 *
 * @param {Facts} facts
 * @param {Map<number, string>} hashes
 */
export function keptBytes(facts, hashes) {
  let sum = 0
  for (const chunk of hashes.keys()) sum += chunkLength(facts, chunk)
  return sum
}
