/**
 * HTTP around the routes: who may ask, in which form, and what goes back when something is wrong. Nothing but node:http.
 *
 * @typedef {import('node:http').IncomingMessage} IncomingMessage
 * @typedef {import('node:http').ServerResponse} ServerResponse
 *
 * @typedef {object} Call
 * @property {IncomingMessage} request
 * @property {ServerResponse} response
 * @property {string[]} params  what stood in the route's places
 * @property {AbortSignal} signal  aborted when the client leaves or the server gives up
 * @property {number} started
 * @property {() => Promise<any>} json  the body
 *
 * @typedef {object} Route
 * @property {string} method
 * @property {string} path  a segment in braces stands for any
 * @property {boolean} [open]  needs no key
 * @property {(call: Call) => Promise<void> | void} run
 *
 * @typedef {object} HttpOptions
 * @property {string} host
 * @property {string} [apiKey]
 * @property {string[]} cors  origins of pages that may ask; '*' is any
 * @property {number} bodyLimit  bytes
 * @property {(route: string, status: number, call: Call) => void} onAnswer
 * @property {() => void} onLeft  a client went away before its answer was complete
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { HttpError, toHttpError } from './errors.js'

/** @param {string} host */
export const isLoopback = host => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

/**
 * @param {Route[]} routes
 * @param {HttpOptions} options
 */
export function createHttpServer(routes, options) {
  /** What is under way, to be given up in the end. @type {Set<AbortController>} */
  const calls = new Set()
  const server = createServer((request, response) => {
    const controller = new AbortController()
    calls.add(controller)
    response.on('close', () => {
      calls.delete(controller)
      if (response.writableFinished) return
      options.onLeft()
      controller.abort()
    })
    void answer(routes, options, request, response, controller.signal)
  })
  return { server, abortAll: () => { for (const call of calls) call.abort() } }
}

/**
 * @param {Route[]} routes
 * @param {HttpOptions} options
 * @param {IncomingMessage} request
 * @param {ServerResponse} response
 * @param {AbortSignal} signal
 */
async function answer(routes, options, request, response, signal) {
  /** @type {Call} */
  const call = {
    request, response, signal, params: [], started: performance.now(),
    json: () => readJson(request, options.bodyLimit),
  }
  let name = 'other'
  try {
    response.setHeader('x-request-id', `req_${randomUUID()}`)
    checkHost(request, options)
    if (allowPage(request, response, options) && request.method === 'OPTIONS') return void response.writeHead(204).end()
    const { route, params } = findRoute(routes, request)
    name = route.path
    call.params = params
    if (!route.open) checkKey(request, options)
    await route.run(call)
  } catch (thrown) {
    sendError(response, toHttpError(thrown))
  } finally {
    options.onAnswer(name, response.statusCode, call)
  }
}

/**
 * An error as the answer; within a stream as its last event, as clients expect.
 *
 * @param {ServerResponse} response
 * @param {HttpError} error
 */
function sendError(response, error) {
  if (response.headersSent && response.destroyed) return          // an end would make it look like a whole answer
  if (response.headersSent) return void response.end(`data: ${JSON.stringify(error.body)}\n\n`)
  for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value)
  sendJson(response, error.status, error.body)
}

/** @param {ServerResponse} response @param {number} status @param {unknown} body */
export function sendJson(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body))
}

/** @param {Route[]} routes @param {IncomingMessage} request */
function findRoute(routes, request) {
  const segments = (request.url ?? '/').split('?')[0].split('/')
  const matching = routes.flatMap(route => {
    const wanted = route.path.split('/')
    const isPlace = (/** @type {number} */ i) => wanted[i].startsWith('{')
    const fits = wanted.length === segments.length && wanted.every((part, i) => part === segments[i] || isPlace(i))
    return fits ? [{ route, params: segments.filter((_, i) => isPlace(i)).map(decoded) }] : []
  })
  if (!matching.length) throw new HttpError(404, 'unknown_url', `there is nothing at ${request.method} ${request.url}`)
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const found = matching.find(({ route }) => route.method === method)
  if (found) return found
  const allow = matching.map(({ route }) => route.method).join(', ')
  throw new HttpError(405, 'method_not_allowed', `${request.url} takes ${allow}`, { headers: { allow } })
}

/** @param {string} segment  of a path; as it is where it cannot be decoded */
function decoded(segment) {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

// ---- Who may ask

/**
 * A name server that points a stranger's domain at this machine would let that page ask here: on loopback, only names of
 * this machine are answered.
 *
 * @param {IncomingMessage} request
 * @param {HttpOptions} options
 */
function checkHost({ headers }, { host }) {
  if (!isLoopback(host)) return
  const name = /^(?:\[(.*)\]|([^:]*))(?::\d+)?$/.exec(headers.host ?? '')
  if (isLoopback(name?.[1] ?? name?.[2] ?? '')) return
  throw new HttpError(403, 'wrong_host', `this server is for this machine; it does not answer as ${headers.host}`)
}

/**
 * @param {IncomingMessage} request
 * @param {HttpOptions} options
 */
function checkKey({ headers }, { apiKey }) {
  if (apiKey === undefined) return
  const digest = (/** @type {string} */ text) => createHash('sha256').update(text).digest()
  const given = /^Bearer (.*)$/i.exec(headers.authorization ?? '')?.[1] ?? ''
  if (timingSafeEqual(digest(given), digest(apiKey))) return
  throw new HttpError(401, 'invalid_api_key', 'the API key is missing or wrong',
    { headers: { 'www-authenticate': 'Bearer' } })
}

/**
 * Lets pages of other origins read the answer, where that was asked for. Without, a browser keeps them from it, and from
 * sending JSON at all.
 *
 * @param {IncomingMessage} request
 * @param {ServerResponse} response
 * @param {HttpOptions} options
 * @returns {boolean}
 */
function allowPage({ headers }, response, { cors }) {
  const { origin } = headers
  if (!origin || !(cors.includes('*') || cors.includes(origin))) return false
  const allow = (/** @type {string} */ what, /** @type {string} */ value) =>
    response.setHeader(`access-control-${what}`, value)
  allow('allow-origin', cors.includes('*') ? '*' : origin)
  allow('allow-methods', 'GET, POST')
  allow('allow-headers', headers['access-control-request-headers'] ?? 'authorization, content-type')
  allow('expose-headers', 'x-request-id, retry-after')
  allow('max-age', '600')
  if (headers['access-control-request-private-network']) allow('allow-private-network', 'true')
  response.setHeader('vary', 'origin')
  return true
}

// ---- Bodies

/**
 * @param {IncomingMessage} request
 * @param {number} limit
 */
async function readJson(request, limit) {
  // A page may send other types anywhere without asking first.
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new HttpError(415, 'wrong_content_type', 'the body must be application/json')
  }
  const tooLarge = () => {
    request.resume()                                    // a client that still sends would not see the answer
    return new HttpError(413, 'body_too_large', `the body is larger than ${limit} bytes`)
  }
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge()
  const pieces = []
  let bytes = 0
  // Not destroyed in the middle: the client is told why.
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    bytes += piece.length
    if (bytes > limit) throw tooLarge()
    pieces.push(piece)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces)))
  } catch (error) {
    throw new HttpError(400, 'invalid_json', `the body is not JSON: ${/** @type {Error} */ (error).message}`)
  }
}
