// A static file server for development and tests, without dependencies. It lays the repository out as a
// static host would: the page at / (and at /demo/), the package beside it at /web/, models at /models/.
//
//   node demo/serve.mjs [--port 8080]
//
// The next free port is taken when the wished one is not free. Range requests are answered, so downloads
// can resume, and the isolation headers are sent that shared memory (threads) needs.

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { precacheOfDisk, VENDOR } from './site.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const host = '127.0.0.1'

/** First folders of a URL path and what they show; '' is everything else. */
const MOUNTS = {
  demo: path.join(root, 'demo'),
  web: path.join(root, 'web'),
  models: path.join(root, 'models'),
  '': path.join(root, 'demo'),
}

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm', // streaming compilation insists on it
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.gguf': 'application/octet-stream',
}

const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache', // ask each time; the ETag makes that cheap
}

/**
 * The file a request path names, or undefined when it names nothing we serve.
 * @param {string} pathname percent-encoded path of the URL
 * @param {Record<string, string>} mounts
 * @returns {string | undefined}
 */
export function resolvePath(pathname, mounts = MOUNTS) {
  let decoded
  try {
    decoded = decodeURIComponent(pathname)
  } catch {
    return undefined
  }
  // Each part is looked at by itself, so no encoding of '..' can climb out of a mount.
  const parts = decoded.split('/').filter(part => part !== '')
  if (parts.some(part => part.startsWith('.') || /[\\\0]/.test(part))) return undefined
  const mounted = parts.length > 0 && Object.hasOwn(mounts, parts[0])
  const folder = mounted ? mounts[parts[0]] : mounts['']
  return path.join(folder, ...(mounted ? parts.slice(1) : parts))
}

/**
 * The byte range a Range header asks for: undefined for the whole file, null when it lies outside.
 * Several ranges at once are answered with the whole file, as HTTP allows.
 * @param {string | undefined} header
 * @param {number} size
 */
export function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  let start
  let end = size - 1
  if (match[1] === '') {
    start = Math.max(0, size - Number(match[2])) // the last so many bytes
    if (match[2] === '0') return null
  } else {
    start = Number(match[1])
    if (match[2] !== '') {
      if (Number(match[2]) < start) return undefined
      end = Math.min(end, Number(match[2]))
    }
  }
  return start < size ? { start, end } : null
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 * @param {Record<string, string>} mounts
 * @param {Record<string, string>} always headers of every answer
 */
async function answer(request, response, mounts, always) {
  const fail = (status, headers = {}) => {
    response.writeHead(status, { ...always, 'Content-Type': 'text/plain; charset=utf-8', ...headers })
    response.end(request.method === 'HEAD' ? undefined : `${status}\n`)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return fail(405, { Allow: 'GET, HEAD' })

  // Not parsed as a URL: that would resolve '..' before resolvePath can refuse it.
  const [pathname, query] = /** @type {string} */ (request.url).split(/\?(.*)/s)
  const ours = mounts[''] === MOUNTS['']
  if (ours && pathname === '/precache.js') {
    response.writeHead(200, { ...always, 'Content-Type': TYPES['.js'] })
    return response.end(await precacheOfDisk())
  }
  let file = ours && VENDOR[pathname.replace(/^\/(demo\/)?/, '')] || resolvePath(pathname, mounts)
  let info = file && await stat(file).catch(() => undefined)
  if (file && info?.isDirectory()) {
    // Relative links only work below a slash.
    if (!pathname.endsWith('/')) return fail(301, { Location: `${pathname}/${query ? `?${query}` : ''}` })
    file = path.join(file, 'index.html')
    info = await stat(file).catch(() => undefined)
  }
  if (!file || !info?.isFile()) return fail(404)

  const etag = `"${info.size.toString(36)}-${Math.round(info.mtimeMs).toString(36)}"`
  const headers = {
    ...always,
    'Content-Type': TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream',
    'Accept-Ranges': 'bytes',
    'Last-Modified': info.mtime.toUTCString(),
    ETag: etag,
  }
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers)
    return response.end()
  }
  // A download resumed after the file changed must start over.
  const ifRange = request.headers['if-range']
  const sameFile = ifRange === undefined || ifRange === etag || ifRange === headers['Last-Modified']
  const range = sameFile ? parseRange(request.headers.range, info.size) : undefined
  if (range === null) return fail(416, { 'Content-Range': `bytes */${info.size}` })

  const { start, end } = range ?? { start: 0, end: info.size - 1 }
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'Content-Length': end - start + 1,
    ...range && { 'Content-Range': `bytes ${start}-${end}/${info.size}` },
  })
  if (request.method === 'HEAD' || info.size === 0) return response.end()
  await pipeline(createReadStream(file, { start, end }), response)
}

/**
 * Starts the server.
 * @param {object} [options]
 * @param {number} [options.port] wished port; 0 takes any free one
 * @param {Record<string, string>} [options.mounts] more folders to show, by first path part
 * @param {boolean} [options.isolate] false: as a host that cannot send the headers threads need
 * @param {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => void} [options.onAnswer]
 *   told of each answer once it is sent
 * @returns {Promise<{ url: string, port: number, close: () => Promise<void> }>}
 */
export async function serve({ port = 8080, mounts = {}, isolate = true, onAnswer } = {}) {
  const all = { ...MOUNTS, ...mounts }
  const always = isolate ? HEADERS : { 'Cache-Control': HEADERS['Cache-Control'] }
  const server = createServer((request, response) => {
    if (onAnswer) response.on('close', () => onAnswer(request, response))
    answer(request, response, all, always).catch(error => {
      // A reader who goes away in the middle of a download is no error of ours.
      if (response.headersSent) return response.destroy()
      response.writeHead(500, always)
      response.end(`500 ${error.message}\n`)
    })
  })
  for (let candidate = port; ; candidate += 1) {
    try {
      await new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(candidate, host, () => {
          server.off('error', reject)
          resolve(undefined)
        })
      })
      break
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || candidate >= port + 100 || candidate >= 65535) throw error
    }
  }
  const bound = /** @type {import('node:net').AddressInfo} */ (server.address()).port
  return {
    url: `http://${host}:${bound}`,
    port: bound,
    close: () => new Promise(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf('--port')
  const port = at < 0 ? 8080 : Number(process.argv[at + 1])
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    console.error('usage: node demo/serve.mjs [--port 8080]')
    process.exit(1)
  }
  const { url } = await serve({ port })
  console.log(`Itera-Lite is at ${url}/ (Ctrl-C stops)`)
}
