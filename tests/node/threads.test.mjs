// Threads: their number is what was asked for and shows in nothing but speed; they start, sleep, end and die in order.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { Itera, IteraError } from '../../web/src/index.js'
import { errorCode } from '../../web/src/errors.js'
import { loadModel } from '../../web/src/loader.js'
import { Session } from '../../web/src/session.js'
import { describeSource, openSource } from '../../web/src/source.js'
import { Helpers } from '../../web/src/helpers.js'
import { chooseThreads } from '../../web/src/threads.js'
import { loadWasm } from '../../web/src/wasm.js'
import { iteraJson } from './support/cli.mjs'
import { variants } from './support/engine.mjs'

const golden = (/** @type {string} */ name) =>
  fileURLToPath(new URL(`../golden/llama.cpp/${name}/model.gguf`, import.meta.url))
const story = fileURLToPath(new URL('../../models/story-boot-q8_0.gguf', import.meta.url))
const models = {
  'story-boot': story,
  'mamba in F32': golden('mamba-f32'),
  'mamba2 in Q8_0': golden('mamba2-q8_0'),
  'mamba2 in Q4_K_M': golden('mamba2-q4_k_m'),
  'a hybrid with experts and a KV cache': golden('granitehybrid-moe-f32'),
}
const threaded = variants.filter(variant => variant !== 'scalar')
const tokensOf = (/** @type {number} */ vocabulary) => Array.from({ length: 100 }, (_, i) => (i * 7919 + 13) % vocabulary)
const same = (/** @type {Float32Array} */ a, /** @type {Float32Array} */ b) =>
  assert.equal(Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)), 0, 'the same bits')
const pause = (/** @type {number} */ ms) => new Promise(resolve => setTimeout(resolve, ms))

/** Threads of this process. */
const running = () => readdirSync('/proc/self/task').length

for (const simd of threaded) {
  describe(`logits do not depend on the number of threads, ${simd}`, () => {
    for (const [name, file] of Object.entries(models)) {
      it(name, async () => {
        /** @type {Float32Array[]} */
        let expected = []
        for (const threads of [1, 2, 3, 4]) {
          const model = await Itera.load(file, { simd: /** @type {any} */ (simd), threads })
          assert.equal(model.info.threads, threads)
          const tokens = tokensOf(model.info.vocabulary)
          const batch = await model.logits(tokens, { piece: 64 })
          await pause(20)                               // helpers that have fallen asleep are woken
          const steps = await model.logits(tokens.slice(0, 10), { step: true })
          same(steps, batch.slice(0, steps.length))
          if (expected.length) same(batch, expected[0])
          expected = [batch]
          model.dispose()
        }
      })
    }
  })
}

describe('the number of threads', () => {
  it('is one for small models, unless asked otherwise', async () => {
    const model = await Itera.load(story)
    assert.equal(model.info.threads, 1)
    model.dispose()
    assert.equal(await chooseThreads(3, 1), 3)
    assert.equal(await chooseThreads('auto', 4e6), 1)
    assert.ok(await chooseThreads('auto', 400e6) <= 8)
    assert.equal(await chooseThreads('auto', undefined), await chooseThreads('auto', 400e6))
  })

  it('is one in the scalar build, and one where memory cannot be shared', async () => {
    const model = await Itera.load(story, { threads: 2, simd: 'scalar' })
    assert.equal(model.info.threads, 1)
    model.dispose()
    const { SharedArrayBuffer } = globalThis
    try {
      // @ts-expect-error: as in a page that is not isolated
      delete globalThis.SharedArrayBuffer
      assert.equal(await chooseThreads(4, undefined), 1)
    } finally {
      globalThis.SharedArrayBuffer = SharedArrayBuffer
    }
  })

  it('is checked', async () => {
    for (const threads of [0, -1, 1.5, NaN, 'many', null]) {
      await assert.rejects(Itera.load(story, { threads: /** @type {any} */ (threads) }),
        error => error instanceof IteraError && error.code === 'argument')
    }
  })

  it('is what the command line says', async () => {
    const result = await iteraJson(['bench', '-m', story, '--prompt', '64', '--gen', '8', '--repeat', '1', '--threads', '2'])
    assert.equal(result.threads, 2)
    const texts = await Promise.all([1, 3].map(async threads => {
      const { text, threads: used } = await iteraJson(['generate', '-m', story, '-p', 'Once upon a time', '-n', '40',
        '--temperature', '0', '--threads', String(threads)])
      assert.equal(used, threads)
      return text
    }))
    assert.equal(texts[0], texts[1])
  })
})

describe('with threads', () => {
  it('a saved conversation goes on under another number of them', async () => {
    const open = (/** @type {number} */ threads) => Itera.load(story, { threads, simd: 'simd128' })
    const [one, two] = await Promise.all([open(1), open(2)])
    const options = { temperature: 0.9, seed: 5, maxTokens: 20, ignoreEndOfText: true }
    const say = async (/** @type {any} */ chat, /** @type {string} */ text) => {
      let answer = ''
      for await (const piece of chat.send(text)) answer += piece.text
      return answer
    }
    const [a, b] = [one.chat(options), two.chat(options)]
    assert.equal(await say(a, 'A fox.'), await say(b, 'A fox.'))
    const [savedA, savedB] = await Promise.all([a.save(), b.save()])
    assert.deepEqual(new Uint8Array(await savedA.arrayBuffer()), new Uint8Array(await savedB.arrayBuffer()))
    const [afterA, afterB] = [await two.restore(savedA), await one.restore(savedB)]
    const answers = await Promise.all([a, b, afterA, afterB].map(chat => say(chat, 'And then?')))
    assert.equal(new Set(answers).size, 1)
    one.dispose()
    two.dispose()
  })

  it('memory grows while they run', async () => {
    const model = await Itera.load(golden('granitehybrid-moe-f32'), { threads: 2, simd: 'simd128' })
    const tokens = tokensOf(model.info.vocabulary)
    const before = await model.logits(tokens)
    const size = await model.memoryBytes()
    const chats = []
    const long = Array.from({ length: 5000 }, (_, i) => tokens[i % tokens.length])
    for (let i = 0; i < 2; i++) {
      const text = model.generate(long, { maxTokens: 3, temperature: 0, ignoreEndOfText: true })
      for await (const piece of text) chats.push(piece.token)
    }
    assert.ok(await model.memoryBytes() > size)
    assert.deepEqual(chats.slice(0, 3), chats.slice(3))
    same(await model.logits(tokens), before)
    model.dispose()
  })

  it('an abort takes effect between tokens and the model goes on', async () => {
    const model = await Itera.load(story, { threads: 2 })
    const controller = new AbortController()
    let count = 0
    for await (const _ of model.generate('Once', { maxTokens: Infinity, signal: controller.signal, ignoreEndOfText: true })) {
      if (++count === 5) controller.abort()
    }
    assert.equal(model.lastStats?.finishReason, 'aborted')
    for await (const _ of model.generate('Once', { maxTokens: 3, ignoreEndOfText: true })) count++
    assert.ok(count >= 8)
    model.dispose()
  })

  it('dispose ends them all, in the midst of work too', { skip: !existsSync('/proc/self/task') && 'no /proc' }, async () => {
    let before = running()
    for (let calm = 0; calm < 10; calm++) {             // those of the tests before may still be ending
      await pause(20)
      if (running() !== before) [before, calm] = [running(), 0]
    }
    const model = await Itera.load(story, { threads: 4 })
    assert.ok(running() >= before + 4)
    const endless = model.generate('Once', { maxTokens: Infinity, ignoreEndOfText: true })
    await endless.next()
    model.dispose()
    await assert.rejects(async () => { for (;;) await endless.next() }, { code: 'disposed' })
    for (let i = 0; i < 200 && running() > before; i++) await pause(10)
    assert.equal(running(), before)
  })

  it('a process ends although nobody disposed of the model', () => {
    const script = `
      const [entry, file] = process.argv.slice(1)
      import(entry).then(async ({ Itera }) => {
        const model = await Itera.load(file, { threads: 3 })
        for await (const _ of model.generate('Once', { maxTokens: 5 }));
        console.log('done')
      })`
    const entry = new URL('../../web/src/index.js', import.meta.url).href
    assert.equal(execFileSync(process.execPath, ['-e', script, entry, story],
      { encoding: 'utf8', timeout: 30_000 }), 'done\n')
  })

  it('one that dies is an error with a code, not an endless wait', async () => {
    const helpers = new Helpers(() => {})
    const wasm = await loadWasm({ threads: 2, simd: 'simd128', spawn: start => helpers.start(start) })
    assert.equal(wasm.threads, 2)
    const { model } = await loadModel(wasm, await openSource(describeSource(golden('mamba2-q8_0')), new AbortController().signal), {})
    const session = new Session(wasm, model)
    session.feed(tokensOf(512))
    wasm.exports.itera_pool_fail(1)                     // what a helper's own catch calls
    assert.throws(() => session.feed(tokensOf(512)), error => errorCode(error) === 'crashed')
    helpers.end()
  })

  it('a helper that does not start leaves one thread', async () => {
    const wasm = await loadWasm({ threads: 2, simd: 'simd128', spawn: async () => { throw new Error('no workers here') } })
    assert.equal(wasm.threads, 1)
    assert.ok(!(wasm.memory.buffer instanceof SharedArrayBuffer))
  })

  it('an incomplete file is refused as ever', async () => {
    const bytes = readFileSync(story).subarray(0, 2_000_000)
    await assert.rejects(Itera.load(bytes, { threads: 2 }), { code: 'incomplete' })
  })
})
