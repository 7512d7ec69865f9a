/**
 * The routes: the OpenAI interface of one model over HTTP.
 *
 * @typedef {import('./http.js').Call} Call
 * @typedef {import('./http.js').Route} Route
 * @typedef {import('../../src/model.js').Model} Model
 */
import { once } from 'node:events'
import { HttpError } from './errors.js'
import { sendJson } from './http.js'

/**
 * @param {object} service
 * @param {string} service.id  what the model is called here
 * @param {() => Model} service.model  throws while there is none
 * @param {import('./queue.js').Queue} service.queue
 * @param {import('./metrics.js').Metrics} service.metrics
 * @param {() => 'ok' | 'loading' | 'shutting down'} service.state
 * @param {number} [service.stall]  how long a client may take to read what was written, in ms, before it is given up
 * @returns {Route[]}
 */
export function apiRoutes({ id, model, queue, metrics, state, stall = 60_000 }) {
  const created = Math.floor(Date.now() / 1000)
  const card = () => ({ id, object: 'model', created, owned_by: 'itera-lite', meta: model().info })

  /**
   * @param {Call} call
   * @param {(body: any, options: { signal: AbortSignal }) => Promise<any>} create
   */
  async function complete(call, create) {
    const body = await call.json()
    const release = await queue.enter(clientOf(call, body), call.signal)
    try {
      const answer = await create(withUsage(body), { signal: call.signal })
      if (body.stream) await stream(call, answer, body.stream_options?.include_usage === true)
      else {
        metrics.firstToken.observe(since(call))
        metrics.usage(answer.usage)
        sendJson(call.response, 200, { ...answer, model: id })
      }
      metrics.duration.observe(since(call))
    } finally {
      release()
    }
  }

  /**
   * @param {Call} call
   * @param {AsyncIterable<any>} chunks
   * @param {boolean} showUsage
   */
  async function stream(call, chunks, showUsage) {
    const { response, signal } = call
    let begun = false
    for await (const { usage, ...chunk } of chunks) {
      // Only now: what is wrong with the request is told before the first chunk, and has a status of its own.
      if (!begun) {
        metrics.firstToken.observe(since(call))
        response.writeHead(200, {
          'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-accel-buffering': 'no',
        })
        begun = true
      }
      if (usage) metrics.usage(usage)
      if (usage && !showUsage) continue
      const event = { ...chunk, model: id, ...showUsage && { usage } }
      if (!response.write(`data: ${JSON.stringify(event)}\n\n`)) {
        const stalled = AbortSignal.timeout(stall)
        await once(response, 'drain', { signal: AbortSignal.any([signal, stalled]) }).catch(error => {
          if (stalled.aborted) response.destroy()       // it would not read about the end either
          throw error
        })
      }
    }
    if (signal.aborted) throw new HttpError(503, 'shutting_down', 'the answer was cut off')
    response.end('data: [DONE]\n\n')
  }

  return [
    { method: 'GET', path: '/health', open: true, run: ({ response }) => {
      const now = state()
      sendJson(response, now === 'ok' ? 200 : 503, { status: now })
    } },
    { method: 'GET', path: '/metrics', run: async ({ response }) => {
      const ready = state() === 'ok'
      const text = metrics.text({
        running: queue.running, waiting: queue.waiting, ready, memoryBytes: ready ? await model().memoryBytes() : 0,
      })
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text)
    } },
    { method: 'GET', path: '/v1/models', run: ({ response }) => {
      sendJson(response, 200, { object: 'list', data: [card()] })
    } },
    { method: 'GET', path: '/v1/models/{model}', run: ({ response, params: [name] }) => {
      if (name === id) return sendJson(response, 200, card())
      throw new HttpError(404, 'model_not_found', `there is no model '${name}' here, only '${id}'`, { param: 'model' })
    } },
    { method: 'POST', path: '/v1/chat/completions',
      run: call => complete(call, (body, options) => model().openai.chat.completions.create(body, options)) },
    { method: 'POST', path: '/v1/completions',
      run: call => complete(call, (body, options) => model().openai.completions.create(body, options)) },
  ]
}

/** @param {Call} call  in seconds */
const since = ({ started }) => (performance.now() - started) / 1000

/**
 * Streams tell the server what they used, whether or not the client wants to know. What is wrong stays as it is, to be
 * refused.
 *
 * @param {any} body
 */
function withUsage(body) {
  const options = body?.stream_options ?? {}
  if (body?.stream !== true || typeof options !== 'object' || (options.include_usage ?? false) !== false) return body
  return { ...body, stream_options: { ...options, include_usage: true } }
}

/**
 * Whose turn it is. On one machine all share an address, and often a key: a name in the request tells them apart.
 *
 * @param {Call} call
 * @param {any} body
 */
function clientOf({ request }, body) {
  const { authorization = '' } = request.headers
  return JSON.stringify([request.socket.remoteAddress, authorization, typeof body?.user === 'string' ? body.user : ''])
}
