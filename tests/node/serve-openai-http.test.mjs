// `itera serve` as HTTP: what it refuses and how, who may ask, whose turn it is, and how it ends.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { IteraError } from '../../web/src/errors.js'
import { apiRoutes } from '../../web/bin/serve/api.js'
import { HttpError, toHttpError } from '../../web/bin/serve/errors.js'
import { ModelHolder } from '../../web/bin/serve/holder.js'
import { createHttpServer } from '../../web/bin/serve/http.js'
import { Metrics } from '../../web/bin/serve/metrics.js'
import { Queue } from '../../web/bin/serve/queue.js'
import { heapFault, itera } from './support/cli.mjs'
import { startServer, storyModel, until } from './support/itera-server.mjs'

const user = content => [{ role: 'user', content }]
const never = () => new AbortController().signal
const noEnd = { 2043: -100 }                             // the token that ends a story

/** The data lines of a stream of events. @param {Response} response */
const events = async response => (await response.text()).split('\n\n').filter(Boolean).map(event => event.replace(/^data: /, ''))

/** A request whose headers are all our own. */
const raw = (url, { body, ...options }) => new Promise((resolve, reject) => {
  const sent = request(url, options, response => {
    let text = ''
    response.setEncoding('utf8').on('data', part => { text += part }).on('end', () => resolve({ ...response, status: response.statusCode, headers: response.headers, text }))
  })
  sent.on('error', reject)
  sent.end(body)
})

describe('itera serve', () => {
  /** @type {Awaited<ReturnType<typeof startServer>>} */
  let server
  before(async () => { server = await startServer(['--body-mib', '1']) })
  after(() => server?.close())

  const chat = '/v1/chat/completions'
  const text = '/v1/completions'
  const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object' } } }
  /** JSON with something nested very deep where DEEP stands, which JSON.stringify could not write. */
  const deep = body => JSON.stringify(body).replace('"DEEP"', '{"items":'.repeat(60_000) + '{}' + '}'.repeat(60_000))
  const deepCall = { function: { name: 'f', arguments: '['.repeat(60_000) + ']'.repeat(60_000) } }
  /** [what, path, body, status, param, code] */
  const wrong = [
    ['no messages', chat, {}, 400, 'messages', null],
    ['an empty list of messages', chat, { messages: [] }, 400, 'messages', null],
    ['a message without a role', chat, { messages: [{ content: 'x' }] }, 400, 'messages', null],
    ['a message with an unknown role', chat, { messages: [{ role: 'king', content: 'x' }] }, 400, 'messages', null],
    ['a message without content', chat, { messages: [{ role: 'user' }] }, 400, 'messages', null],
    ['a number as content', chat, { messages: user(7) }, 400, 'messages', null],
    ['an image', chat, { messages: user([{ type: 'image_url', image_url: { url: 'x' } }]) }, 400, 'messages', null],
    ['too hot', chat, { messages: user('x'), temperature: 2.1 }, 400, 'temperature', null],
    ['a temperature in words', chat, { messages: user('x'), temperature: 'hot' }, 400, 'temperature', null],
    ['top_p above 1', chat, { messages: user('x'), top_p: 1.5 }, 400, 'top_p', null],
    ['a penalty below -2', chat, { messages: user('x'), presence_penalty: -3 }, 400, 'presence_penalty', null],
    ['no answers', chat, { messages: user('x'), n: 0 }, 400, 'n', null],
    ['half an answer', chat, { messages: user('x'), n: 1.5 }, 400, 'n', null],
    ['no tokens', chat, { messages: user('x'), max_tokens: 0 }, 400, 'max_tokens', null],
    ['a fraction as seed', chat, { messages: user('x'), seed: 0.5 }, 400, 'seed', null],
    ['an empty stop string', chat, { messages: user('x'), stop: ['a', ''] }, 400, 'stop', null],
    ['a bias of no token', chat, { messages: user('x'), logit_bias: { fox: 1 } }, 400, 'logit_bias', null],
    ['a bias beyond the vocabulary', chat, { messages: user('x'), logit_bias: { 999999: 1 } }, 400, null, 'token'],
    ['a bias of 101', chat, { messages: user('x'), logit_bias: { 5: 101 } }, 400, 'logit_bias', null],
    ['top_logprobs without logprobs', chat, { messages: user('x'), top_logprobs: 2 }, 400, 'top_logprobs', null],
    ['21 alternatives', chat, { messages: user('x'), logprobs: true, top_logprobs: 21 }, 400, 'top_logprobs', null],
    ['stream in words', chat, { messages: user('x'), stream: 'yes' }, 400, 'stream', null],
    ['stream_options without stream', chat, { messages: user('x'), stream_options: { include_usage: true } }, 400, 'stream_options', null],
    ['stream_options that make no sense', chat, { messages: user('x'), stream: true, stream_options: { include_usage: 1 } }, 400, 'include_usage', null],
    ['an unknown response_format', chat, { messages: user('x'), response_format: { type: 'xml' } }, 400, 'response_format', null],
    ['json_schema without a schema', chat, { messages: user('x'), response_format: { type: 'json_schema' } }, 400, 'response_format', null],
    ['a schema that is wrong', chat, { messages: user('x'), response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'unicorn' } } } }, 400, null, 'grammar'],
    ['a regular expression that is wrong', text, { prompt: 'x', regex: '(' }, 400, null, 'grammar'],
    ['a wrong grammar in a stream', text, { prompt: 'x', grammar: 'root ::= nobody', stream: true }, 400, null, 'grammar'],
    ['a schema nested too deep', chat, deep({ messages: user('x'), response_format: { type: 'json_schema', json_schema: { name: 'x', schema: 'DEEP' } } }), 400, 'response_format', null],
    ['a number nested too deep', text, deep({ prompt: 'x', max_tokens: 'DEEP' }), 400, 'max_tokens', null],
    ['a message nested too deep', chat, deep({ messages: [{ ...user('x')[0], extra: 'DEEP' }] }), 400, 'messages', null],
    ['arguments of a call nested too deep', chat, { messages: [...user('x'), { role: 'assistant', tool_calls: [deepCall] }] }, 400, 'messages', null],
    ['two grammars', text, { prompt: 'x', regex: 'a', grammar: 'root ::= "a"' }, 400, 'response_format', null],
    ['tools on a model that knows none', chat, { messages: user('x'), tools: [tool] }, 400, 'tools', null],
    ['a tool that is no function', chat, { messages: user('x'), tools: [{ type: 'retrieval' }] }, 400, 'tools', null],
    ['a tool choice without tools', chat, { messages: user('x'), tool_choice: 'required' }, 400, 'tool_choice', null],
    ['functions, as they once were', chat, { messages: user('x'), functions: [] }, 400, 'functions', null],
    ['sound', chat, { messages: user('x'), modalities: ['text', 'audio'] }, 400, 'modalities', null],
    ['a list as body', chat, [], 400, null, null],
    ['null as body', chat, 'null', 400, null, null],
    ['no JSON', chat, '{"messages": [', 400, null, 'invalid_json'],
    ['bytes that are no text', chat, Buffer.from([0x22, 0xff, 0x22]), 400, null, 'invalid_json'],
    ['no prompt', text, {}, 400, 'prompt', null],
    ['an object as prompt', text, { prompt: {} }, 400, 'prompt', null],
    ['a token that is none', text, { prompt: [1, 1e6] }, 400, null, 'token'],
    ['echo', text, { prompt: 'x', echo: true }, 400, 'echo', null],
    ['a suffix', text, { prompt: 'x', suffix: 'y' }, 400, 'suffix', null],
    ['best_of', text, { prompt: 'x', best_of: 3 }, 400, 'best_of', null],
    ['an unknown path', '/v1/embeddings', {}, 404, null, 'unknown_url'],
    ['a path that is no path', '//%zz/%', {}, 404, null, 'unknown_url'],
    ['POST where GET is meant', '/health', {}, 405, null, 'method_not_allowed'],
    ['a body over the limit', text, { prompt: 'x'.repeat(20 << 20) }, 413, null, 'body_too_large'],
  ]
  for (const [what, path, body, status, param, code] of wrong) {
    it(`refuses ${what}`, async () => {
      const bytes = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body)
      const response = await server.post(path, bytes.toString('latin1') === bytes ? bytes : undefined, { body: bytes })
      const { error } = await response.json()
      assert.deepEqual({ status: response.status, param: error.param, code: error.code }, { status, param, code }, error.message)
      assert.equal(error.type, 'invalid_request_error')
      assert.ok(error.message.length > 5)
    })
  }

  it('refuses a body of another type, which a page could send without asking', async () => {
    const response = await server.post(text, { prompt: 'x' }, { headers: { 'content-type': 'text/plain' } })
    assert.equal(response.status, 415)
  })

  it('refuses a body over the limit that comes in pieces', async () => {
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 400; i++) controller.enqueue(new Uint8Array(1 << 15).fill(0x20))
        controller.close()
      },
    })
    const response = await server.post(text, '', { body, duplex: 'half' })
    assert.equal(response.status, 413)
  })

  it('answers to names of this machine only', async () => {
    const get = host => raw(`${server.url}/health`, { headers: { host } })
    for (const host of ['localhost:1', '127.0.0.1', '[::1]:80', 'localhost']) assert.equal((await get(host)).status, 200, host)
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:80', '192.168.0.1']) {
      assert.equal((await get(host)).status, 403, host)
    }
  })

  it('lets no page of another origin read it, unless told', async () => {
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
    const response = await fetch(`${server.url}${text}`, { method: 'OPTIONS', headers })
    assert.equal(response.headers.get('access-control-allow-origin'), null)
    assert.equal(response.status, 405)
  })

  it('says that it is well', async () => {
    const response = await fetch(`${server.url}/health`)
    assert.deepEqual([response.status, await response.json()], [200, { status: 'ok' }])
    assert.equal((await fetch(`${server.url}/health`, { method: 'HEAD' })).status, 200)
  })

  it('does not stumble over names that cannot be read', async () => {
    assert.equal((await fetch(`${server.url}/v1/models/%zz`)).status, 404)
    assert.equal((await fetch(`${server.url}/v1/models/story-boot-q8_0?x=1`)).status, 200)
  })

  it('ends a stream with [DONE]', async () => {
    const response = await server.post(text, { prompt: 'Once', max_tokens: 3, stream: true })
    assert.match(response.headers.get('content-type'), /^text\/event-stream/)
    const lines = await events(response)
    assert.equal(lines.pop(), '[DONE]')
    assert.equal(JSON.parse(lines.pop()).choices[0].finish_reason, 'length')
  })

  it('stops working for a client that left in the middle', async () => {
    const controller = new AbortController()
    const response = await server.post(text, { prompt: 'Once', max_tokens: 1e6, stream: true, logit_bias: noEnd }, { signal: controller.signal })
    await response.body.getReader().read()
    assert.equal((await server.metrics()).itera_requests_running, 1)
    controller.abort()
    await until(async () => (await server.metrics()).itera_requests_running === 0)
  })

  it('works for several at once', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, async (_, seed) =>
      (await server.post(text, { prompt: 'Once upon a time', max_tokens: 20, seed: seed % 3 })).json()))
    const texts = answers.map(answer => answer.choices[0].text)
    assert.equal(new Set(texts).size, 3)
    for (const [i, written] of texts.entries()) assert.equal(written, texts[i % 3])
  })
})

describe('itera serve with a key, for pages', () => {
  /** @type {Awaited<ReturnType<typeof startServer>>} */
  let server
  before(async () => { server = await startServer(['--cors', 'https://app.example', '--name', 'story'], { env: { ITERA_API_KEY: 'secret' } }) })
  after(() => server?.close())

  it('asks for the key everywhere but at /health', async () => {
    const status = async (path, authorization) => (await fetch(server.url + path, { headers: authorization ? { authorization } : {} })).status
    assert.equal(await status('/health'), 200)
    for (const path of ['/v1/models', '/metrics']) {
      assert.equal(await status(path), 401)
      assert.equal(await status(path, 'Bearer wrong'), 401)
      assert.equal(await status(path, 'Bearer secret'), 200)
    }
    const response = await server.post('/v1/completions', { prompt: 'x' })
    assert.equal(response.status, 401)
    assert.equal((await response.json()).error.type, 'authentication_error')
  })

  it('answers the pages it was told of', async () => {
    const ask = origin => fetch(`${server.url}/v1/completions`, {
      method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,x-stainless-os' },
    })
    const allowed = await ask('https://app.example')
    assert.equal(allowed.status, 204)
    assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://app.example')
    assert.equal(allowed.headers.get('access-control-allow-headers'), 'authorization,x-stainless-os')
    assert.equal((await ask('https://other.example')).headers.get('access-control-allow-origin'), null)
  })

  it('calls the model what it was told to', async () => {
    const { data } = await (await fetch(`${server.url}/v1/models`, { headers: { authorization: 'Bearer secret' } })).json()
    assert.equal(data[0].id, 'story')
  })
})

describe('itera serve with one at work', () => {
  it('lets a second client have its turn before the first has had all of its own', async () => {
    const server = await startServer(['--parallel', '1', '--queue', '5'])
    const ended = []
    const ask = async (user, max_tokens) => {
      const response = await server.post('/v1/completions', { prompt: 'Once', max_tokens, user, logit_bias: noEnd })
      if (response.ok) ended.push(user)
      return response.status
    }
    const waiting = count => until(async () => (await server.metrics()).itera_requests_waiting === count)
    const asked = [ask('first', 600)]
    await until(async () => (await server.metrics()).itera_requests_running === 1)
    for (let i = 0; i < 4; i++) asked.push(ask('greedy', 10))
    await waiting(4)
    asked.push(ask('modest', 10))
    await waiting(5)
    assert.equal(await ask('late', 1), 503)             // the queue is full
    assert.deepEqual(await Promise.all(asked), Array(6).fill(200))
    assert.deepEqual(ended, ['first', 'greedy', 'modest', 'greedy', 'greedy', 'greedy'])
    await server.close()
  })
})

describe('itera serve, told to end', () => {
  it('lets an answer under way come to its end, takes no other, and exits with 0', async () => {
    const server = await startServer(['--parallel', '1'])
    const response = await server.post('/v1/completions', { prompt: 'Once', max_tokens: 400, stream: true, logit_bias: noEnd })
    const waiting = server.post('/v1/completions', { prompt: 'Once' })
    await until(async () => (await server.metrics()).itera_requests_waiting === 1)
    server.child.kill('SIGTERM')
    const refused = await waiting
    assert.equal(refused.status, 503)
    assert.equal((await refused.json()).error.code, 'shutting_down')
    await assert.rejects(fetch(`${server.url}/health`))
    const lines = await events(response)
    assert.equal(lines.at(-1), '[DONE]')
    assert.equal(lines.length, 402)                     // a chunk a token, the reason, and the end
    assert.equal(await server.exited, 0)
  })

  it('cuts answers off that take too long, and says so', async () => {
    const server = await startServer(['--grace', '0'])
    const response = await server.post('/v1/completions', { prompt: 'Once', max_tokens: 1e6, stream: true, logit_bias: noEnd })
    server.child.kill('SIGINT')
    const last = JSON.parse((await events(response)).at(-1))
    assert.equal(last.error.code, 'shutting_down')
    assert.equal(await server.exited, 0)
  })

  /** A client that has sent the half of its request, which the server has begun to read. */
  async function halfRequest(server) {
    const client = connect(Number(new URL(server.url).port), '127.0.0.1')
    client.on('error', () => {})
    client.write('POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n' +
      'Expect: 100-continue\r\n\r\n')
    await once(client, 'data')
    client.write('{"prompt":')
  }

  it('does not wait for a client that never finishes its request', { timeout: 30_000 }, async t => {
    const server = await startServer(['--grace', '0'])
    t.after(() => server.close())
    await halfRequest(server)
    server.child.kill('SIGTERM')
    assert.equal(await server.exited, 0)
  })

  it('ends at once when told a second time', { timeout: 30_000 }, async t => {
    const server = await startServer(['--grace', '1000'])
    t.after(() => server.close())
    await halfRequest(server)
    server.child.kill('SIGTERM')
    await until(() => raw(`${server.url}/health`, { agent: false }).then(() => false, () => true))
    server.child.kill('SIGTERM')
    assert.equal(await server.exited, 0)
  })

  it('says what is wrong with its command line', async () => {
    for (const args of [['--port', 'x'], ['--parallel', '0'], ['--api-key', ''], ['more']]) {
      const { code, stderr } = await itera(['serve', '-m', storyModel, ...args])
      assert.equal(code, 2, stderr)
    }
    const { code, stderr } = await itera(['serve', '-m', 'nothing.gguf'])
    assert.equal(code, 1)
    assert.match(stderr, /not-found/)
    const taken = await startServer()
    const second = await itera(['serve', '-m', storyModel, '--port', new URL(taken.url).port])
    assert.equal(second.code, 1)
    assert.match(second.stderr, /EADDRINUSE/)
    await taken.close()
  })
})

describe('a client that stops reading its stream', () => {
  it('is cut off, which ends the work and frees its slot', { timeout: 30_000 }, async t => {
    let ended = false
    async function * endless() {
      try {
        while (true) yield { text: 'x'.repeat(1 << 16) }
      } finally {
        ended = true
      }
    }
    const queue = new Queue({ slots: 1, limit: 1 })
    const model = { openai: { completions: { create: async () => endless() } } }
    const routes = apiRoutes({ id: 'x', queue, metrics: new Metrics(), model: () => model, state: () => 'ok', stall: 50 })
    let onLeft
    const left = new Promise(resolve => { onLeft = resolve })
    const { server } = createHttpServer(routes, { host: '127.0.0.1', cors: [], bodyLimit: 1 << 10, onAnswer() {}, onLeft })
    t.after(() => server.closeAllConnections())
    t.after(() => server.close())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const client = connect(server.address().port, '127.0.0.1').on('error', () => {})
    t.after(() => client.destroy())
    client.write('POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"stream":true}')
    await once(client, 'readable')                      // it has begun, and nothing of it is read
    const release = await queue.enter('another', never())
    release()
    assert.ok(ended)
    assert.equal(queue.running, 0)
    await left
  })
})

describe('errors of the runtime', () => {
  for (const [code, status, name] of [
    ['context-full', 400, 'context_length_exceeded'], ['template', 400, 'template'], ['no-grammar', 400, 'grammar_library_missing'],
    ['no-tokenizer', 400, 'no_tokenizer'], ['memory', 503, 'memory'], ['crashed', 503, 'crashed'], ['internal', 500, 'internal'],
  ]) {
    it(`${code} is answered with ${status} ${name}`, () => {
      const error = toHttpError(new IteraError(code, 'why'))
      assert.deepEqual([error.status, error.body.error.code, error.body.error.message], [status, name, 'why'])
      assert.equal(error.body.error.type, status < 500 ? 'invalid_request_error' : 'server_error')
      assert.equal('retry-after' in error.headers, status === 503)
    })
  }
})

describe('a model whose worker is lost', () => {
  const alive = { error: null, memoryBytes: async () => 1, dispose() {} }
  const lost = code => {
    const error = new IteraError(code, 'the worker crashed')
    return { ...alive, error, memoryBytes: () => Promise.reject(error) }
  }

  for (const code of ['crashed', 'memory']) {
    it(`is loaded again, and requests are told to come back until it is there: ${code}`, async () => {
      const lines = []
      let finish
      const loads = [async () => lost(code), () => new Promise(resolve => { finish = () => resolve(alive) })]
      const holder = await ModelHolder.load(() => loads.shift()(), line => lines.push(line))
      assert.ok(holder.ready)
      const checking = holder.check()
      await until(() => !holder.ready)
      assert.throws(() => holder.model, { status: 503, code: 'loading' })
      await holder.check()                              // one at a time
      finish()
      await checking
      assert.equal(holder.model, alive)
      assert.equal(lines.length, 1)
    })
  }

  it('is told from one that was disposed of, and from one that only has no memory for a call', async () => {
    for (const model of [lost('disposed'), { ...lost('memory'), error: null }]) {
      const loads = [async () => model]
      const holder = await ModelHolder.load(() => loads.shift()(), () => {})
      await holder.check()
      assert.equal(holder.model, model)
    }
  })

  it('is loaded again after its worker had no memory left', async t => {
    const server = await startServer([], { env: heapFault })
    t.after(() => server.close())
    const ask = () => server.post('/v1/completions', { prompt: 'Once', max_tokens: 3 })
    const first = await ask()
    assert.deepEqual([first.status, (await first.json()).error.code], [503, 'memory'])
    await until(async () => (await ask()).status === 200)
    assert.match(server.stderr, /loading the model again/)
  })

  it('that cannot be loaded is tried again with the next request', async () => {
    const loads = [async () => lost('crashed'), () => Promise.reject(new Error('gone')), async () => alive]
    const lines = []
    const holder = await ModelHolder.load(() => loads.shift()(), line => lines.push(line))
    await holder.check()
    assert.ok(!holder.ready)
    assert.match(lines.at(-1), /gone/)
    await holder.check()
    assert.equal(holder.model, alive)
  })
})

describe('the queue', () => {
  /** Lets everybody in turn by turn and tells the order. */
  async function order(queue, clients) {
    const first = await queue.enter('first', never())
    const admitted = []
    const all = clients.map((client, i) => queue.enter(client, never()).then(release => {
      admitted.push(`${client}${i}`)
      setImmediate(release)
    }))
    first()
    await Promise.all(all)
    await new Promise(resolve => setTimeout(resolve, 5))
    return admitted
  }

  it('lets clients take turns, each with its requests in order', async () => {
    const queue = new Queue({ slots: 1, limit: 10 })
    assert.deepEqual(await order(queue, ['a', 'a', 'a', 'a', 'b', 'c', 'b']), ['a0', 'b4', 'c5', 'a1', 'b6', 'a2', 'a3'])
    assert.deepEqual([queue.running, queue.waiting], [0, 0])
  })

  it('has no more at work than it has slots', async () => {
    const queue = new Queue({ slots: 3, limit: 100 })
    let most = 0
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      const release = await queue.enter(`client ${i % 7}`, never())
      most = Math.max(most, queue.running)
      await new Promise(resolve => setTimeout(resolve, i % 3))
      release()
      release()                                         // once too often does no harm
    }))
    assert.equal(most, 3)
    assert.deepEqual([queue.running, queue.waiting], [0, 0])
  })

  it('refuses when too many wait, and forgets who gave up', async () => {
    const queue = new Queue({ slots: 1, limit: 1 })
    const release = await queue.enter('a', never())
    const leaving = new AbortController()
    const waiting = queue.enter('b', leaving.signal)
    await assert.rejects(queue.enter('c', never()), error => error instanceof HttpError && error.status === 503 && error.code === 'overloaded')
    leaving.abort()
    await assert.rejects(waiting, { code: 'aborted' })
    assert.equal(queue.waiting, 0)
    const next = queue.enter('c', never())
    release();
    (await next)()
    assert.equal(queue.running, 0)
  })
})
