import { IteraError } from './errors.js'

/**
 * A URL as a stream of bytes, with errors that say what happened: "not-found" where the server answered
 * that nothing is there, "network" for everything else that can go wrong on the way.
 *
 * @param {string} url
 * @param {{ headers?: Record<string, string>, signal: AbortSignal }} options
 * @returns {Promise<import('./source.js').OpenSource>}
 */
export async function openUrl(url, { headers, signal }) {
  const response = await request(url, headers, signal)
  if (!response.ok) {
    void response.body?.cancel().catch(() => {})
    const gone = response.status === 404 || response.status === 410
    throw new IteraError(gone ? 'not-found' : 'network',
      `${shorten(url)} answered with HTTP status ${response.status} ${response.statusText}`.trimEnd())
  }
  if (!response.body) throw new IteraError('network', `${shorten(url)} answered without a body`)
  return { name: shorten(url), total: totalBytes(response), pieces: bodyPieces(response.body, url, signal) }
}

/**
 * @param {string} url
 * @param {Record<string, string> | undefined} headers
 * @param {AbortSignal} signal
 */
async function request(url, headers, signal) {
  try {
    return await fetch(url, { headers, signal })
  } catch (error) {
    throw networkError(error, url, signal)
  }
}

/**
 * The size as the server states it, unless the body is encoded: then the header counts other bytes than
 * those that arrive here.
 *
 * @param {Response} response
 * @returns {number | undefined}
 */
function totalBytes(response) {
  const encoding = response.headers.get('content-encoding')
  const length = response.headers.get('content-length')
  if (length === null || (encoding && encoding !== 'identity')) return undefined
  return Number(length)
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {AsyncIterable<Uint8Array>}
 */
async function * bodyPieces(body, url, signal) {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch (error) {
    throw networkError(error, url, signal)
  } finally {
    // The consumer may have stopped early: the connection is not left open behind it.
    await reader.cancel().catch(() => {})
  }
}

/**
 * @param {unknown} error
 * @param {string} url
 * @param {AbortSignal} signal
 */
function networkError(error, url, signal) {
  if (error instanceof IteraError) return error
  if (signal.aborted) return new IteraError('aborted', 'loading was aborted')
  const { message, cause } = /** @type {Error} */ (error)
  const detail = cause instanceof Error && cause.message ? cause.message : message
  return new IteraError('network', `${shorten(url)} cannot be read: ${detail}`, { cause: error })
}

/** @param {string} url  data: and blob: URLs can be megabytes long or mean nothing */
function shorten(url) {
  return url.length > 200 ? `${url.slice(0, 100)}...` : url
}
