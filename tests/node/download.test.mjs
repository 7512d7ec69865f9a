// Loading over HTTP from a server that does everything wrong, one thing at a time.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'

import { Itera, IteraError } from '../../web/src/index.js'

const bytes = readFileSync(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))

/** What the server does for each path. @type {Record<string, (request: any, response: any) => void>} */
const routes = {
  '/whole': (_, response) => response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes),
  '/no-length': (_, response) => {
    response.writeHead(200)
    response.write(bytes.subarray(0, 1000))
    response.end(bytes.subarray(1000))
  },
  '/gzip': (_, response) => {
    const packed = gzipSync(bytes, { level: 1 })
    response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': packed.length }).end(packed)
  },
  '/moved': (_, response) => response.writeHead(302, { Location: '/whole' }).end(),
  '/private': (request, response) => {
    const known = request.headers.authorization === 'Bearer key'
    response.writeHead(known ? 200 : 401).end(known ? bytes : 'who are you?')
  },
  '/broken': (_, response) => response.writeHead(500).end('oh no'),
  '/gone': (_, response) => response.writeHead(410).end(),
  '/page': (_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><p>Log in first.'),
  '/empty': (_, response) => response.writeHead(200, { 'Content-Length': 0 }).end(),
  '/short': (_, response) => response.writeHead(200).end(bytes.subarray(0, 2_000_000)),
  '/cut': (_, response) => {
    response.writeHead(200, { 'Content-Length': bytes.length })
    response.write(bytes.subarray(0, 2_000_000), () => setTimeout(() => response.destroy(), 50))
  },
  '/stalled': (_, response) => {
    response.writeHead(200, { 'Content-Length': bytes.length })
    response.write(bytes.subarray(0, 2_000_000))
  },
}

describe('loading over HTTP', () => {
  let base = ''
  const server = createServer((request, response) => {
    const route = routes[request.url ?? '']
    if (route) route(request, response)
    else response.writeHead(404).end()
  })
  before(async () => {
    await new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(undefined)))
    base = `http://127.0.0.1:${/** @type {any} */ (server.address()).port}`
  })
  after(() => {
    server.close()
    server.closeAllConnections()
  })

  /** Loads and lets go; the progress on the way. @param {string} path @param {any} [options] */
  async function load(path, options = {}) {
    /** @type {any[]} */
    const seen = []
    const model = await Itera.load(base + path, {
      retryDelay: 1,
      retries: 2,
      ...options,
      onProgress: (/** @type {any} */ progress) => {
        seen.push(progress)
        options.onProgress?.(progress)
      },
    })
    assert.equal(model.info.vocabulary, 2048)
    model.dispose()
    return seen
  }

  /** @param {Promise<unknown>} loading @param {string} code @param {RegExp} message */
  const fails = (loading, code, message) => assert.rejects(loading, error => {
    assert.ok(error instanceof IteraError)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })

  it('knows the total from the server', async () => {
    assert.ok((await load('/whole')).every(({ total }) => total === bytes.length))
    await load('/moved')
  })

  it('learns the total from the header of the file where the server does not tell', async () => {
    for (const path of ['/no-length', '/gzip']) {
      const seen = await load(path)
      const { loaded, total } = seen.at(-1)
      assert.deepEqual({ loaded, total }, { loaded: bytes.length, total: bytes.length })
    }
  })

  it('takes a URL object and sends headers', async () => {
    const model = await Itera.load(new URL(`${base}/whole`))
    model.dispose()
    await load('/private', { headers: { Authorization: 'Bearer key' } })
    await fails(load('/private'), 'network', /HTTP status 401/)
    for (const headers of [{ 'no name': 'x' }, { Name: 'two\nlines' }, null]) {
      await fails(load('/private', { headers }), 'argument', /headers/)
      await fails(Itera.download(`${base}/private`, /** @type {any} */ ({ headers })), 'argument', /headers/)
    }
  })

  it('says what the server answered', async () => {
    await fails(load('/missing'), 'not-found', /\/missing answered with HTTP status 404/)
    await fails(load('/gone'), 'not-found', /410/)
    await fails(load('/broken'), 'network', /HTTP status 500/)
    await fails(Itera.load('http://nobody.invalid/model.gguf', { retryDelay: 1 }), 'network', /nobody\.invalid/)
    await fails(load('/page'), 'not-gguf', /GGUF/)
    await fails(load('/empty'), 'incomplete', /header/)
  })

  it('notices a connection that breaks and a file that ends early', async () => {
    await fails(load('/cut'), 'network', /\/cut cannot be read/)
    await fails(load('/short'), 'incomplete', /missing/)
  })

  it('is aborted while it waits for more', async () => {
    const controller = new AbortController()
    const loading = load('/stalled', { signal: controller.signal, onProgress: () => setTimeout(() => controller.abort(), 20) })
    await fails(loading, 'aborted', /aborted/)
  })
})
