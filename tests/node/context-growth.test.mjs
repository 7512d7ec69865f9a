// Models with attention: their KV cache grows with the text, to what the model or the user allows, and takes no more.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, describe, it } from 'node:test'

import { generate } from '../../web/src/generate.js'
import { Completer } from '../../web/src/openai/completer.js'
import { completeOptions } from '../../web/src/options.js'
import { Session } from '../../web/src/session.js'
import { collect, NO_MEMORY, openLocal, withExport } from './support/local-model.mjs'

const hybrid = '../golden/llama.cpp/granitehybrid-moe-f32/model.gguf'
const open = file => openLocal(readFileSync(new URL(file, import.meta.url)), 'simd128')
const greedy = { temperature: 0, ignoreEndOfText: true }
const long = 'word '.repeat(700)
const MIB = 1 << 20

describe('a text longer than the KV cache began with', () => {
  /** @type {any} */
  let model
  before(async () => { model = await open(hybrid) })

  /** @param {number} length */
  const tokensOf = length => Array.from({ length }, (_, i) => (i * 7 + (i >> 5)) % 500)

  /** A completion; `stopAfter` aborts. */
  async function complete(prompt, options, stopAfter = Infinity) {
    const aborting = new AbortController()
    const tokens = []
    const stats = await model.engine.generate({ prompt, options: completeOptions({ ...greedy, ...options }) }, {
      signal: aborting.signal,
      emit: (_, { token }) => { if (tokens.push(token) >= stopAfter) aborting.abort() },
    })
    return { tokens, stats }
  }

  /** No memory for a larger cache while `work` is done, once it has grown `times` times. */
  const withoutMemory = (times, work) => withExport(model.engine.wasm, 'itera_session_reserve',
    (reserve, ...args) => times-- > 0 ? reserve(...args) : NO_MEMORY, work)

  /** That the state is that of its tokens read into a cache as large from the beginning. */
  function checkState(id) {
    const { session, tokens } = model.state(id)
    assert.deepEqual(model.logits(session), model.fresh(tokens))
    return tokens.length
  }

  it('is a conversation beyond 4096 tokens, the same as with a large context, saved and forked', async () => {
    const chat = model.chat({ ...greedy, maxTokens: 8 })
    const id = model.lastChat
    const large = model.chat({ ...greedy, maxTokens: 8, contextTokens: 100_000 })
    for (const text of [long, `Then ${long}`, 'And?']) {
      const [one, two] = [await collect(chat.send(text)), await collect(large.send(text))]
      assert.deepEqual(one.tokens, two.tokens)
      assert.equal(one.tokens.length, 8)
    }
    assert.ok(checkState(id) > 4096)
    const restored = model.chat({ restore: await chat.save() })
    const restoredId = model.lastChat
    await restored.ready
    const twin = await chat.fork()
    const ends = [chat, restored, twin].map(each => collect(each.send('The end?')))
    for (const { tokens } of await Promise.all(ends)) assert.deepEqual(tokens, (await ends[0]).tokens)
    checkState(restoredId)
    // Marks made before the cache grew are good after it.
    await chat.undo(3)
    await collect(chat.send('Now something else.'))
    checkState(id)
    for (const each of [chat, large, restored, twin]) each.dispose()
  })

  it('grows in the midst of an answer and says the same', async () => {
    const { engine } = model
    const options = completeOptions({ temperature: 1, seed: 3, maxTokens: 1600, ignoreEndOfText: true })
    const prompt = Int32Array.from(tokensOf(600))
    const answer = async session => {
      const tokens = []
      await generate({
        engine, session, prompt, history: new Int32Array(0), options, signal: new AbortController().signal,
        emit: ({ token }) => { if (token !== undefined) tokens.push(token) },
      })
      return { tokens, bytes: session.bytes }
    }
    const growing = engine.newSession(0)
    const fixed = new Session(engine.wasm, engine.model, 4096)
    const [one, two] = [await answer(growing), await answer(fixed)]
    assert.equal(one.tokens.length, 1600)
    assert.deepEqual(one.tokens, two.tokens)
    assert.equal(one.bytes, two.bytes, 'from 2048 positions to 4096')
    growing.free()
    fixed.free()
  })

  it('has no end of its own where maxTokens has none', async () => {
    const { tokens, stats } = await complete(tokensOf(5000), { maxTokens: Infinity }, 5)
    assert.equal(stats.finishReason, 'aborted')
    assert.deepEqual(tokens, (await complete(tokensOf(5000), { maxTokens: 5 })).tokens)
  })

  it('ends where contextTokens says, and no prompt goes beyond', async () => {
    const { tokens, stats } = await complete(tokensOf(1500), { maxTokens: Infinity, contextTokens: 1510 })
    assert.equal(stats.finishReason, 'length')
    assert.equal(tokens.length, 11)                     // the last one need not be fed
    const fed = model.engine.wasm.fedTokens
    await assert.rejects(complete(tokensOf(1511), { contextTokens: 1510 }),
      { code: 'context-full', message: /1511 tokens is too long/ })
    assert.equal(model.engine.wasm.fedTokens, fed, 'told before anything is read')
    await complete(tokensOf(1511), { maxTokens: 2 })
  })

  it('takes memory for what is read and said, not for what might be', async () => {
    const fresh = await open(hybrid)
    const { engine } = fresh
    const start = engine.wasm.memoryBytes
    const ask = async run => {
      const aborting = new AbortController()
      return run(completeOptions({ ...greedy, maxTokens: 1e6 }), { signal: aborting.signal, emit: () => aborting.abort() })
    }
    const completer = new Completer(engine)
    await ask((options, context) => engine.generate({ prompt: [1, 2, 3], options }, context))
    const request = { prompt: { tokens: [1, 2, 3] }, count: 1, special: false, cacheBytes: MIB }
    await ask((options, context) => completer.run({ ...request, options }, context))
    assert.ok(engine.wasm.memoryBytes - start < 8 * MIB, `${engine.wasm.memoryBytes - start} bytes more`)
  })

  it('that contextTokens refuses leaves the conversation as it was', async () => {
    const begin = async () => {
      const chat = model.chat({ ...greedy, maxTokens: 8, contextTokens: 2500 })
      await collect(chat.send('word '.repeat(500)))
      return chat
    }
    const [chat, twin] = [await begin(), await begin()]
    const fed = model.engine.wasm.fedTokens
    await assert.rejects(collect(chat.send(long)), { code: 'context-full' })
    assert.equal(model.engine.wasm.fedTokens, fed, 'told before anything is read')
    assert.deepEqual(chat.messages, twin.messages)
    assert.deepEqual((await collect(chat.send('And?'))).tokens, (await collect(twin.send('And?'))).tokens)
    assert.deepEqual(await chat.info(), await twin.info())
  })

  for (const [where, times, text] of [['a prompt', 0, long], ['an answer', 1, 'And?']]) {
    it(`that finds no memory for ${where} leaves the conversation as it was`, async () => {
      const begin = async () => {
        const chat = model.chat({ ...greedy, maxTokens: 8 })
        await collect(chat.send('word '.repeat(200)))
        return { chat, id: model.lastChat }
      }
      const [{ chat, id }, { chat: twin }] = [await begin(), await begin()]
      const { tokens } = model.state(id)
      await withoutMemory(times, () => assert.rejects(collect(chat.send(text, { maxTokens: 3000 })), { code: 'memory' }))
      assert.deepEqual(chat.messages, twin.messages)
      assert.deepEqual(model.state(id).tokens, tokens)
      checkState(id)
      assert.deepEqual((await collect(chat.send(text))).tokens, (await collect(twin.send(text))).tokens)
    })
  }

  it('may begin with a pack that was made with a small context', async () => {
    const { signal } = new AbortController()
    const args = { messages: [{ role: 'system', content: 'word '.repeat(20) }], form: 'f32', spare: null }
    const pack = await model.engine.pack({ ...args, limits: { contextTokens: 100, checkpointBytes: 0 } }, { signal })
    const chat = model.chat({ ...greedy, maxTokens: 8, pack: new Blob([pack]) })
    assert.equal((await collect(chat.send(long))).tokens.length, 8)
    const small = model.chat({ ...greedy, maxTokens: 8, contextTokens: 200, pack: new Blob([pack]) })
    await assert.rejects(collect(small.send(long)), { code: 'context-full' })
  })

  it('goes on in small steps where there is no memory for a large one', async () => {
    const sizes = []
    const grow = (reserve, session, size) => {
      sizes.push(size)
      return size > 1500 ? NO_MEMORY : reserve(session, size)
    }
    const session = model.engine.newSession(0)
    try {
      await withExport(model.engine.wasm, 'itera_session_reserve', grow, async () => {
        for (const count of [1000, 100, 100]) await session.prefill(Int32Array.from(tokensOf(count)))
        assert.deepEqual([...new Set(sizes)], [1024, 2048, 1356])
        assert.throws(() => session.makeRoom(1000), { code: 'memory' })
        assert.equal(session.position, 1200)
      })
    } finally {
      session.free()
    }
  })
})

describe('a model without attention', () => {
  it('has nothing that grows', async () => {
    const { engine } = await open('../../models/story-boot-q8_0.gguf')
    await withExport(engine.wasm, 'itera_session_reserve', () => assert.fail('there is no cache'), async () => {
      const session = engine.newSession(100)
      await session.prefill(new Int32Array(300))
      assert.equal(session.position, 300)
      assert.equal(session.limit, 0)
      assert.equal(session.bytes, engine.numbers.stateBytes)
    })
  })
})
