import { chooseCache } from '../cache/store.js'
import { IteraError } from '../errors.js'

/**
 * How a file is fetched and kept, checked on the main thread and complete, as the worker gets it.
 *
 * @typedef {object} Transfer
 * @property {Record<string, string>} [headers]
 * @property {import('../cache/store.js').CacheChoice} [cache]  nothing is kept without
 * @property {boolean} revalidate
 * @property {import('./remote.js').Patience} patience
 * @property {number} chunkBytes
 * @property {number} [requestBytes]
 */

/** Name, default, least and most. */
const numbers = /** @type {const} */ ({
  retries: [6, 0, 1000],
  retryDelay: [500, 1, 60_000],
  stallTimeout: [30_000, 10, 2 ** 31 - 1],
  chunkBytes: [1 << 20, 1 << 12, 1 << 26],
  requestBytes: [undefined, 1 << 12, Number.MAX_SAFE_INTEGER],
})

/** For what is read once and needs no keeping. @type {Transfer} */
export const plainTransfer = completeTransfer({ cache: false })

/**
 * @param {import('../../types.d.ts').DownloadOptions} options
 * @returns {Transfer}
 */
export function completeTransfer({ headers, revalidate = false, ...options }) {
  const value = (/** @type {keyof typeof numbers} */ name) => checkNumber(name, options[name] ?? numbers[name][0])
  checkHeaders(headers)
  return {
    headers,
    cache: chooseCache(options),
    revalidate,
    patience: {
      retries: /** @type {number} */ (value('retries')),
      retryDelay: /** @type {number} */ (value('retryDelay')),
      stallTimeout: /** @type {number} */ (value('stallTimeout')),
    },
    chunkBytes: /** @type {number} */ (value('chunkBytes')),
    requestBytes: value('requestBytes'),
  }
}

/** What can be no header would look like a network that fails. @param {Record<string, string> | undefined} headers */
function checkHeaders(headers) {
  if (headers === undefined) return                     // where a platform has no Headers, importing this is no error
  try {
    new Headers(headers)
  } catch (error) {
    throw new IteraError('argument', `headers cannot be sent: ${/** @type {Error} */ (error).message}`, { cause: error })
  }
}

/** @param {keyof typeof numbers} name @param {number | undefined} value */
function checkNumber(name, value) {
  const [, least, most] = numbers[name]
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return value
  throw new IteraError('argument', `${name} must be a whole number from ${least} to ${most}; got ${value}`)
}
