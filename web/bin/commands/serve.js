import { once } from 'node:events'
import path from 'node:path'
import process from 'node:process'
import { IteraError } from '../../src/errors.js'
import { loadModel, printJson } from '../io.js'
import { count, modelOptions, noMore, required, threadsUsage } from '../options.js'
import { apiRoutes } from '../serve/api.js'
import { ModelHolder } from '../serve/holder.js'
import { createHttpServer, isLoopback } from '../serve/http.js'
import { Metrics } from '../serve/metrics.js'
import { Queue } from '../serve/queue.js'
import { UsageError } from '../usage.js'

export const usage = `
usage: itera serve -m MODEL [options]

Answers HTTP requests in OpenAI's form, for this machine alone unless --host says otherwise. Any client of that API
works with http://127.0.0.1:8000/v1 as its base URL and any key.

  POST /v1/chat/completions, /v1/completions   stream, n, stop, seed, logprobs, response_format, tools, ...
  GET  /v1/models, /health, /metrics           the last one for Prometheus

  -m, --model MODEL         GGUF file or URL
  --port N                  (8000; 0: any that is free)
  --host ADDRESS            (127.0.0.1; 0.0.0.0: other machines may ask too)
  --api-key KEY             ask for this key; or set ITERA_API_KEY
  --cors ORIGIN             pages from there may ask, * for any; may be given several times
  --name NAME               what the model is called (the name of its file)
  --parallel N              requests at work at once, in turns of a token (4)
  --queue N                 requests that may wait (64); clients take turns, told apart by key and by 'user'
  --cache-mib N             memory for states of earlier prompts, which later ones then need not read again (128)
  --body-mib N              largest request (8)
  --grace SECONDS           how long answers under way may take when the server is told to end (10)
  --simd VARIANT            scalar, simd128 or relaxed; otherwise the fastest that can run
  ${threadsUsage}
  --log                     a line on stderr for each request
  --json                    print { url, model } when ready

response_format (JSON schemas, grammars, regular expressions) needs: npm install @mlc-ai/web-xgrammar
Ctrl-C lets answers under way come to their end; a second one does not.`

export const options = {
  ...modelOptions,
  port: { type: 'string' },
  host: { type: 'string' },
  'api-key': { type: 'string' },
  cors: { type: 'string', multiple: true },
  name: { type: 'string' },
  parallel: { type: 'string' },
  queue: { type: 'string' },
  'cache-mib': { type: 'string' },
  'body-mib': { type: 'string' },
  grace: { type: 'string' },
  log: { type: 'boolean' },
}

const MIB = 1 << 20

/** How long clients may take to hear that their answer was cut off, in ms. */
const LAST_WORDS = 1000

/** @param {import('../options.js').Values} values @param {string[]} positionals */
export async function run(values, positionals) {
  noMore(positionals)
  const { host = '127.0.0.1' } = values
  if (values['api-key'] === '') throw new UsageError('--api-key is empty')
  const apiKey = values['api-key'] ?? (process.env.ITERA_API_KEY || undefined)
  const port = count(values, 'port', 8000)
  const cacheBytes = count(values, 'cache-mib', 128) * MIB
  const grace = count(values, 'grace', 10)
  const queue = new Queue({ slots: count(values, 'parallel', 4, 1), limit: count(values, 'queue', 64) })
  const metrics = new Metrics()
  const source = required(values, 'model', '-m MODEL')
  const id = values.name ?? path.basename(source.split(/[?#]/)[0]).replace(/\.gguf$/, '')
  const bodyLimit = count(values, 'body-mib', 8, 1) * MIB
  const holder = await ModelHolder.load(async () => {
    const model = await loadModel(values)
    model.openai.cacheBytes = cacheBytes
    return model
  }, line => process.stderr.write(`itera: ${line}\n`))
  let closing = false

  const routes = apiRoutes({
    id, queue, metrics,
    model: () => holder.model,
    state: () => closing ? 'shutting down' : holder.ready ? 'ok' : 'loading',
  })
  const { server, abortAll } = createHttpServer(routes, {
    host, apiKey, bodyLimit, cors: values.cors ?? [],
    onLeft: () => { metrics.aborted++ },
    onAnswer: (route, status, { request, started }) => {
      metrics.request(route, status)
      const ms = (performance.now() - started).toFixed(0)
      if (values.log) process.stderr.write(`${request.method} ${request.url} ${status} ${ms} ms\n`)
      void holder.check()
    },
  })
  try {
    const url = await listen(server, port, host)
    if (values.json) printJson({ url, model: id })
    else process.stderr.write(`${id} answers at ${url}\n`)
    if (!isLoopback(host) && apiKey === undefined) {
      process.stderr.write('Anybody who can reach this machine can ask: there is no --api-key.\n')
    }
    await interrupted()
    closing = true
    queue.close()
    const ended = once(server, 'close')
    server.close()
    server.closeIdleConnections()
    // A client that neither finishes its request nor reads its answer would keep the server for ever.
    const giveUp = () => server.closeAllConnections()
    const timers = [setTimeout(abortAll, grace * 1000), setTimeout(giveUp, grace * 1000 + LAST_WORDS)]
    interrupted().then(giveUp)
    await ended
    timers.forEach(clearTimeout)
  } finally {
    server.closeAllConnections()
    holder.dispose()
  }
  return 0
}

/**
 * @param {import('node:http').Server} server
 * @param {number} port
 * @param {string} host
 * @returns {Promise<string>} the address
 */
async function listen(server, port, host) {
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw new IteraError('network', `cannot listen: ${/** @type {Error} */ (cause).message}`, { cause })
  }
  const { address, port: actual } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return `http://${address.includes(':') ? `[${address}]` : address}:${actual}`
}

/** Ctrl-C, or a service manager. @returns {Promise<void>} */
function interrupted() {
  return new Promise(resolve => {
    const end = () => {
      process.off('SIGINT', end).off('SIGTERM', end)
      resolve()
    }
    process.on('SIGINT', end).on('SIGTERM', end)
  })
}
