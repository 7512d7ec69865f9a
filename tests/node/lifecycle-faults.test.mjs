// What happens when the worker dies, the engine traps, or memory runs out: one error with a code, a model that says that
// it is lost, and another load that works.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import process from 'node:process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { readFileSync } from 'node:fs'

import { Itera } from '../../web/src/index.js'
import { collect } from './support/local-model.mjs'

const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url))
const story = path('../../models/story-boot-q8_0.gguf')
const greedy = { temperature: 0, maxTokens: 6, ignoreEndOfText: true }
const run = promisify(execFile)

/** Runs a program whose workers have a fault put into them. @param {string} fault @param {string[]} [nodeOptions] */
async function withFault(fault, nodeOptions = []) {
  const { stdout } = await run(process.execPath,
    [...nodeOptions, '--import', path('support/fault.mjs'), path('support/meet-fault.mjs'), story],
    { env: { ...process.env, ITERA_FAULT: fault }, timeout: 60_000 })
  return JSON.parse(stdout)
}

describe('a worker that is lost', () => {
  it('is reported to whatever waits, and to whoever asks later', async () => {
    /** @type {any[]} */
    const workers = []
    const note = (/** @type {any} */ worker) => workers.push(worker)
    process.on('worker', note)
    const model = await Itera.load(story)
    process.off('worker', note)
    assert.equal(model.error, null)
    const chat = model.chat(greedy)
    await collect(chat.send('A fox.'))
    const answer = chat.send('More.', { maxTokens: 100_000 })
    await answer.next()
    await workers.at(-1).terminate()
    await assert.rejects(async () => { for await (const piece of answer) void piece }, { code: 'crashed' })
    assert.equal(model.error?.code, 'crashed')
    assert.equal(await model.lost, model.error)
    await assert.rejects(collect(model.generate('Once', greedy)), { code: 'crashed' })
    await assert.rejects(chat.save(), { code: 'crashed' })
    model.dispose()                                     // does nothing more, and does no harm
    assert.equal(model.error?.code, 'crashed')
    const again = await Itera.load(story)
    assert.equal((await collect(again.generate('Once', greedy))).tokens.length, 6)
    again.dispose()
    assert.equal(again.error?.code, 'disposed')
    assert.equal((await again.lost).code, 'disposed')
  })

  for (const [fault, options, code] of /** @type {[string, string[], string][]} */ ([
    ['trap', [], 'crashed'], ['throw', [], 'crashed'], ['exit', [], 'crashed'], ['heap', ['--max-old-space-size=48'], 'memory'],
  ])) {
    it(`fails with '${code}' and leaves another alone: ${fault}`, async () => {
      const { first, error, lost, other, again } = await withFault(fault, options)
      assert.equal(first, code)
      assert.equal(error, code)
      assert.equal(lost, code)
      assert.equal(other, 6)
      assert.equal(again, 6)
    })
  }

  it("fails with 'memory' where the engine has none left, and goes on", async () => {
    const { first, error, again, same } = await withFault('alloc')
    assert.deepEqual({ first, error, again, same }, { first: 'memory', error: null, again: 6, same: 6 })
  })
})

describe('an abort', () => {
  /** A server that sends a part of the model, says so, and then waits. @param {number} part @param {() => void} onSent */
  async function slowServer(part, onSent) {
    const bytes = readFileSync(story)
    const state = { closed: 0, sent: 0 }
    const server = createServer((request, response) => {
      if (request.method === 'HEAD') return response.writeHead(200, { 'Content-Length': bytes.length }).end()
      response.writeHead(200, { 'Content-Length': bytes.length, 'Cache-Control': 'no-store' })
      response.write(bytes.subarray(0, Math.floor(bytes.length * part)), () => {
        state.sent++
        setTimeout(onSent, 100)                         // so that some of it has arrived
      })
      response.on('close', () => { state.closed++ })
    })
    await new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(undefined)))
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    return { state, url: `http://127.0.0.1:${port}/story.gguf`, close: () => { server.closeAllConnections(); server.close() } }
  }

  for (const part of [0.001, 0.5]) {
    it(`ends a download at ${part * 100}%, and the connection`, async () => {
      const stopping = new AbortController()
      const server = await slowServer(part, () => stopping.abort())
      try {
        await assert.rejects(Itera.load(server.url, { signal: stopping.signal, onProgress: () => stopping.abort() }), { code: 'aborted' })
        for (let i = 0; i < 200 && server.state.closed < server.state.sent; i++) await new Promise(resolve => setTimeout(resolve, 50))
        assert.equal(server.state.closed, server.state.sent)
      } finally {
        server.close()
      }
    })
  }

  it('follows when onProgress throws, and the caller gets what it threw', async () => {
    const mine = new Error('mine')
    await assert.rejects(Itera.load(story, { onProgress: () => { throw mine } }), error => error === mine)
  })

  it('ends a load from a file, before it and at every piece', async () => {
    const threads = countThreads()
    await assert.rejects(Itera.load(story, { signal: AbortSignal.abort() }), { code: 'aborted' })
    for (let at = 1; at <= 3; at++) {
      const stopping = new AbortController()
      let calls = 0
      const loading = Itera.load(story, { signal: stopping.signal, onProgress: () => { if (++calls === at) stopping.abort() } })
      // A small file may be there before the abort is.
      await loading.then(model => model.dispose(), error => assert.equal(error.code, 'aborted'))
    }
    await new Promise(resolve => setTimeout(resolve, 200))
    assert.equal(threads.alive(), 0)
    threads.stop()
  })

  it('ends a prompt that is read and an answer that is written, and the model goes on', async () => {
    const model = await Itera.load(story)
    const expected = (await collect(model.generate('Once', greedy))).tokens
    const begin = performance.now()
    const reading = await collect(model.generate('word '.repeat(20_000), { ...greedy, signal: AbortSignal.timeout(20) }))
    assert.equal(reading.stats.finishReason, 'aborted')
    assert.equal(reading.tokens.length, 0)
    const stopping = new AbortController()
    let seen = 0
    for await (const piece of model.generate('Once', { ...greedy, maxTokens: 1e6, signal: stopping.signal })) {
      if (piece.token !== undefined && ++seen === 5) stopping.abort()
    }
    assert.equal(model.lastStats?.finishReason, 'aborted')
    assert.ok(performance.now() - begin < 30_000)
    assert.deepEqual((await collect(model.generate('Once', greedy))).tokens, expected)
    model.dispose()
  })
})

/** Worker threads begun from now on that have not ended. */
function countThreads() {
  let alive = 0
  const note = (/** @type {any} */ worker) => {
    alive++
    worker.once('exit', () => { alive-- })
  }
  process.on('worker', note)
  return { alive: () => alive, stop: () => process.off('worker', note) }
}
