/**
 * What the headers of a server's answer say, as far as they can be believed and, from another origin, be seen.
 *
 * @typedef {object} Version  what tells one state of a file from another; both null where the server does not say
 * @property {string | null} etag
 * @property {string | null} modified
 *
 * @typedef {object} ContentRange
 * @property {number} start
 * @property {number} end  behind the last byte
 * @property {number | undefined} total
 */

/** @param {Response} response @returns {Version} */
export function versionOf({ headers }) {
  return { etag: headers.get('etag'), modified: headers.get('last-modified') }
}

/**
 * Can two answers be about the same bytes? Where nothing tells, they can.
 *
 * @param {Version} a
 * @param {Version} b
 */
export function sameVersion(a, b) {
  if (a.etag !== null && b.etag !== null) return a.etag === b.etag
  if (a.modified !== null && b.modified !== null) return a.modified === b.modified
  return true
}

/** Does one say what the other says? @param {Version} a @param {Version} b */
export const canTell = (a, b) => (a.etag !== null && b.etag !== null) || (a.modified !== null && b.modified !== null)

/** @param {Version} version */
export const isVersioned = ({ etag, modified }) => etag !== null || modified !== null

/** For If-Range, which takes no weak ETag. @param {Version} version */
export const strongVersion = ({ etag, modified }) => etag !== null && !etag.startsWith('W/') ? etag : modified

/**
 * @param {Response} response
 * @returns {ContentRange | null}  null where there is none or none can be seen
 */
export function contentRange({ headers }) {
  const match = /^bytes\s+(\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get('content-range')?.trim() ?? '')
  if (!match) return null
  return { start: Number(match[1]), end: Number(match[2]) + 1, total: match[3] === '*' ? undefined : Number(match[3]) }
}

/** The size that comes with "416 Range Not Satisfiable". @param {Response} response @returns {number | undefined} */
export function unsatisfiedTotal({ headers }) {
  const match = /^bytes\s+\*\/(\d+)$/.exec(headers.get('content-range')?.trim() ?? '')
  return match ? Number(match[1]) : undefined
}

/**
 * Bytes of the body, unless it is encoded: then the header counts other bytes than those that arrive here.
 *
 * @param {Response} response
 * @returns {number | undefined}
 */
export function contentLength({ headers }) {
  const encoding = headers.get('content-encoding')
  const length = headers.get('content-length')
  if (length === null || !/^\d+$/.test(length) || (encoding && encoding !== 'identity')) return undefined
  return Number(length)
}

/** Milliseconds that the server asks to wait. @param {Response} response @returns {number | undefined} */
export function retryAfter({ headers }) {
  const value = headers.get('retry-after')
  if (value === null) return undefined
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

/** Is it worth asking again? @param {number} status */
export const isPassing = status =>
  status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505)
