/**
 * A file server that does what it is told, right or wrong, and writes down every byte it sends.
 *
 * @typedef {object} Step  what to do with one request; nothing: answer it well
 * @property {number} [status]  answer with this, and nothing else
 * @property {Record<string, string>} [headers]  over the right ones; '' leaves one out
 * @property {number} [cutAfter]  bytes of the body, then the connection breaks
 * @property {number} [stallAfter]  bytes of the body, then silence
 * @property {number} [endAfter]  bytes of the body, then an end as if that were all
 * @property {boolean} [whole]  no ranges this time
 * @property {number} [delay]  ms before the answer
 *
 * @typedef {object} ServedFile
 * @property {Uint8Array} bytes
 * @property {string} [etag]
 * @property {string} [modified]
 * @property {boolean} [ranges]  default true
 * @property {boolean} [lengthless]  no Content-Length
 * @property {Step[]} [script]  one for each request, in turn
 * @property {Step} [always]  for each request behind those
 *
 * @typedef {{ path: string, method: string, headers: Record<string, any>, status: number, start: number, sent: number }} Logged
 */
import { createServer } from 'node:http'

const PIECE = 16 << 10

const CORS = {
  'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin',
  'Access-Control-Expose-Headers': 'ETag, Content-Range',
}

/** @param {string | undefined} header @param {number} size */
function parseRange(header, size) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '')
  if (!match) return null
  return { start: Number(match[1]), end: match[2] ? Math.min(Number(match[2]) + 1, size) : size }
}

/** @param {{ fallback?: (request: any, response: any) => void }} [options]  fallback: answers what is no file here */
export async function hostileServer({ fallback } = {}) {
  /** @type {Map<string, ServedFile>} */
  const files = new Map()
  /** @type {Logged[]} */
  const log = []
  /** Called when so many more bytes were sent. @type {{ bytes: number, hold: boolean, act: (cut: () => void) => void } | null} */
  let trap = null

  /** @param {any} request @param {any} response @param {ServedFile} file */
  async function answer(request, response, file) {
    const { bytes, etag, modified, ranges = true } = file
    const step = file.script?.shift() ?? file.always ?? {}
    /** @type {Logged} */
    const entry = { path: request.url, method: request.method, headers: request.headers, status: step.status ?? 200, start: 0, sent: 0 }
    log.push(entry)
    if (step.delay) await new Promise(resolve => setTimeout(resolve, step.delay))
    if (step.status) return response.writeHead(step.status, { ...CORS, ...step.headers }).end('no\n')

    const ifRange = request.headers['if-range']
    const same = ifRange === undefined || ifRange === etag || ifRange === modified
    const range = ranges && !step.whole && same ? parseRange(request.headers.range, bytes.length) : null
    if (range && range.start >= bytes.length) {
      entry.status = 416
      return response.writeHead(416, { ...CORS, 'Content-Range': `bytes */${bytes.length}` }).end()
    }
    const { start, end } = range ?? { start: 0, end: bytes.length }
    entry.start = start
    entry.status = range ? 206 : 200
    /** @type {Record<string, any>} */
    const headers = {
      ...CORS,
      'Content-Type': 'application/octet-stream',
      ...file.lengthless ? {} : { 'Content-Length': end - start },
      ...ranges ? { 'Accept-Ranges': 'bytes' } : {},
      ...etag ? { ETag: etag } : {},
      ...modified ? { 'Last-Modified': modified } : {},
      ...range ? { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` } : {},
      ...step.headers,
    }
    for (const [name, value] of Object.entries(headers)) if (value === '') delete headers[name]
    response.writeHead(entry.status, headers)
    const stopAt = Math.min(end, start + Math.min(step.cutAfter ?? Infinity, step.stallAfter ?? Infinity, step.endAfter ?? Infinity))
    for (let at = start; at < stopAt && !response.destroyed;) {
      const piece = bytes.subarray(at, Math.min(at + PIECE, stopAt, trap ? at + trap.bytes : Infinity))
      at += piece.length
      entry.sent += piece.length
      response.write(piece)
      if (trap && (trap.bytes -= piece.length) <= 0) {
        const { act, hold } = trap
        trap = null
        if (hold) {
          act(() => response.destroy())
          return
        }
        // What was written shall leave before the connection goes, or else nothing would ever arrive.
        await new Promise(resolve => setTimeout(resolve, 2))
        act(() => response.destroy())
      }
      if (response.writableNeedDrain && !response.destroyed) {
        await new Promise(resolve => {
          const go = () => {
            response.off('drain', go).off('close', go)
            resolve(undefined)
          }
          response.on('drain', go).on('close', go)
        })
      } else if (at % (4 * PIECE) === 0) await new Promise(resolve => setImmediate(resolve))
    }
    if (step.cutAfter !== undefined) await new Promise(resolve => setTimeout(resolve, 20))
    if (step.cutAfter !== undefined) return response.destroy()
    if (step.stallAfter === undefined) response.end()
  }

  const server = createServer((request, response) => {
    const file = files.get(/** @type {string} */ (request.url))
    if (file) void answer(request, response, file)
    else if (fallback) fallback(request, response)
    else response.writeHead(404, CORS).end()
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    url: `http://127.0.0.1:${port}`,
    files,
    log,
    /**
     * @param {number} bytes
     * @param {(cut: () => void) => void} act
     * @param {{ hold?: boolean }} [options]  hold: nothing more comes on that connection
     */
    after(bytes, act, { hold = false } = {}) { trap = { bytes, act, hold } },
    disarm() { trap = null },
    /** Nobody comes through any more. @returns {Promise<void>} */
    close: () => new Promise(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

/** The same bytes for the same seed. @param {number} length @param {number} seed */
export function noise(length, seed) {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = seed | 1
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return new Uint8Array(words.buffer, 0, length)
}

/**
 * How often a byte was sent again, beyond the first time: by request, what lies before the furthest that was sent.
 *
 * @param {Logged[]} log
 * @returns {number[]}
 */
export function sentAgain(log) {
  let furthest = 0
  return log.map(({ start, sent }) => {
    const again = Math.max(0, Math.min(start + sent, furthest) - start)
    furthest = Math.max(furthest, start + sent)
    return again
  })
}
